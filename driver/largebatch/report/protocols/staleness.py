"""Staleness: measured, simulated, and as theory has it; and the histograms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from largebatch.records.reading import RunRecord, StudyRecord
from largebatch.report.protocols.runs import reproducible
from largebatch.settings.training import Training
from largebatch.simulation.calibrate import fit, predict
from largebatch.simulation.compute_times import ComputeTimes
from largebatch.simulation.plan import n, rule, theory
from largebatch.simulation.server import Load
from largebatch.simulation.staleness import USUAL, Staleness


@dataclass(frozen=True)
class Compared:
    """A protocol with a number of workers and rows per worker: its gradients, and what is predicted of them.

    `times` are those of the run with which the prediction was made, None if there is none.
    """

    training: Training
    runs: int
    measured: Staleness
    predicted: Staleness | None
    times: ComputeTimes | None

    @property
    def theory(self) -> float:
        """(workers - 1) / gradients of an update."""
        return theory(self.training)

    @property
    def limit(self) -> int:
        """2n, which Rudra hardly ever exceeds."""
        return 2 * n(self.training)

    @property
    def off(self) -> float:
        """How far the simulated mean is from the measured one, as a part of it."""
        if self.predicted is None or not self.measured.mean:
            return math.nan
        return self.predicted.mean / self.measured.mean - 1


def histograms(study: StudyRecord) -> pd.DataFrame:
    """Gradients by workers, protocol and staleness, without each worker's first ones of an epoch."""
    parts = [
        usual(run).assign(protocol=run.training.protocol_title, workers=run.training.workers)
        for run in _counted(study)
    ]
    columns = ["workers", "protocol", "staleness", "count"]
    table = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    return table.groupby(columns[:-1], sort=False, as_index=False).sum()


def compare(study: StudyRecord) -> list[Compared]:
    """Every protocol and size that was run, workers and rows per worker rising.

    The compute times are found from the asynchronous runs of the same size, whose staleness shows most.
    """
    groups: dict[tuple[int, int], dict[str, list[RunRecord]]] = {}
    for run in _counted(study):
        size = run.training.workers, run.training.batch_size
        groups.setdefault(size, {}).setdefault(run.training.protocol_title, []).append(run)
    return [one for size in sorted(groups) for one in _compare(groups[size])]


def _compare(of_protocol: dict[str, list[RunRecord]]) -> Iterator[Compared]:
    """The protocols of one size."""
    times = next((_fit(runs) for runs in of_protocol.values() if rule(runs[0].training).gradients == 1), None)
    for runs in of_protocol.values():
        training = runs[0].training
        predicted = predict(rule(training), _load(runs[0]), times).usual if times else None
        yield Compared(training, len(runs), _staleness(runs), predicted, times)


def _fit(runs: Sequence[RunRecord]) -> ComputeTimes:
    epochs = [seconds for run in runs for seconds in run.metrics["seconds"]]
    return fit(rule(runs[0].training), _load(runs[0]), _staleness(runs), sum(epochs) / len(epochs))


def _load(run: RunRecord) -> Load:
    """What each worker did in an epoch, by the counts."""
    workers, epochs = run.training.workers, int(run.staleness["epoch"].max())
    return Load(workers, int(run.staleness["count"].sum()) // (workers * epochs), epochs)


def _staleness(runs: Sequence[RunRecord]) -> Staleness:
    counts: Counter[int] = Counter()
    for run in runs:
        table = usual(run)
        for value, count in zip(table["staleness"].tolist(), table["count"].tolist(), strict=True):
            counts[value] += count
    return Staleness(counts)


def usual(run: RunRecord) -> pd.DataFrame:
    """The run's counts by staleness, without the first gradients."""
    return run.staleness[run.staleness["kind"] == USUAL]


def _counted(study: StudyRecord) -> list[RunRecord]:
    return [run for run in study.runs if not reproducible(run.training) and len(usual(run))]
