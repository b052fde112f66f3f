"""Which trials are due, go on and win, on made-up curves; halving keeps honest books."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from largebatch.settings.tuning import Cell
from largebatch.tuning.select import Curve, Standing, edges, standing
from tests.support.tuned import cell, curve, lookup


def stands(of: Cell, **curves: Curve) -> Standing:
    """How a cell stands, from curves t1=, t2=, ... of its trials."""
    return standing(of, lookup(of, {int(name[1:]): one for name, one in curves.items()}).__getitem__)


def numbers(of: Cell, found: Standing) -> list[int]:
    return [of.trials.index(run) + 1 for run in found.due]


def test_at_first_all_trials_are_due_up_to_the_first_rung() -> None:
    four = cell(4, (2, 8))
    found = stands(four)
    assert (numbers(four, found), found.rung, found.best) == ([1, 2, 3, 4], 2, None)


def test_the_best_share_goes_on_after_a_rung_and_no_trial_waits_for_other_cells() -> None:
    four = cell(4, (2, 8), share=0.5)
    paused = {
        f"t{n}": curve("paused", 0.1, accuracy) for n, accuracy in enumerate((0.4, 0.7, 0.6, 0.5), start=1)
    }
    found = stands(four, **paused)
    assert (numbers(four, found), found.rung) == ([2, 3], 8)
    assert list(found.goals.values()) == [2, 8, 8, 2]
    waiting = stands(four, **{**paused, "t4": curve("unfinished", 0.1)})
    assert (numbers(four, waiting), waiting.rung) == ([4], 2)


def test_a_promoted_trial_counts_at_its_rung_by_what_it_was_there() -> None:
    """Trial 1 has fallen since, trial 3 was behind at the rung: what was decided there stays."""
    three = cell(3, (2, 4), share=0.5)
    found = stands(
        three,
        t1=curve("finished", 0.1, 0.9, 0.5, 0.2),
        t2=curve("unfinished", 0.1, 0.8, 0.9),
        t3=curve("paused", 0.1, 0.7),
    )
    assert (numbers(three, found), list(found.goals.values())) == ([2], [4, 4, 2])


def test_the_best_is_chosen_by_the_last_epoch_when_all_have_ended() -> None:
    two = cell(2, (2,))
    assert stands(two, t1=curve("finished", 0.9, 0.5), t2=curve("unfinished", 0.2, 0.6)).best is None
    found = stands(two, t1=curve("finished", 0.9, 0.5), t2=curve("finished", 0.2, 0.6))
    assert found.decided and found.best == two.trials[1]


def test_equal_accuracies_are_decided_by_the_loss_then_by_the_number() -> None:
    two = cell(2, (1,))
    same = curve("finished", 0.5)
    assert stands(two, t1=same, t2=same).best == two.trials[0]
    better = dataclasses.replace(same, losses=(0.1,))
    assert stands(two, t1=same, t2=better).best == two.trials[1]


def test_equal_trials_are_decided_by_their_number_after_later_rungs_too() -> None:
    """Trial 2 was ahead at the first rung; at the second both are equal."""
    two = cell(2, (1, 2), share=0.9)
    found = stands(two, t1=curve("finished", 0.4, 0.5), t2=curve("finished", 0.6, 0.5))
    assert found.best == two.trials[0]


def test_a_cell_that_only_times_its_first_trial_is_not_complete() -> None:
    one = cell(1, (2,), seeds=0)
    found = stands(one, t1=curve("finished", 0.5, 0.6))
    assert not one.complete and found.best is None and not found.due


@pytest.mark.parametrize(
    ("share", "count", "going_on"), [(0.28, 25, 7), (0.14, 50, 7), (0.25, 8, 2), (0.25, 9, 3), (0.01, 2, 1)]
)
def test_the_share_that_goes_on_is_rounded_up_from_its_decimal_value(
    share: float, count: int, going_on: int
) -> None:
    """In doubles, 0.28 * 25 is a little more than 7."""
    assert cell(2, (1, 2), share).going_on(count) == going_on


def test_a_diverged_trial_needs_no_more_training_and_never_wins() -> None:
    two = cell(2, (1, 4), share=0.9)
    found = stands(two, t1=curve("diverged", 0.99), t2=curve("paused", 0.1))
    assert (numbers(two, found), found.goals[two.trials[0]]) == ([2], 1)
    found = stands(two, t1=curve("diverged", 0.3, 0.99), t2=curve("finished", 0.1, 0.1, 0.1, 0.1))
    assert found.decided and found.best == two.trials[1]
    assert list(found.goals.values()) == [4, 4], "it was of use at the first rung, and was promoted"


def test_if_all_that_go_on_diverge_the_next_best_take_their_places() -> None:
    six = cell(6, (1, 3), share=0.3)
    curves = {f"t{n}": curve("paused", n / 10) for n in range(1, 7)}
    curves |= {"t6": curve("diverged", 0.6, 0.1), "t5": curve("paused", 0.5)}
    found = stands(six, **curves)
    assert (numbers(six, found), list(found.goals.values())) == ([5], [1, 1, 1, 1, 3, 3])
    curves["t5"] = curve("diverged", 0.5, 0.1)
    found = stands(six, **curves)
    assert (numbers(six, found), list(found.goals.values())) == ([4, 3], [1, 1, 3, 3, 3, 3])
    curves |= {"t4": curve("finished", 0.4, 0.4, 0.4), "t3": curve("diverged", 0.3, 0.3)}
    found = stands(six, **curves)
    assert found.decided and found.best == six.trials[3]
    curves |= {f"t{n}": curve("diverged", n / 10, 0.1) for n in range(1, 5)}
    found = stands(six, **curves)
    assert found.decided and found.best is None


def test_a_cell_all_of_whose_trials_diverge_is_decided_without_a_best() -> None:
    two = cell(2, (1, 4))
    found = stands(two, t1=curve("diverged", 0.9), t2=curve("diverged", 0.1))
    assert found.decided and found.best is None


@pytest.mark.parametrize("status", ["failed", "unfinished", "not begun"])
def test_a_trial_that_stopped_before_its_rung_holds_its_cell_up(status: str) -> None:
    two = cell(2, (2,))
    found = stands(two, t1=curve(status, 0.9), t2=curve("finished", 0.2, 0.6))
    assert numbers(two, found) == [1] and found.best is None


def test_a_run_that_was_killed_on_its_way_from_a_rung_has_reached_it() -> None:
    """Its result was removed as it went on, but its metrics are there."""
    assert curve("unfinished", 0.1, 0.2, 0.3).reached(2)
    assert not curve("unfinished", 0.1, 0.2).reached(2)


def test_the_epochs_of_halving_are_counted_honestly() -> None:
    """8 for 2 epochs, 2 of them for 3 more, and 1 for the last 5."""
    eight = cell(8, (2, 5, 10), share=0.25)
    assert eight.stages(8) == [(8, 2), (2, 3), (1, 5)]
    assert eight.epochs_of(8) == 16 + 6 + 5
    curves = {f"t{n}": curve("paused", 0.1, n / 10) for n in range(1, 9)}
    second = stands(eight, **curves)
    assert (numbers(eight, second), second.rung) == ([8, 7], 5)
    curves |= {"t7": curve("paused", *[0.9] * 5), "t8": curve("paused", *[0.8] * 5)}
    curves["t7"] = dataclasses.replace(curves["t7"], accuracies=(0.1, 0.7, 0.7, 0.7, 0.7))
    curves["t8"] = dataclasses.replace(curves["t8"], accuracies=(0.1, 0.8, 0.8, 0.8, 0.6))
    third = stands(eight, **curves)
    assert (numbers(eight, third), third.rung) == ([7], 10)
    done = stands(eight, **{**curves, "t7": curve("finished", 0.1, *[0.7] * 9)})
    assert done.best == eight.trials[6]
    assert sorted(done.goals.values()) == [2, 2, 2, 2, 2, 2, 5, 10]


def test_curves_leave_the_test_part_alone() -> None:
    metrics = pd.DataFrame(
        {
            "validation_accuracy": [0.5],
            "validation_loss": [1.5],
            "seconds": [2.0],
            "evaluation_seconds": [1.0],
        }
    )
    assert Curve.of("paused", metrics) == Curve("paused", (0.5,), (1.5,), (3.0,))
    assert Curve.of("paused", metrics.assign(test_accuracy=0.99, test_loss=0.01)) == Curve.of(
        "paused", metrics
    )


def test_a_best_value_at_an_edge_of_what_was_tried_is_told() -> None:
    many = cell(8)
    ordered = sorted(many.trials, key=lambda trial: trial.learning_rate or 0)
    assert edges(many, ordered[0]) == ["learning_rate lowest"]
    assert edges(many, ordered[-1]) == ["learning_rate highest"]
    assert [edges(many, trial) for trial in ordered[1:-1]] == [[]] * 6
    two = dataclasses.replace(many, trials=many.trials[:2])
    assert edges(two, two.trials[0]) == [], "one of two values is always at an end"


def test_whole_numbers_have_edges_too_and_switches_have_none() -> None:
    many = cell(3)
    sizes = [dataclasses.replace(many.trials[0], reference_batch=size) for size in (1, 2, 4)]
    of_sizes = dataclasses.replace(many, trials=tuple(sizes), dimensions=("reference_batch",))
    assert [edges(of_sizes, trial) for trial in sizes] == [
        ["reference_batch lowest"],
        [],
        ["reference_batch highest"],
    ]
    switch = dataclasses.replace(of_sizes, dimensions=("deterministic",))
    assert edges(switch, sizes[0]) == []


def test_a_final_run_has_the_best_settings_all_rows_and_the_test_part() -> None:
    two = cell(2, seeds=3)
    best = two.trials[1]
    assert (best.validation_rows, best.test_part) == (6, False)
    for seed, run in enumerate(two.finals(best), start=1):
        assert run == dataclasses.replace(best, validation_rows=0, test_part=True, seed=seed)
    assert len(two.finals(best)) == 3
