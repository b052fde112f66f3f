"""Reports of studies that tune: the tables, and every verdict both ways, from made-up results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from largebatch.errors import UserError
from largebatch.records.reading import read_study
from largebatch.report import figures, rates
from largebatch.report.content import ABSENT
from largebatch.report.figures import Figure
from largebatch.report.figures.budgets import budgets
from largebatch.report.statistics import paired
from largebatch.report.tuning import table
from largebatch.report.tuning.part import part
from largebatch.report.write import report
from largebatch.settings.training import Training
from largebatch.settings.tuning import UPDATES, Cell
from tests.support.tuned import base, cell, write_tuned

SGD = cell(4, (1, 2), share=0.5, of=base("sgd_momentum", 8, epochs=2))
LARS = cell(4, (1, 2), share=0.5, of=base("lars", 8, epochs=2))
Ended = dict[Training, tuple[str, Sequence[float]]]


def trials(of: Cell, best: int = 2) -> Ended:
    """Trial `best` wins, trial 1 is second, 3 stays behind, 4 has diverged."""
    first, second = of.trials[best - 1], of.trials[0]
    third = next(trial for trial in of.trials[:3] if trial not in (first, second))
    return {
        first: ("finished", [0.7, 0.9]),
        second: ("finished", [0.6, 0.8]),
        third: ("paused", [0.5]),
        of.trials[3]: ("diverged", [0.1]),
    }


def judged(of: Cell, *accuracies: float, best: int = 2) -> Ended:
    """The final runs with their test accuracies; 0 is for one that has diverged."""
    finals = of.finals(of.trials[best - 1])
    return {
        run: ("diverged", [0.1]) if value == 0 else ("finished", [0.5, value])
        for run, value in zip(finals, accuracies, strict=False)
    }


def answer(folder: Path, cells: Sequence[Cell], ended: Ended) -> list[list[str]]:
    """The rows of the first table."""
    found = part(table.cells(read_study(write_tuned(folder, cells, ended))))
    return [list(row) for row in found.tables[0].rows]


def test_an_optimizer_is_ahead_only_if_it_is_so_with_every_seed(tmp_path: Path) -> None:
    lars = {**trials(SGD), **trials(LARS), **judged(LARS, 0.95, 0.96, 0.97)}
    sure = answer(tmp_path / "sure", [SGD, LARS], {**lars, **judged(SGD, 0.94, 0.95, 0.96)})
    assert sure[0] == ["batch size", "best", "ahead of", "SGD with momentum", "LARS"]
    assert sure[1] == [
        "8", "LARS", "all others", "95.00% (94.00% to 96.00%, 3 seeds)", "96.00% (95.00% to 97.00%, 3 seeds)",
    ]  # fmt: skip
    unsure = answer(tmp_path / "unsure", [SGD, LARS], {**lars, **judged(SGD, 0.94, 0.961, 0.95)})
    assert unsure[1][1:3] == ["LARS", "none"]
    other = answer(tmp_path / "other", [SGD, LARS], {**lars, **judged(SGD, 0.98, 0.98, 0.98)})
    assert other[1][1:3] == ["SGD with momentum", "all others"]


@pytest.mark.parametrize(
    ("a", "b", "better"),
    [
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.8, 2: 0.7, 3: 0.6}, True),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {1: 0.8, 2: 0.7, 3: 0.7}, False),
        ({1: 0.9, 2: 0.8}, {1: 0.8, 2: 0.7}, False),
        ({1: 0.9, 2: 0.8, 3: 0.7}, {3: 0.6, 4: 0.1, 5: 0.1}, False),
    ],
)
def test_seeds_are_compared_in_pairs_and_two_are_too_few(
    a: dict[int, float], b: dict[int, float], better: bool
) -> None:
    assert paired(a, b).is_ahead == better
    assert not paired(b, a).is_ahead


def test_a_diverged_seed_counts_as_nothing_learned(tmp_path: Path) -> None:
    ended = {**trials(SGD), **trials(LARS), **judged(LARS, 0.95, 0, 0.97), **judged(SGD, 0.90, 0.91, 0.92)}
    rows = answer(tmp_path / "study", [SGD, LARS], ended)
    assert rows[1][1:] == [
        "LARS", "none", "91.00% (90.00% to 92.00%, 3 seeds)", "95.00% (0.00% to 97.00%, 3 seeds)",
    ]  # fmt: skip


def test_a_cell_all_of_whose_trials_diverge_says_so(tmp_path: Path) -> None:
    lost: Ended = {trial: ("diverged", [0.1]) for trial in LARS.trials}
    rows = answer(tmp_path / "study", [SGD, LARS], {**trials(SGD), **lost, **judged(SGD, 0.9, 0.9, 0.9)})
    assert rows[1][1:] == [
        "SGD with momentum",
        ABSENT,
        "90.00% (90.00% to 90.00%, 3 seeds)",
        "all trials diverged",
    ]


def test_a_study_that_goes_on_shows_what_is_open(tmp_path: Path) -> None:
    found = part(table.cells(read_study(write_tuned(tmp_path / "study", [SGD, LARS], trials(SGD)))))
    assert [list(row) for row in found.tables[0].rows][1] == ["8", ABSENT, ABSENT, "open", "open"]
    assert found.sentences[-1] == "1 of 2 cells are not decided yet: their trials have not all ended."
    assert [row[0] for row in found.tables[-1].rows] == ["optimizer", "SGD with momentum"]
    ended = {**trials(SGD), **judged(SGD, 0.9, 0.9, 0.9)}
    alone = part(table.cells(read_study(write_tuned(tmp_path / "alone", [SGD, LARS], ended))))
    assert alone.sentences[0] == (
        "The best by equal epochs: SGD with momentum at batch size 8 (no other has been tested)."
    )
    assert alone.tables[0].rows[1][2] == ABSENT


def test_none_is_ahead_of_those_that_are_not_tested_yet(tmp_path: Path) -> None:
    third = dataclasses.replace(
        SGD, trials=tuple(dataclasses.replace(trial, optimizer="nesterov") for trial in SGD.trials)
    )
    ended = {**trials(SGD), **trials(LARS), **judged(SGD, 0.9, 0.9, 0.9), **judged(LARS, 0.95, 0.95, 0.95)}
    rows = answer(tmp_path / "study", [SGD, LARS, third], ended)
    assert rows[1][1:3] == ["LARS", "SGD with momentum"]


def test_two_seeds_are_said_to_be_too_few(tmp_path: Path) -> None:
    two = [dataclasses.replace(cell, seeds=2) for cell in (SGD, LARS)]
    ended = {**trials(SGD), **trials(LARS), **judged(two[0], 0.9, 0.9), **judged(two[1], 0.95, 0.95)}
    found = part(table.cells(read_study(write_tuned(tmp_path / "two", two, ended))))
    assert found.sentences[0].endswith("LARS at batch size 8 (2 seeds, too few to be ahead).")


@pytest.mark.parametrize(
    ("inner", "told"), [(True, []), (False, ["In 1 of 1 cells a best value is at an edge"])]
)
def test_a_best_value_at_an_edge_is_told_on_the_first_page(
    tmp_path: Path, inner: bool, told: list[str]
) -> None:
    rates = sorted(SGD.trials, key=lambda trial: trial.learning_rate or 0)
    best = SGD.trials.index(rates[1] if inner else rates[0]) + 1
    of = dataclasses.replace(SGD, trials=SGD.trials[::-1]) if best == 4 else SGD
    best = 1 if best == 4 else best
    second = {trial: ("finished", [0.2, 0.3]) for trial in of.trials}
    ended: Ended = {**second, of.trials[best - 1]: ("finished", [0.7, 0.9])}
    found = part(table.cells(read_study(write_tuned(tmp_path / "study", [of], ended))))
    assert [s[:42] for s in found.sentences if "edge" in s] == [t[:42] for t in told]
    assert found.tables[-1].rows[1][-2].endswith(" (lowest)") == (not inner)


def csv(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, keep_default_na=False)


def test_a_study_that_tunes_is_drawn_by_rates_and_by_budgets(tmp_path: Path) -> None:
    cells, ended = [], {}
    for size in (8, 16):
        one = cell(4, (1, 2), share=0.5, of=base("lars", size, epochs=2))
        cells += [one, dataclasses.replace(one, budget=UPDATES)]
        ended |= trials(one) | judged(one, 0.95, 0.96, 0.97)
    study = read_study(write_tuned(tmp_path / "study", cells, ended))
    of_cells = table.cells(study)
    of_budgets = table.of_budgets(study, of_cells)
    trials_of = table.compared(of_cells)
    assert trials_of["validation_accuracy"].round(6).tolist()[:3] == [0.6, 0.7, 0.5], "all after one epoch"
    errors = rates.errors(trials_of, "validation_accuracy")
    assert errors["diverged"].sum() == 2 and errors["finished"].sum() == 6
    drawn = figures.draw_tuned(trials_of, table.finals(study, of_budgets))
    assert [figure.name for figure in drawn] == ["best-rate", "errors-lars", "equal-epochs", "equal-updates"]
    assert "Error on the validation part after epoch 1 of 2." in drawn[1].caption


def test_pictures_count_a_diverged_seed_as_the_table_does(tmp_path: Path) -> None:
    both = [SGD, dataclasses.replace(SGD, budget=UPDATES)]
    ended = {**trials(SGD), **judged(SGD, 0.9, 0, 0)}
    study = read_study(write_tuned(tmp_path / "study", both, ended))
    of_cells = table.cells(study)
    drawn = next(budgets(table.finals(study, table.of_budgets(study, of_cells))))
    assert isinstance(drawn.draw, partial)
    assert drawn.draw.keywords["part"]["median"].tolist() == [0.0]
    assert part(of_cells).tables[0].rows[1][-1] == "0.00% (0.00% to 90.00%, 3 seeds)"


def test_the_ranking_lists_all_optimizers_with_their_interval(tmp_path: Path) -> None:
    third = dataclasses.replace(
        SGD, trials=tuple(dataclasses.replace(trial, optimizer="nesterov") for trial in SGD.trials)
    )
    ended = {**trials(SGD), **trials(LARS), **judged(SGD, 0.8, 0.9, 0.7), **judged(LARS, 0.9, 0.95, 0.85)}
    found = part(table.cells(read_study(write_tuned(tmp_path / "study", [SGD, LARS, third], ended))))
    rows = next(shown.rows for shown in found.tables if shown.title == "Ranking by equal epochs")
    assert [list(row) for row in rows[1:]] == [
        ["8", "LARS", "90.00%", "85.00% to 95.00%", "3", "SGD with momentum", "none"],
        ["8", "SGD with momentum", "80.00%", "70.00% to 90.00%", "3", "none", "none"],
    ]


def test_a_verdict_before_all_seeds_have_ended_holds_so_far(tmp_path: Path) -> None:
    five = [dataclasses.replace(of, seeds=5) for of in (SGD, LARS)]
    ended = {**trials(SGD), **trials(LARS), **judged(five[1], 0.9, 0.9, 0.9)}
    behind = {**ended, **judged(five[0], 0.8, 0.8, 0.8, 0.8, 0.8)}
    found = part(table.cells(read_study(write_tuned(tmp_path / "ahead", five, behind))))
    assert found.tables[0].rows[1][2] == "all others so far"
    assert found.sentences[0].endswith("(ahead of all others with every seed so far).")
    level = {**ended, **judged(five[0], 0.8, 0.8, 0.95, 0.8, 0.8)}
    found = part(table.cells(read_study(write_tuned(tmp_path / "level", five, level))))
    assert found.sentences[0].endswith("(not ahead of any other with every seed so far).")


def test_a_trial_that_another_study_trains_further_shows_what_it_was_judged_by(tmp_path: Path) -> None:
    third = SGD.trials[2]
    ended = {**trials(SGD), third: ("diverged", [0.5, 0.99])}
    (one,) = table.cells(read_study(write_tuned(tmp_path / "study", [SGD], ended)))
    row = table.trials([one]).set_index("trial").loc[3]
    assert (row["rung"], row["validation_accuracy"], row["status"]) == (1, 0.5, "paused")
    assert table.tuned([one])["diverged"].tolist() == [1], "trial 4"


def test_equal_medians_are_named_together_and_cells_that_diverged_are_not_the_best(tmp_path: Path) -> None:
    ended = {**trials(SGD), **trials(LARS), **judged(LARS, 0.9, 0.9, 0.9), **judged(SGD, 0.8, 0.9, 1.0)}
    rows = answer(tmp_path / "equal", [SGD, LARS], ended)
    assert rows[1][1] == "SGD with momentum and LARS"
    ended |= judged(LARS, 0, 0, 0) | judged(SGD, 0, 0, 0)
    assert answer(tmp_path / "gone", [SGD, LARS], ended)[1][1] == ABSENT


@pytest.mark.usefixtures("undrawn")
def test_the_report_has_a_row_per_trial_per_cell_and_per_final_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Figure("accuracy", "batch-size", "Accuracy", "", "<svg></svg>", "<svg></svg>", b"")
    monkeypatch.setattr(figures, "draw", lambda *tables: [drawn])
    both = dataclasses.replace(SGD, budget=UPDATES)  # equal epochs are equal updates here
    ended = {**trials(SGD), **trials(LARS), **judged(LARS, 0.95, 0.96, 0.97), **judged(SGD, 0.9, 0.9, 0.91)}
    folder = write_tuned(tmp_path / "study", [SGD, LARS, both], ended)
    written = report(folder)
    found = csv(folder, "trials.csv")
    assert list(found["budget"]) == ["epochs"] * 8 + ["updates"] * 4
    assert list(found["trial"]) == [1, 2, 3, 4] * 3
    assert list(found["selected"]) == [False, True, False, False] * 3
    assert list(found["rung"]) == [2, 2, 1, 1] * 3
    assert list(found["status"])[:4] == ["finished", "finished", "paused", "diverged"]
    assert list(found["validation_accuracy"].astype(str))[:4] == ["0.8", "0.9", "0.5", ""]
    cells = csv(folder, "tuned.csv")
    assert list(cells["better_than"]) == ["", "sgd_momentum", ""]
    assert list(cells["best_trial"]) == [2, 2, 2] and list(cells["diverged"]) == [1, 1, 1]
    assert list(cells["test_accuracy_median"]) == [0.9, 0.96, 0.9]
    assert list(cells["test_accuracy_interval_low"]) == [0.9, 0.95, 0.9]
    assert list(cells["trial_epochs"]) == [6, 6, 6]
    results = csv(folder, "results.csv")
    assert list(results["budget"]) == ["epochs"] * 6 + ["updates"] * 3
    assert set(results["test_part"]) == {True} and set(results["line"]) == {
        "SGD with momentum", "LARS", "SGD with momentum, equal updates",
    }  # fmt: skip
    assert (
        "The best by equal epochs: LARS at batch size 8 (ahead of all others with every seed)."
        in written.text
    )
    assert "By equal updates\nbatch size" in written.text and "claims" not in written.text
    page = written.page.read_text()
    assert "Which line at which batch size" not in page, "who is ahead is said once"
    assert "Mean over the seeds, with the lowest and the highest; the best of a batch size" not in page
    assert "mean over the seeds" not in (folder / "report.md").read_text()
    assert 'id="claims"' not in page, "the runs are none of the paper's kind"
    assert "Which optimizer at which batch size" in page and "largebatch tune small" in page


@pytest.mark.usefixtures("undrawn")
def test_steps_to_targets_are_told_by_both_budgets(tmp_path: Path) -> None:
    longer = cell(4, (2, 4), share=0.5, of=base("sgd_momentum", 16, epochs=4))
    both = [SGD, *(dataclasses.replace(of, budget=UPDATES) for of in (SGD, longer))]
    of_longer = {**trials(longer), **judged(longer, 0.9, 0.8, 0.9)}
    ended = {
        run: (status, [a for a in values for _ in range(2)]) for run, (status, values) in of_longer.items()
    }
    ended |= {**trials(SGD), **judged(SGD, 0.9, 0.9, 0.9)}
    folder = write_tuned(tmp_path / "study", both, ended, targets=(0.85,))
    report(folder)
    steps = csv(folder, "targets.csv")
    assert list(steps["budget"]) == ["epochs"] * 3 + ["updates"] * 6
    assert list(steps["updates"].astype(str)) == ["10.0"] * 6 + ["15.0", "", "15.0"]
    text = (folder / "report.md").read_text()
    _, _, of_updates = text.partition("## Steps to a target by equal updates")
    assert "| 85% | 16 | 15 (2 of 3) |" in of_updates and "| 85% | 16 |" not in text.partition(of_updates)[0]


@pytest.mark.usefixtures("undrawn")
def test_a_study_of_which_nothing_has_ended_has_a_report_too(tmp_path: Path) -> None:
    folder = write_tuned(tmp_path / "study", [SGD, LARS], {})
    text = report(folder).text
    assert "2 of 2 cells are not decided yet" in text
    assert "8 trials, 0 of which have begun and 0 diverged; 0 of 6 final runs have ended." in text
    assert len(csv(folder, "trials.csv")) == 8 and len(csv(folder, "results.csv")) == 0


@pytest.mark.usefixtures("undrawn")
def test_what_cuts_runs_off_a_study_that_tunes_is_refused(tmp_path: Path) -> None:
    folder = write_tuned(tmp_path / "study", [SGD], {})
    with pytest.raises(UserError, match="leave out --only and --epoch"):
        report(folder, epoch=1)
    with pytest.raises(UserError, match="leave out --only and --epoch"):
        report(folder, only={"optimizer": ["lars"]})


def test_before_the_number_of_trials_is_known_nothing_is_said_of_final_runs(tmp_path: Path) -> None:
    first = dataclasses.replace(SGD, trials=SGD.trials[:1], seeds=0)
    ended: Ended = {first.trials[0]: ("finished", [0.5, 0.9])}
    found = part(table.cells(read_study(write_tuned(tmp_path / "study", [first], ended))))
    assert found.sentences == [
        "1 trial, 0 of which diverged.",
        "1 of 1 cells are not decided yet: their trials have not all ended.",
    ]
