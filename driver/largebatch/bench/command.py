"""`largebatch bench`: times all contestants in one sitting, and compares them in a table."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from largebatch import data
from largebatch.bench import breakdown, scaling
from largebatch.bench.peers import PEERS
from largebatch.bench.timing import (
    Contestant,
    Epoch,
    Largebatch,
    Rounds,
    Sitting,
    Timed,
    contestant,
    shortened,
    spread,
)
from largebatch.data import Dataset
from largebatch.errors import UserError
from largebatch.runs import preflight
from largebatch.settings.execution import MODES, Execution
from largebatch.settings.training import Training
from largebatch.terminal.say import Say
from largebatch.terminal.table import align, markdown

MEASURE = "PyTorch, float64"  # the contestant that ratios refer to, if it was measured
RATIOS = "Ratios within each round, medians"
FURTHER = (8192, 32768)  # batch sizes that models are extrapolated to as well


@dataclass(frozen=True)
class BenchRequest:
    """What to measure, and how often. `execution` holds for every mode.

    Raises UserError for values that cannot be used.
    """

    modes: Sequence[str]
    batch_sizes: Sequence[int]
    peers: Sequence[str]
    rounds: Rounds
    execution: Execution
    rows: int | None = None
    dataset: str = "mnist"
    data_dir: Path | None = None
    workers: Sequence[int] = (4,)
    variants: Sequence[Mapping[str, Any]] = ({},)  # settings of the trainings

    def __post_init__(self) -> None:
        for flag, wanted, known in (("modes", self.modes, MODES), ("peers", self.peers, PEERS)):
            for name in wanted:
                if name not in known:
                    raise UserError(f"--{flag} {name} is unknown; there are {', '.join(known)}")
        if self.rounds.epochs < 1 or self.rounds.warm_up < 0:
            raise UserError("--epochs must be at least 1, --warm-up at least 0")
        if self.rows is not None and self.rows < 1:
            raise UserError("--rows must be at least 1")


def bench(request: BenchRequest, say: Say) -> list[Timed]:
    """Time all contestants in rounds: one epoch of each per round. Our own epoch is the second of a run.

    When the machine's speed drifts, it slows all contestants of a round alike; so ratios are taken within
    rounds. Raises UserError for unusable requests, RunError if a training fails.
    """
    dataset, trainings = _checked(request, say, at_once=True)
    with Sitting(request.execution, dataset) as sitting:
        return in_rounds(_contestants(sitting, trainings, request), request.rounds, say)


def in_rounds(contestants: Sequence[Contestant], rounds: Rounds, say: Say) -> list[Timed]:
    """Let the contestants take turns. Raises RunError if one fails."""
    epochs: list[list[Epoch]] = [[] for _ in contestants]
    for number in range(1, rounds.total + 1):
        for one, its in zip(contestants, epochs, strict=True):
            its.append(one.epoch())
            say(_line(one, its[-1], number, rounds))
    return [_timed(one, its, rounds) for one, its in zip(contestants, epochs, strict=True)]


def breakdowns(request: BenchRequest, say: Say) -> Iterator[tuple[str, list[list[str]]]]:
    """A title and a table of the parts of an epoch, for each batch size and mode; raises as `bench` does."""
    dataset, trainings = _checked(request, say)
    for training, execution in trainings:
        parts = breakdown.breakdown(training, execution, dataset, request.rounds)
        yield (
            f"{contestant(training, execution.mode)}, batch size {training.batch_size}",
            breakdown.rows(parts),
        )


def scalings(request: BenchRequest, say: Say) -> Iterator[tuple[str, list[list[str]]]]:
    """Titles and tables of times and bytes against workers, in Spark mode; raises as `bench` does."""
    dataset, trainings = _checked(dataclasses.replace(request, modes=["spark"]), say)
    cores = scaling.cores()
    measured = []
    for training, execution in trainings:
        measured.append(scaling.measure(training, execution, dataset, request.rounds))
        last = measured[-1]
        say(f"{last.workers} workers, batch size {last.batch_size}: {last.seconds:.2f} s per warm epoch")
    model = scaling.fit(measured, cores)
    title = f"{last.images} images, {cores} cores. {model}"
    yield title, scaling.measured_rows(measured, model, cores)
    sizes = sorted({one.batch_size for one in measured})
    title = "By that model, on clusters with a core for every worker and one server"
    yield title, scaling.extrapolated_rows(model, [*sizes, *FURTHER])


def _checked(
    request: BenchRequest, say: Say, *, at_once: bool = False
) -> tuple[Dataset, list[tuple[Training, Execution]]]:
    """The data, and the trainings with their executions. `at_once`: their sessions are open together."""
    dataset = data.load(request.dataset, request.data_dir, say=say)
    dataset = shortened(dataset, request.rows or len(dataset.train))
    trainings = [
        (
            _training(dataset, size, workers, request.rounds, variant),
            dataclasses.replace(request.execution, mode=mode),
        )
        for size in request.batch_sizes
        for workers in request.workers
        for mode in request.modes
        for variant in request.variants
    ]
    sessions = len(request.modes) * len(request.workers) if at_once else 1
    for training, execution in trainings:
        for remark in preflight.check(training, execution, dataset, sessions=sessions):
            say(remark)
    return dataset, trainings


def _training(
    dataset: Dataset, batch_size: int, workers: int, rounds: Rounds, variant: Mapping[str, Any]
) -> Training:
    of_all = {
        "dataset": dataset.name,
        "optimizer": "sgd_momentum",
        "batch_size": batch_size,
        "workers": workers,
        "epochs": rounds.total,
    }
    return Training.from_given({**of_all, **variant})


def _contestants(
    sitting: Sitting, trainings: Sequence[tuple[Training, Execution]], request: BenchRequest
) -> list[Contestant]:
    """Our own contestants, then the peers."""
    found: list[Contestant] = [
        Largebatch(sitting, training, execution.mode, varied(training, request.variants[0]))
        for training, execution in trainings
    ]
    for name in request.peers:
        found += PEERS[name](sitting, request.modes[0])
    return found


def varied(training: Training, names: Iterable[str]) -> str:
    """The values of the settings that vary, for a contestant's name."""
    return "".join(f", {name.replace('_', ' ')} {getattr(training, name)}" for name in names)


def _line(one: Contestant, epoch: Epoch, number: int, rounds: Rounds) -> str:
    warming = " (warming up)" if number <= rounds.warm_up else ""
    return (
        f"round {number} of {rounds.total}{warming}: {one.name}, batch size {one.batch_size}: "
        f"{epoch.seconds:.2f} s"
    )


def _timed(one: Contestant, epochs: Sequence[Epoch], rounds: Rounds) -> Timed:
    warm = epochs[rounds.warm_up :]
    return Timed(
        name=one.name,
        batch_size=one.batch_size,
        images=one.images,
        seconds=tuple(epoch.seconds for epoch in warm),
        first=epochs[0].opening if one.opens else None,
        evaluation=tuple(epoch.evaluation for epoch in warm if epoch.evaluation is not None),
        openings=tuple(epoch.opening for epoch in warm if epoch.opening is not None),
        peak_bytes=one.peak_bytes(),
    )


# ---- what is shown ----

_HEADINGS = (
    "what", "batch size", "warm epoch, s (range)", "images/s", "first of a run", "first of all",
    "evaluation, s", "peak memory of its session, GB",
)  # fmt: skip


def rows(timed: Sequence[Timed]) -> list[list[str]]:
    """The table, headings first."""
    return [list(_HEADINGS), *(_row(one) for one in timed)]


def _row(one: Timed) -> list[str]:
    return [
        one.name,
        str(one.batch_size),
        spread(one.seconds),
        f"{one.images_per_second:.0f}",
        _times(one.opening_ratio),
        _times(one.first_ratio),
        spread(one.evaluation) if one.evaluation else "-",
        "-" if one.peak_bytes is None else f"{one.peak_bytes / 2**30:.1f}",
    ]


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x {ratio:.2f}"


def ratio_rows(timed: Sequence[Timed]) -> list[list[str]]:
    """Ratios of each contestant to others, medians over the rounds; headings first.

    The others: PyTorch in double precision, the same contestant at the first batch size, and the first
    contestant at the same batch size.
    """
    first = timed[0]
    headings = [
        "what",
        "batch size",
        f"to {MEASURE}",
        f"to batch size {first.batch_size}",
        f"to {first.name}",
    ]
    known = {(one.name, one.batch_size): one for one in timed}
    measure = next((one for one in timed if one.name == MEASURE), None)
    found = []
    for one in timed:
        others = (measure, known.get((one.name, first.batch_size)), known.get((first.name, one.batch_size)))
        ratios = ["-" if other is None else f"{one.ratio(other):.2f}" for other in others]
        found.append([one.name, str(one.batch_size), *ratios])
    return [headings, *found]


def as_text(timed: Sequence[Timed]) -> str:
    """For a terminal."""
    return f"{align(rows(timed))}\n\n{RATIOS}:\n\n{align(ratio_rows(timed))}"


def as_markdown(timed: Sequence[Timed], command: str) -> str:
    """For docs/performance.md."""
    return (
        f"Measured by `{command}` on {platform.platform()}:\n\n{markdown(rows(timed))}\n\n"
        f"{RATIOS}:\n\n{markdown(ratio_rows(timed))}\n"
    )


def as_json(timed: Sequence[Timed]) -> str:
    """All numbers."""
    return json.dumps([dataclasses.asdict(one) for one in timed], indent=2)
