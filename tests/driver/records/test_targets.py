"""When made-up runs reached accuracies, and the file of evaluations within epochs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from largebatch.errors import UserError
from largebatch.records.evaluations import Evaluations, no_evaluations, parse_evaluations
from largebatch.records.targets import Reached, curve, reached

# Ten updates and two seconds an epoch; the accuracy falls below 0.9 again, and comes back.
METRICS = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "updates": [10, 20, 30, 40],
        "seconds": [2.0, 2.0, 2.0, 2.0],
        "test_accuracy": [0.5, 0.9, 0.7, 0.95],
    }
)


def within(rows: dict[int, float], part: str = "test") -> pd.DataFrame:
    """Evaluations after some updates."""
    values = [(u, u / 10, u / 5, part, 1.0, accuracy) for u, accuracy in rows.items()]
    return pd.DataFrame(values, columns=list(no_evaluations()))


@pytest.mark.parametrize(
    ("accuracy", "rows", "expected"),
    [
        (0.97, {}, (None, None, None)),
        (0.95, {}, (40, 4.0, 8.0)),
        (0.9, {}, (20, 2.0, 4.0)),
        (0.9, {13: 0.89, 17: 0.9}, (17, 1.7, 3.4)),
        (0.95, {33: 0.96, 37: 0.8}, (33, 3.3, 6.6)),
        (0.97, {33: 0.96}, (None, None, None)),
        (0.1, {3: 0.05}, (10, 1.0, 2.0)),
    ],
    ids=["never", "at the end", "twice", "within an epoch", "by noise", "not even within", "at once"],
)
def test_a_target_is_reached_when_the_accuracy_is_first_as_high(
    accuracy: float, rows: dict[int, float], expected: tuple[int | None, float | None, float | None]
) -> None:
    found = reached(METRICS, within(rows), accuracy)
    assert (found.updates, found.epoch, found.seconds) == expected
    assert (found.accuracy, found.part) == (accuracy, "test")


def test_targets_are_about_the_validation_part_where_there_is_one() -> None:
    metrics = METRICS.assign(validation_accuracy=[0.1, 0.2, 0.3, 0.4])
    assert reached(metrics, no_evaluations(), 0.3) == Reached(0.3, "validation", 30, 3.0, 6.0)
    mixed = pd.concat([within({5: 0.9}), within({25: 0.35}, "validation")])
    assert reached(metrics, mixed, 0.3).updates == 25


def test_a_run_without_either_part_reaches_nothing() -> None:
    assert reached(METRICS.drop(columns="test_accuracy"), no_evaluations(), 0.1) == Reached(0.1, "")


def test_the_curve_has_each_update_once_in_order() -> None:
    found = curve(METRICS, within({15: 0.6, 20: 0.9, 45: 0.2}))
    assert found["updates"].tolist() == [10, 15, 20, 30, 40, 45]


# ---- evaluations.csv ----


@pytest.fixture
def evaluations(tmp_path: Path) -> Evaluations:
    for update in (5, 10, 25):
        (tmp_path / "snapshots" / str(update) / "weights").mkdir(parents=True)
    (tmp_path / "snapshots" / "notes").mkdir()
    return Evaluations(tmp_path)


def test_an_evaluated_snapshot_is_removed_and_its_row_is_kept(evaluations: Evaluations) -> None:
    assert evaluations.waiting() == [5, 10, 25]
    for update in (25, 5):
        evaluations.add(METRICS, update, "test", 0.5, update / 100)
    assert evaluations.waiting() == [10]
    table = Evaluations(evaluations.file.parent).table()
    assert table.drop(columns="part").to_numpy().tolist() == [[5, 0.5, 1, 0.5, 0.05], [25, 2.5, 5, 0.5, 0.25]]


def test_a_snapshot_evaluated_before_a_kill_keeps_its_row(evaluations: Evaluations) -> None:
    evaluations.add(METRICS, 5, "test", 0.5, 0.25)
    (evaluations.file.parent / "snapshots" / "5").mkdir()
    evaluations.add(METRICS, 5, "test", 0.5, 0.75)
    assert evaluations.table()["accuracy"].tolist() == [0.25]
    assert evaluations.waiting() == [10, 25]


def test_what_is_after_the_last_checkpoint_is_forgotten(evaluations: Evaluations) -> None:
    for update in (5, 25):
        evaluations.add(METRICS, update, "test", 0.5, 0.25)
    (evaluations.file.parent / "snapshots" / "31").mkdir()
    evaluations.rewind(20)
    assert evaluations.table()["updates"].tolist() == [5]
    assert evaluations.waiting() == [10]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "updates,epoch,seconds,part,loss,accuracy\n1,1,1,train,1,1\n",
        "updates,epoch,seconds,part,loss,accuracy\n2,1,1,test,1,1\n1,1,1,test,1,1\n",
        "updates,epoch,seconds,part,loss,accuracy\n1,1,1,test,1,1.5\n",
        "updates,epoch,seconds,part,loss,accuracy\nx,1,1,test,1,1\n",
    ],
)
def test_damaged_evaluations_are_told(evaluations: Evaluations, text: str) -> None:
    with pytest.raises(ValueError, match=r"be read|must have|out of order"):
        parse_evaluations(text.encode())
    evaluations.file.write_text(text)
    with pytest.raises(UserError, match=r"evaluations\.csv"):
        evaluations.table()
