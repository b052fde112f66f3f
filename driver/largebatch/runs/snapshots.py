"""Evaluations within epochs: how many snapshots a run may leave, and their accuracies."""

from __future__ import annotations

from largebatch.data.dataset import PreparedData
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.records.evaluations import EVALUATED
from largebatch.records.run_folder import RunFolder
from largebatch.runs.preflight import snapshots_per_epoch
from largebatch.runs.program import evaluate_arguments
from largebatch.settings.training import Training

MOST_WAITING = 500  # snapshots that wait for their evaluation, unless a single epoch leaves more


def stops(training: Training, rows: int, done: int, last: int) -> list[int]:
    """The epochs after which training pauses, for snapshots to be evaluated or rows to move between workers.

    The last one is among them. `done` epochs are done already, and the training set has `rows` rows.
    """
    of_epoch = snapshots_per_epoch(training, rows)
    epochs = max(1, MOST_WAITING // of_epoch) if of_epoch else last
    every = training.reshuffle_every or last
    moves = range((done // every + 1) * every, last, every)
    return sorted({*range(done + epochs, last, epochs), *moves, last})


def evaluate_snapshots(
    training: Training, mode: str, folder: RunFolder, prepared: PreparedData, session: Session
) -> None:
    """Evaluate every snapshot of a run, by a program each. Raises RunError if one fails."""
    part = next(part for part in EVALUATED if part in prepared.parts)
    metrics = folder.metrics()
    for update in folder.evaluations.waiting():
        lines: list[str] = []
        weights = folder.evaluations.weights(update).resolve()
        session.run(
            "evaluate.dml",
            evaluate_arguments(training, mode, prepared, part, weights),
            on_line=lines.append,
        )
        found = [line.split()[1:] for line in lines if line.startswith("evaluated ")]
        if len(found) != 1:
            raise RunError(f"evaluate.dml printed no accuracy; see {folder.log}")
        folder.evaluations.add(metrics, update, part, *map(float, found[0]))
