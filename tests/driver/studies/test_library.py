"""Studies by name: those that come with the program."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from largebatch.errors import UserError
from largebatch.runs import preflight
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.settings.tuning import Tuning
from largebatch.studies.library import SHIPPED, load, shipped
from largebatch.studies.tune.plan import Plan
from largebatch.tuning.select import Curve
from tests.support.samples import dataset

RECORD = Path(__file__).parents[2] / "recorded" / "shipped_studies.json"


def test_there_are_the_studies_that_are_promised() -> None:
    assert shipped() == sorted(json.loads(RECORD.read_text()))


def trials(of: Study, tuning: Tuning) -> list[Training]:
    """The trials of a study that tunes, on MNIST's rows."""
    plan = Plan(of, tuning, lambda run: 60000 - run.validation_rows, tuning.settings.trials)
    cells = plan.cells(lambda run: Curve())
    return list(dict.fromkeys(trial for cell in cells for trial in cell.trials))


@pytest.mark.parametrize("name", shipped())
def test_runs_of_shipped_studies_keep_their_names_or_no_old_study_goes_on(name: str) -> None:
    found = load(name)
    runs = found.runs if found.tuning is None else trials(found, found.tuning)
    assert [run_name(run) for run in runs] == json.loads(RECORD.read_text())[name]


@pytest.mark.parametrize("name", shipped())
def test_shipped_studies_fit_mnist_and_are_called_as_their_files(name: str) -> None:
    found = load(name)
    assert found.name == name
    assert found.title and found.description
    mnist = dataset(rows=60000, side=28)
    for run in found.runs:
        preflight.check(run, Execution(**found.execution), mnist)


def test_the_papers_grid_is_the_papers() -> None:
    paper = load("paper")
    small = {64, 128, 256, 512, 1024, 2048, 4096}
    large = {8000, 12000, 16000, 20000, 24000, 28000, 32000}
    assert {(r.batch_size, r.seed) for r in paper.runs} == {
        *((size, 1) for size in small), *((size, seed) for size in large for seed in (1, 2, 3)),
    }  # fmt: skip
    assert {(r.optimizer, r.learning_rate) for r in paper.runs} == {("sgd_momentum", 0.01), ("lars", 1.0)}
    assert len(paper.runs) == 2 * (7 + 21)
    literal = load("paper-literal")
    assert {r for r in literal.runs if r.optimizer != "lars"} == {
        r for r in paper.runs if r.optimizer != "lars"
    }
    assert {r.learning_rate for r in literal.runs} == {0.01}
    assert len(literal.runs) == len(paper.runs)


def test_start_values_are_varied_over_the_papers_grid() -> None:
    found, paper = load("paper-start-values"), load("paper")
    some = [run for run in paper.runs if run.batch_size in (8000, 28000, 32000) and run.seed == 1]
    for initialization, epochs, theirs in (("uniform_fan_in", 24, paper.runs), ("he_normal", 15, some)):
        mine = [run for run in found.runs if run.initialization == initialization]
        assert {(r.batch_size, r.seed, r.optimizer, r.learning_rate) for r in mine} == {
            (r.batch_size, r.seed, r.optimizer, r.learning_rate) for r in theirs
        }
        assert {run.epochs for run in mine} == {epochs}


def test_studies_that_tune_are_those_of_tune_alone() -> None:
    assert shipped(tuning=True) == ["fair", "fair-fashion", "resnet"]
    assert sorted([*shipped(tuning=True), *shipped(tuning=False)]) == shipped()
    assert all(load(name).tuning is not None for name in shipped(tuning=True))


def test_quick_is_quick() -> None:
    quick = load("quick")
    assert sum(run.epochs for run in quick.runs) <= 8
    assert {run.optimizer for run in quick.runs} == {"sgd_momentum", "lars"}


def test_a_study_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"there is no file .*papers\.toml: look at its name"):
        load("papers.toml")
    with pytest.raises(UserError, match=r"there is no study 'papers'; there are .*paper, .*\.toml"):
        load("papers")


def test_a_byte_order_mark_in_front_of_a_study_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "quick.toml"
    file.write_text((SHIPPED / "quick.toml").read_text(), encoding="utf-8-sig")
    assert load(str(file)) == load("quick")


def test_a_study_in_another_encoding_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "quick.toml"
    file.write_text((SHIPPED / "quick.toml").read_text(), encoding="utf-16")
    with pytest.raises(UserError, match="can't be read: it is text in UTF-16: save it in UTF-8"):
        load(str(file))


def test_shipped_files_are_plain_toml() -> None:
    for file in SHIPPED.glob("*.toml"):
        assert tomllib.loads(file.read_text())["name"] == file.stem


def test_rudras_grid_is_rudras() -> None:
    found = load("rudra")
    by_protocol: dict[str, set[tuple[int, int]]] = {}
    for run in found.runs:
        kind = "half" if run.belongs("softsync_n") and run.softsync_n > 1 else run.protocol
        by_protocol.setdefault(kind, set()).add((run.workers, run.batch_size // run.workers))
    every = {(workers, mu) for workers in (1, 2, 4, 8, 16) for mu in (4, 16, 64, 128)}
    several = {(workers, mu) for workers, mu in every if workers > 1}
    assert by_protocol == {
        "hardsync": every,
        "softsync": several,
        "half": {(workers, mu) for workers, mu in several if workers > 2},
        "async": several,
    }
    assert {run.softsync_n * 2 for run in found.runs if run.softsync_n > 1} == {4, 8, 16}
    modulated = [run for run in found.runs if run.staleness_modulation == "average"]
    assert len(modulated) == (len(found.runs) - len(every) + 8) // 2, "all but hardsync, and 8 repetitions"
