"""Protocols in DML: what they make of pushes, against their twins, and what they record of trainings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from largebatch.files.matrices import read_matrix
from largebatch.settings.protocols import PROTOCOLS
from tests.reference import Floats, optimizers
from tests.reference.protocols import TWINS, Push, Server
from tests.support.harness import DML, Matrix
from tests.support.training import Trained, Trainer

pytestmark = pytest.mark.systemds

SHAPES = [(4, 3, 1), (1, 3, 1)]  # softmax regression of images of 2 x 2
P, WORKERS, PUSHES, FIRST = 15, 5, 40, 17
HYPER = {"momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.001}
TWIN = 1e-10  # forty updates in double precision
MODULATIONS = ("none", "average", "per_gradient")
ASYNCHRONOUS = [name for name, row in PROTOCOLS.items() if not row.reproducible]
CASES = [
    (name, modulation, "sgd_momentum")
    for name, row in PROTOCOLS.items()
    for modulation in (MODULATIONS if "staleness_modulation" in row.settings else ("none",))
]
CASES += [("async", "per_gradient", "lars")]  # which would ignore that a gradient is divided


# ---- recorded pushes ----


@dataclass
class Recorded:
    """Pushes in two epochs, and what the twin made of them."""

    server: Server
    w: Floats
    rates: Floats
    pushes: list[Push] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    clocks: list[int] = field(default_factory=list)

    def receive(self, push: Push) -> None:
        self.server.receive(push)
        self.pushes.append(push)
        self.weights.append(self.w.copy())
        self.clocks.append(self.server.clock)

    def matrices(self) -> dict[str, Any]:
        """The pushes as pushes.dml reads them, but for the start values."""
        return {
            "S": [[*SHAPES[0], 4, 3], [*SHAPES[1], 0, 0]],
            "origins": np.array([[push.worker, push.seen] for push in self.pushes]).T,
            "sums": np.array([[push.rows, push.loss, 0, 1] for push in self.pushes]).T,
            "gradients": np.array([push.g for push in self.pushes]).T,
            "rates": self.rates[:, None],
        }


def recorded(name: str, modulation: str, w: Floats, optimizer: str = "sgd_momentum") -> Recorded:
    """Workers push in any order, with the weights that each got after its last push; worker 5 comes late."""
    rng = np.random.default_rng(3)
    rates = 0.1 / np.arange(1, PUSHES + 1)
    groups = optimizers.groups(SHAPES, "layer", adapt_biases=True)
    state = np.zeros((P, 1))

    def step(g: Floats, t: int, rate: float) -> None:
        nonlocal state
        w[:], state, _ = optimizers.TWINS[optimizer].step(w, g, state, t, rate, groups, HYPER)

    server = Server(TWINS[name], WORKERS, TWINS[name].OWN, modulation, step, lambda update: rates[update - 1])
    found = Recorded(server, w, rates)
    for begin, end in ((0, FIRST), (FIRST, PUSHES)):
        server.begin_epoch()
        seen = dict.fromkeys(range(1, WORKERS + 1), server.clock)
        for place in range(begin, end):
            worker = 5 if place == end - 3 else int(rng.integers(1, WORKERS))
            at = server.clock if name == "hardsync" else seen[worker]
            found.receive(Push(worker, at, int(rng.integers(1, 9)), rng.random(), rng.standard_normal(P)))
            seen[worker] = server.clock
    return found


@pytest.mark.parametrize(("name", "modulation", "optimizer"), CASES)
def test_recorded_pushes_give_the_weights_of_the_twin(
    dml: DML, name: str, modulation: str, optimizer: str
) -> None:
    start = np.random.default_rng(4).standard_normal(P)
    expected = recorded(name, modulation, start.copy(), optimizer)
    found = dml.call(
        "pushes.dml",
        {**expected.matrices(), "w": start[:, None]},
        ("weights", "clocks", "staleness", "arrivals"),
        protocol=name, staleness_modulation=modulation, workers=WORKERS, first=FIRST, network="softmax",
        optimizer=optimizer, out="", **HYPER, **TWINS[name].OWN,
    )  # fmt: skip
    np.testing.assert_allclose(found["weights"].T, expected.weights, rtol=0, atol=TWIN)
    np.testing.assert_array_equal(found["clocks"][0], expected.clocks)
    if name in ASYNCHRONOUS:
        counts = Counter(expected.server.staleness)
        np.testing.assert_array_equal(found["staleness"], [[*key, counts[key]] for key in sorted(counts)])
        assert found["arrivals"][0, 0] == expected.server.dropped


def test_the_recorded_pushes_are_of_every_kind() -> None:
    """Some come late in the epoch for the first time, some are dropped, some held back when it ends."""
    late, usual = (
        [stale for _, kind, stale in recorded("async", "none", np.ones(P)).server.staleness if kind == which]
        for which in (1, 2)
    )
    assert max(late) > 15 and np.mean(usual) > 2
    assert recorded("backup", "none", np.ones(P)).server.dropped > 5
    assert FIRST - 2 * recorded("softsync", "none", np.ones(P)).clocks[FIRST - 1] == 1


# ---- whole trainings ----


SETTINGS: dict[str, Any] = {"network": "softmax", "optimizer": "sgd_momentum", "learning_rate": 0.05}


def table(trained: Trained, begun: Trained | None = None) -> list[dict[str, float]]:
    """The metrics of each epoch by name, of a training that another one may have begun."""
    names = ((begun or trained).folder / "columns").read_text().strip().split(",")
    return [dict(zip(names, row, strict=True)) for row in trained.recorded().tolist()]


def counted(trained: Trained) -> Matrix:
    """Epoch, kind, staleness and number of gradients."""
    return read_matrix(trained.checkpoint(trained.epochs) / "staleness")


@pytest.mark.parametrize(
    ("protocol", "optimizer"),
    [("softsync", "sgd"), ("softsync", "extrap_sgd"), ("async", "lars"), ("async", "extrap_adam")],
)
def test_one_worker_gives_hardsync_to_the_last_bit(train: Trainer, protocol: str, optimizer: str) -> None:
    """With softsync_n 1, its default: plain descent, or whatever the optimizer is."""
    settings = SETTINGS | {"optimizer": optimizer, "workers": 1, "schedule": "polynomial"}
    hardsync, found = train(**settings), train(protocol=protocol, **settings)
    np.testing.assert_array_equal(found.parameters(), hardsync.parameters())
    assert [row["staleness_max"] for row in table(found)] == [0, 0]
    names = list(table(hardsync)[0])
    seconds = ("seconds", "evaluation_seconds")
    assert [[row[n] for n in names if n not in seconds] for row in table(found)] == [
        [row[n] for n in names if n not in seconds] for row in table(hardsync)
    ]


# 5 workers with 3 batches of 16 rows each: 15 pushes an epoch, of which 2 make an update.
ODD = SETTINGS | {"protocol": "softsync", "softsync_n": 2, "workers": 5, "batch_size": 80, "epochs": 3}


def assert_odd(trained: Trained, begun: Trained | None = None) -> None:
    """Nothing is lost: a gradient is left over in epoch 1, and in epoch 3."""
    lines = [*(begun.lines if begun else []), *trained.lines]
    found = table(trained, begun)
    assert [(row["pushes"], row["updates"], row["dropped"]) for row in found] == [
        (15, 7, 0), (30, 15, 0), (45, 22, 0),
    ]  # fmt: skip
    assert [line.split()[1:3] for line in lines if line.startswith("update")] == [
        [str(update), "32"] for update in range(1, 23)
    ]
    held = [read_matrix(trained.checkpoint(epoch) / "pending")[:2].ravel().tolist() for epoch in (2, 3)]
    assert held == [[0], [1, 16]], "gradients, and their rows"
    of_epoch, kind, _, count = counted(trained).T
    for epoch in (1, 2, 3):
        assert [count[(of_epoch == epoch) & (kind == which)].sum() for which in (1, 2)] == [5, 10]


def test_gradients_left_over_in_an_epoch_are_taken_along(train: Trainer) -> None:
    trained = train(**ODD)
    assert_odd(trained)


def test_gradients_left_over_survive_a_resumption(train: Trainer) -> None:
    first = train(until=1, **ODD)
    rest = train(resume=str(first.checkpoint(1)), **ODD)
    assert read_matrix(first.checkpoint(1) / "pending")[0, 0] == 1
    assert_odd(rest, first)


def test_metrics_sum_up_the_usual_gradients_of_each_epoch(train: Trainer) -> None:
    trained = train(**ODD)
    of_epoch, kind, staleness, count = counted(trained).T
    for epoch, row in enumerate(table(trained), start=1):
        usual = np.repeat(staleness, ((of_epoch == epoch) & (kind == 2)) * count.astype(int))
        assert row["staleness_mean"] == pytest.approx(usual.mean())
        assert row["staleness_max"] == usual.max()
        assert row["staleness_above_2n"] == pytest.approx((usual > 4).mean())


def test_backup_workers_update_with_current_gradients_and_drop_all_others(train: Trainer) -> None:
    trained = train(protocol="backup", backup_workers=2, workers=8, **SETTINGS)
    last, (_, _, staleness, count) = table(trained)[-1], counted(trained).T
    held = read_matrix(trained.checkpoint(2) / "pending")[0, 0]
    assert last["pushes"] == count.sum() == 64
    assert last["dropped"] == count[staleness > 0].sum()
    assert 6 * last["updates"] + held == last["pushes"] - last["dropped"]
    assert last["updates"] >= 64 // (6 + 7), "at most 7 gradients are late after each update"


@pytest.mark.spark
@pytest.mark.parametrize(
    ("protocol", "own"),
    [
        ("softsync", {"softsync_n": 2, "optimizer": "extrap_sgd", "staleness_modulation": "average"}),
        pytest.param("async", {"staleness_modulation": "per_gradient"}, marks=pytest.mark.slow),
        pytest.param("backup", {"backup_workers": 2}, marks=pytest.mark.slow),
    ],
)
def test_eight_workers_learn_on_exactly_eight_slots(
    train: Trainer, protocol: str, own: dict[str, Any]
) -> None:
    """A Spark job that the server's function started would wait for a slot for ever."""
    settings = SETTINGS | {"workers": 8, "batch_size": 32, "epochs": 1, "mode": "REMOTE_SPARK"} | own
    settings["evaluate_every"] = 7
    trained = train(protocol=protocol, **settings)
    (row,) = table(trained)
    losses = [float(line.split()[-1]) for line in trained.lines if line.startswith("update")]
    assert row["train_loss"] < losses[0]
    assert (row["pushes"], row["updates"]) == (64, len(losses))
    assert counted(trained)[:, 3].sum() == 64
    snapshots = {int(path.name) for path in trained.folder.glob("snapshots/*")}
    assert snapshots == set(range(7, len(losses) + 1, 7))
