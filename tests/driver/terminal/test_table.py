"""The table of results."""

from __future__ import annotations

from typing import Any

from largebatch.terminal.table import format_results, format_targets

FINISHED: dict[str, Any] = {
    "optimizer": "sgd_momentum",
    "batch_size": 1024,
    "epochs": 2,
    "updates": 118,
    "train_accuracy": 0.98765,
    "test_accuracy": 0.9,
    "generalization_error": 0.08765,
    "seconds": 61.7,
    "status": "finished",
}
DIVERGED = FINISHED | {
    "optimizer": "lars",
    "batch_size": 32768,
    "train_accuracy": None,
    "test_accuracy": None,
    "generalization_error": None,
    "status": "diverged",
}


COLUMNS = (
    ("optimizer   ", "sgd_momentum", "lars        "),
    ("batch size", "      1024", "     32768"),
    ("epochs", "     2", "     2"),
    ("updates", "    118", "    118"),
    ("train accuracy", "        98.77%", "             -"),
    ("test accuracy", "       90.00%", "     diverged"),
    ("generalization error", "              +8.77%", "                   -"),
    ("seconds", "     62", "     62"),
)


def test_results_stand_in_columns() -> None:
    lines = ["  ".join(cells) for cells in zip(*COLUMNS, strict=True)]
    assert format_results([FINISHED, DIVERGED]).splitlines() == lines


def test_a_test_accuracy_above_the_training_accuracy_has_a_minus() -> None:
    assert " -1.00% " in format_results([FINISHED | {"generalization_error": -0.01}])


def test_status_is_shown_even_of_a_result_with_accuracies() -> None:
    (_, line) = format_results([FINISHED | {"status": "failed"}]).splitlines()
    assert "failed" in line.split()


def test_what_a_result_lacks_is_a_dash() -> None:
    last = format_results([{"optimizer": "lars", "batch_size": 8, "status": "finished"}]).splitlines()[1]
    assert last.split() == ["lars", "8", "-", "-", "-", "-", "-", "-"]


def test_no_results_leave_the_heading() -> None:
    assert format_results([]).split()[0] == "optimizer"


def test_targets_stand_in_a_table_with_never_for_those_not_reached() -> None:
    found = [
        {"accuracy": 0.97, "part": "test", "updates": 120, "epoch": 2.0512, "seconds": 31.46},
        {"accuracy": 0.985, "part": "test", "updates": None, "epoch": None, "seconds": None},
    ]
    assert format_targets(found).splitlines() == [
        "target  part  updates  epoch  seconds",
        "97.00%  test      120   2.05     31.5",
        "98.50%  test    never      -        -",
    ]
