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
from largebatch.bench.peers import PEERS
from largebatch.bench.timing import Plan, Timed, contestant, shortened, spread, time_training
from largebatch.config import Execution, Training
from largebatch.data import Dataset, Report
from largebatch.table import align, markdown

MEASURE = "PyTorch, float64"  # what ratios are to, if it was measured
FURTHER = (8192, 32768)  # batch sizes that models are extrapolated to, too


@dataclass(frozen=True)
class Wishes:
    """What is to be measured, and how often; `execution` is that of every mode but for the mode itself."""

    modes: Sequence[str]
    batch_sizes: Sequence[int]
    peers: Sequence[str]
    plan: Plan
    execution: Execution
    rounds: int = 1
    rows: int | None = None
    dataset: str = "mnist"
    data_dir: Path | None = None
    workers: Sequence[int] = (4,)


def bench(wishes: Wishes, report: Report) -> list[Timed]:
    """Time all contestants, one after the other, in each round: a machine whose speed drifts slows all alike.

    Raises UserError and RunError as the runs do.
    """
    dataset, trainings = _checked(wishes, report)
    found: dict[tuple[str, int], Timed] = {}
    for _ in range(wishes.rounds):
        for one in _contestants(trainings, dataset, wishes):
            report(f"{one.name}, batch size {one.batch_size}: {spread(one.seconds)} s per warm epoch")
            key = one.name, one.batch_size
            found[key] = found[key].joined(one) if key in found else one
    return list(found.values())


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


def _contestants(
    trainings: Sequence[tuple[Training, Execution]], dataset: Dataset, wishes: Wishes
) -> Iterator[Timed]:
    """A round: our own, then the peers."""
    for training, execution in trainings:
        yield time_training(training, execution, dataset, wishes.plan)
    for name in wishes.peers:
        yield from PEERS[name](
            dataset, wishes.plan, dataclasses.replace(wishes.execution, mode=wishes.modes[0])
        )


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
        spread(one.seconds),
        f"{one.images_per_second:.0f}",
        "-" if one.first_ratio is None else f"x {one.first_ratio:.2f}",
        spread(one.evaluation) if one.evaluation else "-",
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
