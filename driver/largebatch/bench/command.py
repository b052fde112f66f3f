"""`largebatch bench`: all contestants in one sitting, and a table of how they compare."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from largebatch import data, preflight
from largebatch.bench import breakdown, scaling
from largebatch.bench.peers import PEERS, Peer
from largebatch.bench.timing import Plan, Timed, contestant, shortened, spread, time_training
from largebatch.config import Execution, Training
from largebatch.data import Dataset, Report
from largebatch.table import align, markdown

MEASURE = "PyTorch, float64"  # what ratios are to, if it was measured
FURTHER = (8192, 32768)  # batch sizes that models are extrapolated to, too


@dataclass(frozen=True)
class Wishes:
    """What is to be measured; `execution` is that of every mode but for the mode itself."""

    modes: Sequence[str]
    batch_sizes: Sequence[int]
    peers: Sequence[str]
    plan: Plan
    execution: Execution
    rows: int | None = None
    dataset: str = "mnist"
    data_dir: Path | None = None
    workers: Sequence[int] = (4,)


def bench(wishes: Wishes, report: Report) -> list[Timed]:
    """Time everything, peers before and after; raises UserError and RunError as the runs do."""
    dataset, trainings = _checked(wishes, report)
    peers = [PEERS[name] for name in wishes.peers]
    before = _time_peers(peers, dataset, wishes, report)
    own = []
    for training, execution in trainings:
        own.append(time_training(training, execution, dataset, wishes.plan))
        report(_line(own[-1]))
    after = _time_peers(peers, dataset, wishes, report)
    return [*own, *(_joined(a, b) for a, b in zip(before, after, strict=True))]


def breakdowns(wishes: Wishes, report: Report) -> Iterator[tuple[str, list[list[str]]]]:
    """A title and a table of the parts of an epoch, for each batch size and mode; raises as `bench` does."""
    dataset, trainings = _checked(wishes, report)
    for training, execution in trainings:
        parts = breakdown.breakdown(training, execution, dataset, wishes.plan)
        yield f"{contestant(training, execution)}, batch size {training.batch_size}", breakdown.rows(parts)


def scalings(wishes: Wishes, report: Report) -> Iterator[tuple[str, list[list[str]]]]:
    """Titles and tables of times and bytes against workers, in Spark mode; raises as `bench` does."""
    dataset, trainings = _checked(dataclasses.replace(wishes, modes=["spark"]), report)
    cores = scaling.cores()
    measured = []
    for training, execution in trainings:
        measured.append(scaling.measure(training, execution, dataset, wishes.plan))
        last = measured[-1]
        report(f"{last.workers} workers, batch size {last.batch_size}: {last.seconds:.2f} s per warm epoch")
    model = scaling.fit(measured, cores)
    title = f"{last.images} images, {cores} cores. {model}"
    yield title, scaling.measured_rows(measured, model, cores)
    sizes = sorted({one.batch_size for one in measured})
    title = "By that model, on clusters with a core for every worker and one server"
    yield title, scaling.extrapolated_rows(model, [*sizes, *FURTHER])


def _checked(wishes: Wishes, report: Report) -> tuple[Dataset, list[tuple[Training, Execution]]]:
    """The data, and what is to be trained on them how."""
    dataset = data.load(wishes.dataset, wishes.data_dir, report=report)
    dataset = shortened(dataset, wishes.rows or len(dataset.train_images))
    trainings = [
        (_training(dataset, size, workers, wishes.plan), dataclasses.replace(wishes.execution, mode=mode))
        for size in wishes.batch_sizes
        for workers in wishes.workers
        for mode in wishes.modes
    ]
    for training, execution in trainings:
        for remark in preflight.check(training, execution, dataset):
            report(remark)
    return dataset, trainings


def _training(dataset: Dataset, batch_size: int, workers: int, plan: Plan) -> Training:
    return Training(
        dataset=dataset.name,
        optimizer="sgd_momentum",
        batch_size=batch_size,
        workers=workers,
        epochs=plan.total,
    )


def _time_peers(peers: Sequence[Peer], dataset: Dataset, wishes: Wishes, report: Report) -> list[Timed]:
    timed = []
    for peer in peers:
        execution = dataclasses.replace(wishes.execution, mode=wishes.modes[0])
        found = peer(dataset, wishes.plan, execution)
        for one in found:
            report(_line(one))
        timed += found
    return timed


def _joined(a: Timed, b: Timed) -> Timed:
    """One contestant, measured twice: the warm epochs of both."""
    return dataclasses.replace(a, warm_up=0, seconds=a.warm + b.warm)


def _line(timed: Timed) -> str:
    return f"{timed.name}, batch size {timed.batch_size}: {spread(timed.warm)} s per warm epoch"


# ---- what is shown ----

_HEADINGS = (
    "what", "batch size", "warm epoch, s (range)", "images/s", "first epoch", "evaluation, s",
    "peak memory, GB", f"ratio to {MEASURE}",
)  # fmt: skip


def rows(timed: Sequence[Timed]) -> list[list[str]]:
    """The table, headings first."""
    measure = next((one.median for one in timed if one.name == MEASURE), None)
    return [list(_HEADINGS), *(_row(one, measure) for one in timed)]


def _row(one: Timed, measure: float | None) -> list[str]:
    return [
        one.name,
        str(one.batch_size),
        spread(one.warm),
        f"{one.images_per_second:.0f}",
        f"x {one.first_ratio:.2f}" if one.warm_up else "-",
        spread(one.evaluation[one.warm_up :]) if one.evaluation else "-",
        "-" if one.peak_bytes is None else f"{one.peak_bytes / 2**30:.1f}",
        "-" if measure is None else f"{one.median / measure:.2f}",
    ]


def as_text(timed: Sequence[Timed]) -> str:
    """For a terminal."""
    return align(rows(timed))


def as_markdown(timed: Sequence[Timed], command: str) -> str:
    """For docs/performance.md."""
    return f"Measured by `{command}` on {platform.platform()}:\n\n{markdown(rows(timed))}\n"


def as_json(timed: Sequence[Timed]) -> str:
    """All numbers."""
    return json.dumps([dataclasses.asdict(one) for one in timed], indent=2)
