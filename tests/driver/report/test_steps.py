"""Steps to targets and best rates, from made-up tables both ways."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from largebatch.records.reading import read_study
from largebatch.report import rates
from largebatch.report.targets import steps
from largebatch.report.targets.part import Targets
from largebatch.settings.execution import Execution
from largebatch.settings.study import run_name
from largebatch.settings.training import Training
from tests.support.made_up import NEVER, table, tried
from tests.support.study_samples import write_run, write_study


def test_a_run_that_never_reached_the_target_counts_as_endless_in_the_median() -> None:
    found = steps.medians(table({"sgd": {64: [10, 30, NEVER], 128: [10, NEVER, NEVER], 256: [10, 20, 60]}}))
    assert found["updates"].tolist() == [30, math.inf, 20]
    assert found["reached"].tolist() == [2, 1, 3]
    assert found[["updates_min", "updates_max"]].to_numpy().tolist() == [[10, 30], [10, 10], [10, 60]]


def test_a_target_that_less_than_half_of_the_runs_reach_is_not_called_unreached() -> None:
    made = table({"sgd": {64: [10, 30, NEVER], 128: [10, NEVER, NEVER], 256: [NEVER, NEVER]}})
    (part,) = Targets(made.assign(part="test"), steps.medians(made)).part()
    cells = [row[2] for row in part.tables[0].rows[1:]]
    assert cells == ["30 (2 of 3)", "not by half (1 of 3)", "never (0 of 2)"]


@pytest.mark.parametrize(
    ("epochs", "largest", "beyond", "unknown", "knee"),
    [
        (1.9, 64, (), (128, 256), None),
        (3.0, 64, (128, 256), (), 64),
    ],
)
def test_a_run_that_ended_too_early_is_no_proof_that_it_takes_more(
    epochs: float, largest: int, beyond: tuple[int, ...], unknown: tuple[int, ...], knee: int | None
) -> None:
    """The fewest examples are one epoch."""
    made = table({"sgd": {64: [100], 128: [NEVER], 256: [NEVER]}}, epochs=epochs)
    found = steps.paying(steps.medians(made))
    assert found == steps.Paying(largest, beyond, unknown)
    assert found.knee == knee
    gone = made.assign(status=["finished", "diverged", "finished"])
    assert steps.knee(steps.medians(gone)) == 64, "one that diverged will never come there"


def test_examples_are_counted_in_whole_epochs() -> None:
    """The last batch of an epoch may be small: 4 epochs of 30 updates are twice 2 of 235."""
    made = table({"adamw": {256: [470], 2048: [120]}}).assign(epoch=[2.0, 4.0])
    assert steps.paying(steps.medians(made)) == steps.Paying(2048, (), ())


@pytest.mark.parametrize(
    ("updates", "sentence"),
    [
        ({64: [100]}, "sgd to 90%: only batch size 64 was tried."),
        (
            {64: [1, NEVER, NEVER], 128: [NEVER]},
            "sgd to 90%: reached by less than half of the runs at each b",
        ),
        ({64: [100], 128: [50]}, "sgd to 90%: larger batches pay up to the largest one, 128."),
        ({64: [100], 128: [150]}, "sgd to 90%: beyond batch size 64 a run takes more than twice the fewest "),
        ({64: [6000], 128: [NEVER]}, "sgd to 90%: up to batch size 64 a run takes at most twice the fewest "),
        ({64: [NEVER], 128: [NEVER]}, "sgd never reaches 90%."),
    ],
)
def test_a_sentence_says_no_more_than_is_known(updates: dict[int, list[float]], sentence: str) -> None:
    made = table({"sgd": updates})
    (part,) = Targets(made, steps.medians(made)).part()
    assert part.sentences[0].startswith(sentence)


@pytest.mark.parametrize(
    ("updates", "knee"),
    [
        ({64: 100, 128: 50, 256: 25, 512: 12}, None),
        ({64: 100, 128: 50, 256: 49, 512: 48}, 256),
        ({64: 100, 128: 99, 256: 98, 512: 97}, 128),
        ({64: 100, 128: 150, 256: 300, 512: 300}, 64),
        ({64: 100, 128: 50, 256: NEVER, 512: NEVER}, 128),
        ({64: NEVER, 128: 50, 256: 25, 512: 25}, None),
        ({64: NEVER, 128: NEVER, 256: NEVER, 512: NEVER}, None),
        ({64: 100}, None),
    ],
    ids=["perfect", "bends", "flat", "worse", "fails", "only large", "never", "one size"],
)
def test_the_knee_is_the_largest_batch_at_twice_the_fewest_examples(
    updates: dict[int, float], knee: int | None
) -> None:
    found = steps.medians(table({"sgd": {size: [count] for size, count in updates.items()}}))
    assert steps.knee(found) == knee


def test_a_profile_counts_the_batch_sizes_within_a_factor_of_the_best() -> None:
    found = steps.profile(
        steps.medians(
            table(
                {
                    "sgd": {64: [100], 128: [80], 256: [NEVER], 512: [NEVER]},
                    "lars": {64: [200], 128: [40], 256: [30], 512: [NEVER]},
                }
            )
        )
    )
    shares = {(row.line, row.ratio): row.share for row in found.itertuples()}
    third = pytest.approx(1 / 3)
    assert shares == {
        ("sgd", 1.0): third,
        ("sgd", 2.0): pytest.approx(2 / 3),
        ("lars", 1.0): pytest.approx(2 / 3),
        ("lars", 2.0): 1,
    }


def test_a_line_that_lacks_a_batch_size_takes_none_from_the_profile_of_the_others() -> None:
    whole = {64: [100], 128: [80], 256: [50]}
    found = steps.profile(steps.medians(table({"sgd": whole, "lars": whole, "lamb": {128: [10]}})))
    assert {(row.line, row.ratio): row.share for row in found.itertuples()} == {
        ("sgd", 1.0): 1,
        ("lars", 1.0): 1,
    }
    for lines in ({"sgd": whole, "lamb": {128: [10]}}, {"sgd": {64: [9]}, "lamb": {64: [10]}}):
        assert steps.profile(steps.medians(table(lines))).empty, "nothing to compare"


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    """Of runs with recorded metrics, one of which did not finish, one with evaluations within epochs."""
    folder = tmp_path_factory.mktemp("targets")
    execution = Execution(mode="local", memory="1g", target_accuracy=(0.6, 0.98))
    trainings = [Training(optimizer="lars", batch_size=b, epochs=3) for b in (256, 8000, 32000)]
    write_study(folder, trainings, execution=execution.to_mapping())
    for training, status in zip(trainings, ("finished", "finished", None), strict=True):
        run = write_run(folder / "runs" / run_name(training), training, status, execution=execution)
        if training.batch_size == 8000:
            run.evaluations.weights(6).mkdir(parents=True)
            run.evaluations.add(run.metrics(), 6, "test", 1.0, 0.61)
    return Targets.of(read_study(folder))


def test_steps_are_those_of_ended_runs_within_epochs_and_after_them(targets: Targets) -> None:
    low, high = (targets.steps[targets.steps["target"] == target] for target in (0.6, 0.98))
    assert low["batch_size"].tolist() == [256, 8000]
    assert low["updates"].tolist() == [235, 6]
    assert low["epoch"].tolist() == [1.0, 0.75]
    assert np.isnan(high["updates"].tolist()).tolist() == [False, True]


def test_the_section_says_where_larger_batches_stop_paying(targets: Targets) -> None:
    (part,) = targets.part()
    assert part.sentences == ["LARS to 60%: larger batches pay up to the largest one, 8000."], (
        "of 98 % less is known: runs at 8000 ended too early"
    )
    assert part.tables[0].rows[:3] == [
        ["target", "batch size", "LARS"], ["60%", "256", "235 (1 of 1)"], ["60%", "8000", "6 (1 of 1)"],
    ]  # fmt: skip
    assert part.tables[0].rows[-1] == ["98%", "8000", "never (0 of 1)"]
    assert targets.knees() == {"LARS": None}


def test_a_study_without_targets_has_no_section(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, [Training()]))
    assert Targets.of(study).part() == []


# ---- rates ----


def test_the_best_rate_has_the_lowest_error_and_is_told_at_the_edge() -> None:
    found = rates.best(
        rates.errors(tried({64: {0.1: 0.3, 1.0: 0.1, 10.0: None}, 128: {0.1: 0.4, 1.0: 0.3, 3.0: 0.2}}))
    )
    assert found["learning_rate"].tolist() == [1.0, 3.0]
    assert found["edge"].tolist() == [False, True]
    assert found["optimizer"].tolist() == ["LARS", "LARS"]


def test_a_batch_size_at_which_all_diverged_has_no_best_rate() -> None:
    errors = rates.errors(tried({64: {0.1: 0.3, 1.0: 0.1}, 128: {0.1: None, 1.0: None}}))
    assert errors["diverged"].tolist() == [False, False, True, True]
    assert rates.best(errors)["batch_size"].tolist() == [64]


def test_one_rate_at_each_batch_size_is_no_choice_of_rates() -> None:
    assert rates.errors(tried({64: {0.1: 0.3}, 128: {1.0: 0.2}})).empty
    assert rates.errors(tried({64: {0.1: 0.3, 1.0: 0.4}})).empty
