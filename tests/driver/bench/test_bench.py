"""Timings: what counts as warm, the table, and what can't be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from largebatch import data
from largebatch.bench import breakdown
from largebatch.bench.breakdown import OUTSIDE, shares
from largebatch.bench.checkouts import Contestant, Run, summary
from largebatch.bench.command import BenchRequest, bench, breakdowns, in_rounds, varied
from largebatch.bench.formulations import Formulation
from largebatch.bench.formulations import rows as formulation_rows
from largebatch.bench.tables import MEASURE, as_json, as_markdown, as_text, ratio_rows, rows
from largebatch.bench.timing import Epoch, Rounds, Timed, contestant, padded, shortened
from largebatch.cli.main import main
from largebatch.errors import RunError, UserError
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset, write_dataset

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
    timed = {"lenet": [OWN, TORCH]}
    assert [(one["name"], one["network"]) for one in json.loads(as_json(timed))] == [
        (OWN.name, "lenet"), (TORCH.name, "lenet"),
    ]  # fmt: skip
    assert [line.count(OWN.name) for line in as_text(timed).splitlines()].count(1) == 3
    markdown = as_markdown(timed, "largebatch bench").splitlines()
    assert [line.count("|") for line in markdown if line.startswith("|")] == [9] * 4 + [6] * 4


def test_networks_have_tables_of_their_own_and_other_names() -> None:
    text = as_text({"resnet8": [OWN], "resnet20": [SMALL]})
    assert text.count("Ratios within each round") == 2
    assert contestant(Training(network="resnet8"), "local") == "largebatch, local, resnet8"
    assert contestant(Training(workers=2), "spark") == "largebatch, spark, 2 workers"


def test_settings_that_vary_are_in_the_name() -> None:
    training = Training(optimizer="lars", batch_size=64, learning_rate=0.5)
    assert varied(training, ("optimizer", "learning_rate")) == ", optimizer lars, learning rate 0.5"
    assert varied(training, ()) == ""


def test_a_shortened_set_is_another_one() -> None:
    whole = dataset()
    short = shortened(whole, 4)
    assert (len(short.train), len(short.parts["test"]), short.classes) == (4, 4, whole.classes)
    assert short.fingerprint != whole.fingerprint
    assert shortened(whole, 10**6) is whole


def test_peers_get_the_zeros_around_images_that_training_does() -> None:
    whole = dataset()
    wide = padded(whole, 12)
    assert padded(whole, 0) is whole
    assert (wide.train.X.shape[1:], wide.classes) == ((1, 12, 12), whole.classes)
    _, _, height, width = whole.train.X.shape
    top, left = (12 - height) // 2, (12 - width) // 2
    assert (wide.train.X[:, :, top : top + height, left : left + width] == whole.train.X).all()
    assert wide.train.nonzero == whole.train.nonzero


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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--modes cluster", "--modes cluster is unknown; there are spark, local"),
        ("--peers keras", "--peers keras is unknown; there are torch, upstream"),
        ("--epochs 0", "--epochs must be at least 1"),
        ("--vary colour=red", "--vary colour: there is no such setting; `largebatch train"),
        ("--vary momentum=much", "--vary momentum=much: must be a number"),
        ("--vary deterministic=perhaps", "--vary deterministic=perhaps: must be true or false"),
        ("--rows 0", "--rows must be at least 1"),
        ("--network resnet8 --peers upstream", "--peers upstream has no network resnet8; it has lenet"),
        ("--network mlp --peers torch", "--peers torch has no network mlp; it has lenet, resnet8, resnet20"),
    ],
)
def test_requests_that_can_not_be_met(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words.split()])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


# ---- what can't be measured, or counts for nothing ----


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--network resnet12", "--network resnet12 is unknown; there are lenet, "),
        ("--network resnet8 --vary hidden=3", "--hidden belongs to --network mlp, not to resnet8"),
        ("--batch-sizes 0", "--batch-size 0 must be at least 1"),
        (
            "--formulations --network resnet8",
            "--network counts for nothing with --formulations: leave it out",
        ),
        ("--formulations --json", "--json counts for nothing with --formulations: leave it out"),
        ("--breakdown --peers torch", "--peers counts for nothing with --breakdown: leave it out"),
        ("--scaling --modes local", "--modes counts for nothing with --scaling: leave it out"),
    ],
)
def test_what_is_refused_is_refused_before_any_data_are_read(
    line: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(SystemExit) as ended:
        main(["bench", *line.split()])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"largebatch: {words}")


@pytest.mark.parametrize("option", ["--network", "--modes", "--peers"])
@pytest.mark.parametrize("text", ["", ","])
def test_an_empty_list_of_names_is_refused(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", option, text])
    assert ended.value.code == 2
    assert f"argument {option}: {text!r} must be names separated by commas" in capsys.readouterr().err


def test_sessions_that_take_too_much_memory_are_told_with_options_of_this_command(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    much = Execution(memory="4000g")
    request = BenchRequest(
        ["local"],
        [8],
        [],
        Rounds(0, 1),
        much,
        network="softmax",
        dataset="idx",
        data_dir=tmp_path,
        workers=(1, 2),
    )
    with pytest.raises(UserError, match=r"for each of 2 sessions .*; lower it or name fewer of --modes and"):
        bench(request, print)


def test_a_placement_that_is_chosen_is_known_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path)
    measured: list[Training] = []
    monkeypatch.setattr(breakdown, "breakdown", lambda training, *_: measured.append(training))
    monkeypatch.setattr(breakdown, "rows", lambda _: [])
    auto = {"data_placement": "auto"}
    request = BenchRequest(
        ["local"], [8], [], Rounds(0, 1), Execution(memory="1g"), network="softmax", dataset="idx",
        data_dir=tmp_path, variants=[auto],
    )  # fmt: skip
    assert len(list(breakdowns(request, print))) == 1
    assert [training.data_placement for training in measured] == ["driver"]
