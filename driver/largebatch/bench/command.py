"""`largebatch bench`: times all contestants in one sitting, and compares them in a table."""

from __future__ import annotations

import dataclasses
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
    padded,
    shortened,
)
from largebatch.data import Dataset
from largebatch.engine.own import OWN_JVM
from largebatch.errors import UserError
from largebatch.runs import preflight
from largebatch.runs.memory import Sessions
from largebatch.runs.placement import settled
from largebatch.settings.execution import MODES, Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training
from largebatch.terminal.say import Say

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
    network: str = "lenet"
    dataset: str = "mnist"
    data_dir: Path | None = None
    pad_to: int = 0  # pixels a side that smaller images get by zeros around them
    workers: Sequence[int] = (4,)
    variants: Sequence[Mapping[str, Any]] = ({},)  # settings of the trainings

    def __post_init__(self) -> None:
        named = (("network", [self.network], NETWORKS), ("modes", self.modes, MODES))
        for flag, wanted, known in (*named, ("peers", self.peers, PEERS)):
            for name in wanted:
                if name not in known:
                    raise UserError(f"--{flag} {name} is unknown; there are {', '.join(known)}")
        for peer in self.peers:
            if self.network not in PEERS[peer].networks:
                offered = ", ".join(PEERS[peer].networks)
                raise UserError(f"--peers {peer} has no network {self.network}; it has {offered}")
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
    """Titles and tables of times and bytes against workers, in Spark mode; raises as `bench` does.

    Each of the request's variants has its own two, and its own model.
    """
    dataset, trainings = _checked(dataclasses.replace(request, modes=["spark"]), say)
    for number, variant in enumerate(request.variants):
        yield from _scaling(trainings[number :: len(request.variants)], variant, dataset, request.rounds, say)


def _scaling(
    trainings: Sequence[tuple[Training, Execution]],
    variant: Mapping[str, Any],
    dataset: Dataset,
    rounds: Rounds,
    say: Say,
) -> Iterator[tuple[str, list[list[str]]]]:
    cores = scaling.cores()
    measured = []
    for training, execution in trainings:
        measured.append(scaling.measure(training, execution, dataset, rounds))
        last = measured[-1]
        say(f"{last.workers} workers, batch size {last.batch_size}: {last.seconds:.2f} s per warm epoch")
    model = scaling.fit(measured, cores)
    title = f"{last.images} images, {cores} cores{varied(training, variant)}. {model}"
    yield title, scaling.measured_rows(measured, model, cores)
    sizes = sorted({one.batch_size for one in measured})
    title = "By that model, on clusters with a core for every worker and one server"
    yield title, scaling.extrapolated_rows(model, [*sizes, *FURTHER])


def _checked(
    request: BenchRequest, say: Say, *, at_once: bool = False
) -> tuple[Dataset, list[tuple[Training, Execution]]]:
    """The data, and the trainings with their executions. `at_once`: their sessions are open together."""
    trainings = [
        (_training(request, size, workers, variant), dataclasses.replace(request.execution, mode=mode))
        for size in request.batch_sizes
        for workers in request.workers
        for mode in request.modes
        for variant in request.variants
    ]
    dataset = data.load(request.dataset, request.data_dir, say=say)
    dataset = shortened(dataset, request.rows or len(dataset.train))
    number = len(request.modes) * len(request.workers) if at_once else 1
    trainings = [(settled(one, execution, dataset, OWN_JVM), execution) for one, execution in trainings]
    sessions = Sessions(number, "name fewer of --modes and --workers")
    for training, execution in trainings:
        for remark in preflight.check(training, execution, dataset, sessions=sessions):
            say(remark)
    return dataset, trainings


def _training(request: BenchRequest, batch_size: int, workers: int, variant: Mapping[str, Any]) -> Training:
    of_all = {
        "dataset": request.dataset,
        "network": request.network,
        "pad_to": request.pad_to,
        "optimizer": "sgd_momentum",
        "batch_size": batch_size,
        "workers": workers,
        "epochs": request.rounds.total,
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
    dataset = padded(sitting.dataset, request.pad_to)
    for name in request.peers:
        found += PEERS[name].contestants(sitting, dataset, request.network, request.modes[0])
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
