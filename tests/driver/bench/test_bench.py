"""Timings: what counts as warm, the table, and what can't be measured."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import time

import pytest

from largebatch.bench.breakdown import OUTSIDE, shares
from largebatch.bench.checkouts import Contestant, Run, summary
from largebatch.bench.command import (
    MEASURE,
    as_json,
    as_markdown,
    as_text,
    in_rounds,
    ratio_rows,
    rows,
)
from largebatch.bench.formulations import Formulation
from largebatch.bench.formulations import rows as formulation_rows
from largebatch.bench.scaling import Measured, Model, extrapolated_rows, fit
from largebatch.bench.timing import Epoch, Rounds, Timed, shortened
from largebatch.bench.traffic import POLL_S, Bytes, Traffic, connections
from largebatch.cli.main import main
from largebatch.errors import RunError, UserError
from tests.support.samples import dataset

OWN = Timed(
    "largebatch, local", 2048, 60000, (15.0, 16.0, 14.0), 30.0, (5.0, 5.5, 4.5), (16.5, 16.0, 21.0), 2**31
)
SMALL = Timed("largebatch, local", 256, 60000, (18.0, 17.6, 14.0))
SPARK = Timed("largebatch, spark", 2048, 60000, (18.0, 16.0, 16.8), 40.0, (5.0, 5.5, 4.5), (), 2**32)
TORCH = Timed(MEASURE, 256, 60000, (30.0, 25.0, 20.0))


def test_warm_epochs_alone_count() -> None:
    assert OWN.median == 15.0
    assert OWN.first_ratio == 2.0
    assert OWN.opening_ratio == 1.1
    assert OWN.images_per_second == 4000.0
    assert TORCH.first_ratio is TORCH.opening_ratio is None


class Recorded:
    """A contestant whose epochs have been written down, and who says when one was asked for."""

    batch_size = 64
    images = 100

    def __init__(self, name: str, epochs: list[Epoch], calls: list[str], *, opens: bool) -> None:
        self.name, self.opens = name, opens
        self._epochs, self._calls = iter(epochs), calls

    def epoch(self) -> Epoch:
        self._calls.append(self.name)
        return next(self._epochs)

    def peak_bytes(self) -> int | None:
        return 5


def test_contestants_take_turns_and_warm_up_before_they_are_timed() -> None:
    calls: list[str] = []
    a = Recorded("a", [Epoch(9, 3, 12), Epoch(5, 2, 6), Epoch(4, 1, 5)], calls, opens=True)
    b = Recorded("b", [Epoch(8), Epoch(7), Epoch(6)], calls, opens=False)
    lines: list[str] = []
    timed = in_rounds([a, b], Rounds(warm_up=1, epochs=2), lines.append)
    assert "".join(calls) == "ababab"
    assert timed == [
        Timed("a", 64, 100, (5, 4), 12, (2, 1), (6, 5), 5),
        Timed("b", 64, 100, (7, 6), None, (), (), 5),
    ]
    assert lines[0] == "round 1 of 3 (warming up): a, batch size 64: 9.00 s"
    assert lines[-1] == "round 3 of 3: b, batch size 64: 6.00 s"


def test_the_epoch_that_a_session_began_with_is_told_of_who_opened_it() -> None:
    for opens, first in ((True, 12), (False, None)):
        one = Recorded("a", [Epoch(9, opening=12)], [], opens=opens)
        (timed,) = in_rounds([one], Rounds(0, 1), lambda line: None)
        assert (timed.seconds, timed.first) == ((9,), first)


def test_the_table_says_what_a_warm_epoch_takes() -> None:
    table = rows([OWN, TORCH])
    assert table[1] == [
        "largebatch, local", "2048", "15.00 (14.00 to 16.00)", "4000", "x 1.10", "x 2.00",
        "5.00 (4.50 to 5.50)", "2.0",
    ]  # fmt: skip
    assert table[2][4:] == ["-"] * 4


def test_ratios_are_medians_of_those_within_rounds() -> None:
    table = ratio_rows([OWN, SMALL, SPARK, TORCH])
    assert table == [
        ["what", "batch size", f"to {MEASURE}", "to batch size 2048", "to largebatch, local"],
        ["largebatch, local", "2048", "0.64", "1.00", "1.00"],
        ["largebatch, local", "256", "0.70", "1.10", "1.00"],
        ["largebatch, spark", "2048", "0.64", "1.00", "1.20"],
        [MEASURE, "256", "1.00", "-", "1.43"],
    ]
    assert ratio_rows([OWN])[1][2:] == ["-", "1.00", "1.00"]


def test_checkouts_are_compared_by_later_epochs_and_within_rounds() -> None:
    mine = [Run((30.0, 10.0, 20.0), 50.0, 10.0, 7), Run((9.0, 40.0), 80.0, 0.0, 7)]
    other = [Run((1.0, 30.0), 30.0, 0.0, 7), Run((1.0, 40.0), 120.0, 0.0, 7)]
    assert summary(["mine", "other"], [mine, other]) == [
        "mine: epoch 27.50 s, ratio 1.00; CPU of a run 70.0 s, ratio 1.00",
        "other: epoch 35.00 s, ratio 1.50; CPU of a run 75.0 s, ratio 1.00",
    ]
    assert Contestant.parse(".").mode == "spark"
    assert Contestant.parse(".|local|a=-X -Y;b=1").settings == ("a=-X -Y", "b=1")


def test_every_form_has_every_contestant() -> None:
    assert [one["name"] for one in json.loads(as_json([OWN, TORCH]))] == [OWN.name, TORCH.name]
    assert [line.count(OWN.name) for line in as_text([OWN, TORCH]).splitlines()].count(1) == 3
    markdown = as_markdown([OWN, TORCH], "largebatch bench").splitlines()
    assert [line.count("|") for line in markdown if line.startswith("|")] == [9] * 4 + [6] * 4


def test_a_shortened_set_is_another_one() -> None:
    whole = dataset()
    short = shortened(whole, 4)
    assert len(short.train) == 4
    assert short.fingerprint != whole.fingerprint
    assert shortened(whole, 10**6) is whole


def test_ratios_are_to_the_plain_formulation_of_the_part() -> None:
    found = [Formulation("a", "plain", 8.0, 0.0), Formulation("a", "other", 2.0, 1e-13)]
    assert formulation_rows(found)[1:] == [
        ["a", "plain", "8.0", "1.00", "0e+00"],
        ["a", "other", "2.0", "0.25", "1e-13"],
    ]


STATISTICS = """SystemDS Statistics:
Cache times (ACQr/m, RLS, EXP):	1.495/0.144/19.579/0.775 sec.
HOP DAGs recompile time:	6.000 sec.
Paramserv total execution time:	34.000 secs.
Paramserv model update time:	0.000/0.500 secs.
Heavy hitter instructions:
  #  Instruction               Time(s)  Count
  1  gradient                1,259.157    240
  2  conv2d_backward_filter     22.000    240
  3  conv2d_backward_data       12,000.5  120
  4  ba+*                        9.000   1497
"""


def test_parts_of_an_epoch_are_read_off_the_statistics() -> None:
    epochs = [Epoch(16.0, 3.5), Epoch(14.0, 2.5)]
    found = {one.part: one.seconds for one in shares(STATISTICS, epochs)}
    assert found["convolution, backward"] == (22 + 12000.5) / 2
    assert found["matrix products (fully connected, gather)"] == 4.5
    assert found["pooling"] == found["garbage collection"] == 0
    assert (found["update by the server"], found["compilation of blocks again"]) == (0.25, 3)
    assert found["buffers written to disk"] == 0.775 / 2
    assert (found["training"], found["evaluation"], found[OUTSIDE]) == (15, 3, 1)
    with pytest.raises(RunError, match="no statistics"):
        shares("", epochs)


# ---- scaling ----


def model_of(
    epoch: float = 0.0, update: float = 0.0, worker: float = 0.0, image: float = 0.0, data: float = 0.0
) -> Model:
    return Model(epoch, update, worker, image, error=0.0, pushed=1e6, pulled=2e6, data=data)


def epochs_of(model: Model, cores: int) -> list[Measured]:
    """What a machine that follows the model would give."""
    return [
        Measured(
            workers=k,
            batch_size=4096 // u,
            images=4096,
            updates=u,
            seconds=model.epoch_seconds(k, u, 4096, cores),
            pushed=u * k * model.pushed,
            pulled=u * k * model.pulled + model.data,
        )
        for k in (1, 2, 4, 8)
        for u in (2, 8, 32)
    ]


def test_the_model_is_found_again_from_what_it_gives() -> None:
    model = model_of(epoch=0.5, update=0.010, worker=0.004, image=250e-6, data=1e8)
    found = fit(epochs_of(model, 2), cores=2)
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(model), rel=1e-6, abs=1e-9)


def test_no_fitted_cost_is_below_zero() -> None:
    found = fit(epochs_of(model_of(epoch=-0.001, update=0.010, worker=0.004, image=250e-6), 2), cores=2)
    assert min(dataclasses.astuple(found)) >= 0
    assert 0 < found.error < 0.01


def test_the_best_number_of_workers_balances_server_and_arithmetic() -> None:
    """d/dk (s k + c B / k) = 0 at k = sqrt(c B / s)."""
    model = model_of(worker=0.004, image=250e-6)
    assert model.best_workers(1024) == 8
    assert model.update_seconds(8, 1024) == pytest.approx(2 * 8 * 0.004)
    assert model.best_workers(1024, 2e9) == 4  # 3 MB take 12 ms
    assert model.best_workers(10**9) == 1024


def test_extrapolation_takes_the_network_into_account() -> None:
    (_, row) = extrapolated_rows(model_of(image=1e-3), [2400])
    # 3 MB take 24 ms at 1 Gbit/s: k = sqrt(2.4 / 0.024) = 10, 480 ms; 2.4 ms at 10: 31.6, 152 ms
    assert row == ["2400", "2400", "10", "480", "5.0", "32", "152", "15.8"]


JVM, PYTHON = 'users:(("java",pid=70,fd=5)) cubic', 'users:(("python3",pid=69,fd=7)) cubic'
SERVER, GATEWAY = "[::ffff:10.0.0.2]:37001", "127.0.0.1:25333"
LISTING = f"""LISTEN 0 8192 *:37001 *:* {JVM} cwnd:10
LISTEN 0 128 {GATEWAY} 0.0.0.0:* {JVM} cwnd:10
ESTAB 0 0 {SERVER} [::ffff:10.0.0.2]:5111 {JVM} bytes_sent:2000 bytes_acked:2000 bytes_received:1000
ESTAB 0 0 [::ffff:10.0.0.2]:5111 {SERVER} {JVM} bytes_sent:1000 bytes_acked:1000 bytes_received:2000
ESTAB 0 0 {GATEWAY} 127.0.0.1:5000 {JVM} bytes_sent:77 bytes_received:99
ESTAB 0 0 127.0.0.1:5000 {GATEWAY} {PYTHON} bytes_sent:99 bytes_received:77
TIME-WAIT 0 0 {GATEWAY} 127.0.0.1:5002
ESTAB 0 0 {SERVER} [::ffff:10.0.0.2]:5112 {JVM} segs_out:3
ESTAB 0 0 [::ffff:10.0.0.2]:5112 {SERVER} {JVM} segs_out:3
"""


def test_what_workers_exchange_with_the_server_is_told_from_all_else() -> None:
    assert connections(LISTING) == {
        ("10.0.0.2:37001", "10.0.0.2:5111"): Bytes(pushed=1000, pulled=2000),
        ("10.0.0.2:37001", "10.0.0.2:5112"): Bytes(pushed=0, pulled=0),
    }


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss (iproute2)")
def test_what_a_connection_carries_after_the_last_look_counts() -> None:
    """Within one process, as in Spark's local mode, half of it right before the end."""
    gradient, weights = b"gradient" * 1000, b"weights, momentum" * 1000
    with (
        Traffic() as traffic,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as worker,
        server.accept()[0] as served,
    ):
        for last in (False, True):
            worker.sendall(gradient)
            served.sendall(weights)
            assert served.recv(len(gradient), socket.MSG_WAITALL) == gradient
            assert worker.recv(len(weights), socket.MSG_WAITALL) == weights
            while not (last or traffic.total.pulled):
                time.sleep(POLL_S)
    assert traffic.total.pulled == 2 * len(weights)
    assert 0 <= traffic.total.pushed - 2 * len(gradient) <= 1  # the end of a stream counts as one


def test_bytes_can_not_be_counted_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="iproute2"):
        Traffic()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--modes cluster", "--modes cluster is unknown; there are spark, local"),
        ("--peers keras", "--peers keras is unknown; there are torch, upstream"),
        ("--epochs 0", "--epochs must be at least 1"),
        ("--rows 0", "--rows must be at least 1"),
    ],
)
def test_wishes_that_can_not_be_met(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words.split()])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
