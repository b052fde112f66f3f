"""The tables [tune] and [space.OPTIMIZER] of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.errors import UserError
from largebatch.settings.study import Study
from largebatch.settings.tuning import Dimension, TuneSettings
from largebatch.studies.parser import parse

ROOT = Path(__file__).parents[3]
HEAD = 'name = "s"\n[fixed]\ndataset = "digits"\nnetwork = "softmax"\n'
GRID = '[[grid]]\noptimizer = ["sgd_momentum", "lars"]\nbatch_size = [64, 128]\n'
TUNE = "[tune]\ntrials = 4\nvalidation_rows = 100\n"


def study(text: str) -> Study:
    return parse(text, "s.toml")


def test_a_study_that_tunes_has_a_run_for_each_cell_and_a_space_for_each_optimizer() -> None:
    found = study(f"{HEAD}{GRID}{TUNE}[space.lars]\nlearning_rate = {{ low = 0.1, high = 10.0 }}\n")
    assert len(found.runs) == 4 and found.tuning is not None
    assert found.tuning.settings == TuneSettings(trials=4, validation_rows=100)
    assert found.tuning.spaces["lars"] == (Dimension("learning_rate", 0.1, 10.0),)
    assert [d.setting for d in found.tuning.spaces["sgd_momentum"]] == ["learning_rate", "momentum"]
    assert study(HEAD + GRID).tuning is None


def test_what_the_study_fixes_is_taken_out_of_the_default_space() -> None:
    found = study(f"{HEAD}momentum = 0.9\n{GRID}{TUNE}")
    assert found.tuning is not None
    assert [d.setting for d in found.tuning.spaces["lars"]] == ["learning_rate"]


def test_a_time_may_stand_in_place_of_the_number_of_trials() -> None:
    found = study(f'{HEAD}{GRID}[tune]\nbudget = "1h30m"\npromote_after = [0.2, 0.5]\n')
    assert found.tuning is not None
    settings = found.tuning.settings
    assert (settings.seconds, settings.trials) == (5400.0, None)
    assert settings.rungs(10) == (2, 5, 10)
    assert settings.rungs(1) == (1,), "there is no earlier epoch to compare trials after"
    assert settings.rungs(2) == (1, 2)


def test_a_target_of_the_table_is_the_setting_that_every_session_has() -> None:
    assert study(f"{HEAD}{GRID}{TUNE}target = [0.8, 0.9]\n").execution == {"target_accuracy": [0.8, 0.9]}
    assert study(HEAD + GRID + TUNE).execution == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"{HEAD}{GRID}epochs = [2, 20]\n{TUNE}",
            r"line 8: epochs is 2 and 20; a study that tunes compares at one: give it once, in \[fixed\]",
        ),
        (
            'name = "s"\n[fixed]\ndataset = "digits"\n[[grid]]\noptimizer = "sgd"\nbatch_size = 64\n'
            'network = "mlp"\n[[grid]]\noptimizer = "lars"\nbatch_size = 64\nnetwork = "softmax"\n' + TUNE,
            "line 7: network is mlp and softmax; a study that tunes compares at one",
        ),
        (
            f'{HEAD}[[grid]]\noptimizer = "lars"\nbatch_size = 64\nlearning_rate = 0.5\n[[grid]]\n'
            f'optimizer = "lars"\nbatch_size = 128\n{TUNE}',
            "line 8: learning_rate is given to some runs of lars only: give it to all of them, or to none",
        ),
        (
            f"{HEAD}{GRID}{TUNE}[space.lars]\npower = {{ low = 1.0, high = 3.0 }}\n",
            "line 12: power belongs to schedule polynomial, not to inverse_time: leave it out",
        ),
        (
            f"{HEAD}{GRID}{TUNE}promote_share = 0.5\n",
            "line 11: promote_share counts with promote_after only: give that, or leave both out",
        ),
        (f"{HEAD}{GRID}[tune]\n", r"line 8: \[tune\] needs either trials or budget"),
        (f'{HEAD}{GRID}[tune]\ntrials = 4\nbudget = "2h"\n', "needs either trials or budget"),
        (f"{HEAD}{GRID}[tune]\ntrials = 1\n", "line 9: trials 1 must be from 2 to 512"),
        (f'{HEAD}{GRID}[tune]\nbudget = "soon"\n', "line 9: budget 'soon' must be a time such as 2h"),
        (f"{HEAD}{GRID}{TUNE}trails = 3\n", "line 11: unknown setting trails; there are "),
        (f"{HEAD}{GRID}{TUNE}promote_after = [0.5, 0.2]\n", "line 11: promote_after must be fractions"),
        (
            f"{HEAD}epochs = 5\n{GRID}{TUNE}promote_after = [0.2, 0.25]\n",
            "line 12: promote_after of 5 epochs is after epoch 1, 1: these must differ, and ",
        ),
        (
            f"{HEAD}epochs = 2\n{GRID}{TUNE}promote_after = [0.9]\n",
            "line 12: promote_after of 2 epochs is after epoch 2: these must differ, and come before ",
        ),
        (
            f"{HEAD}epochs = 2\n{GRID}{TUNE}[space.lars]\nwarmup_epochs = {{ low = 0, high = 3 }}\n",
            "line 13: warmup_epochs may be 3.0, but .*warmup_epochs 3 is more than epochs 2: give it othe",
        ),
        (f"{HEAD}{GRID}{TUNE}target = 0.9\n", "line 11: target = 0.9 must be a list of numbers"),
        (f"{HEAD}{GRID}{TUNE}target = [97]\n", "line 11: target 97 must be above 0 and at most 1"),
        (
            f"{HEAD}{GRID}{TUNE}target = [0.9]\n[execution]\ntarget_accuracy = [0.9]\n",
            "line 11: target and target_accuracy of .execution. is the same setting: leave out one of them",
        ),
        (f"{HEAD}validation_rows = 9\n{GRID}{TUNE}", "line 5: validation_rows is said by"),
        (f"{HEAD}{GRID}seed = [1, 2]\n{TUNE}", "has batch size 64 twice; a study"),
        (f"{HEAD}{GRID}{TUNE}[space.adam]\nbeta1 = 0.9\n", "line 11: no run has the optimizer adam"),
        (f"{HEAD}{GRID}{TUNE}[space.lars]\nbeta1 = 0.9\n", "line 12: beta1 belongs to the optimizers adam"),
        (f"{HEAD}{GRID}{TUNE}[space.lars]\nmomentum = 0.9\n", "there is nothing to choose for lars: give "),
        (
            f"{HEAD}momentum = 0.9\n{GRID}{TUNE}[space.lars]\n"
            "one_minus_momentum = { low = 0.1, high = 0.2 }",
            "line 13: one_minus_momentum is in .* too",
        ),
        (f"{HEAD}{GRID}[space.lars]\nmomentum = 0.9\n", r"a space needs a table \[tune\]"),
        (f'fallback = "digits"\n{HEAD}{GRID}{TUNE}', "line 1: a fallback is for studies without"),
        (f"{HEAD}{GRID}{TUNE}[space]\nlars = 3\n", r"line 12: space.lars must be a table: \[space.lars\]"),
    ],
)  # fmt: skip
def test_what_can_not_be_tuned_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        study(text)


def test_the_example_of_the_readme_can_be_tuned() -> None:
    found = parse((ROOT / "examples" / "which.toml").read_text(), "which.toml")
    assert len(found.runs) == 4 and found.tuning is not None
    assert found.tuning.settings.trials == 4
