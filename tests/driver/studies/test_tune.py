"""`tune` over sessions that are made up: who trains what, for how long, and what follows from it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from largebatch.data.idx import write_idx
from largebatch.errors import RunError, UserError
from largebatch.records.reading import read_study
from largebatch.records.result import Status
from largebatch.report.tuning import part, table
from largebatch.studies import command as sweep
from largebatch.studies import lane
from largebatch.studies.command import SweepRequest
from largebatch.studies.estimate import SESSION_START_S
from largebatch.studies.sweep import Limits
from largebatch.studies.tune.command import CheckedTuning, dry_run, explained, tune
from tests.support.samples import write_dataset
from tests.support.stage import FakeSession, Stage, let_epochs_take, set_up

STUDY = """
name = "small"
title = "A small study"
[fixed]
dataset = "idx"
network = "softmax"
epochs = 4
[execution]
mode = "local"
memory = "512m"
[tune]
{tune}
validation_rows = 10
seeds = 2
[[grid]]
optimizer = ["sgd", "lars"]
batch_size = [8, 20]
[space.sgd]
learning_rate = {{ low = 0.01, high = 1, scale = "log" }}
[space.lars]
learning_rate = {{ low = 0.01, high = 1, scale = "log" }}
"""
HALVING = "trials = 4\npromote_after = [0.25]\npromote_share = 0.5"
COLUMNS = (
    "epoch", "updates", "examples", "learning_rate", "train_loss", "train_accuracy", "seconds",
    "evaluation_seconds", "validation_loss", "validation_accuracy",
)  # fmt: skip


def row(arguments: dict[str, Any], epoch: int) -> list[float]:
    """The nearer the rate is to 0.1 for sgd, to 0.5 for lars, the better."""
    best = {"sgd": 0.1, "lars": 0.5}[arguments["optimizer"]]
    accuracy = epoch / arguments["epochs"] * math.exp(-abs(math.log(arguments["learning_rate"] / best)))
    return [epoch, 5 * epoch, 40 * epoch, 0.1, 1 - accuracy, accuracy, 2.0, 1.0, 1 - accuracy, accuracy]


@dataclass
class Clock:
    """A clock of jobs that stands still unless it is moved: so a study's results are always the same."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


def prepared(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(lane, "Session", FakeSession)
    monkeypatch.setattr("largebatch.engine.own.OwnJvm.require_tools", lambda self: None)
    found = set_up(monkeypatch)
    found.row, found.columns = row, COLUMNS
    monkeypatch.setattr("largebatch.runs.job.time", Clock())
    return found


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> Stage:
    return prepared(monkeypatch)


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("largebatch.runs.job.time", found)
    return found


@dataclass
class Undisturbed:
    """A study that nothing happened to, what was announced of it, and what was trained."""

    folder: Path
    announced: list[str]
    stage: Stage

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
        stage, wanted = prepared(patch), request(folder)
        announced = dry_run(wanted, ignore).splitlines()
        assert not wanted.out.exists(), "a dry run writes nothing"
        assert tune(wanted, ignore) == 0
    return Undisturbed(folder, announced, stage)


def request(folder: Path, tuning: str = HALVING, out: str = "out", **limits: Any) -> SweepRequest:
    """A study over a small data set in a folder."""
    data, study = folder / "data", folder / "small.toml"
    if not data.exists():
        data.mkdir()
        write_dataset(data)
    study.write_text(STUDY.format(tune=tuning))
    return SweepRequest(str(study), folder / out, data_dir=data, limits=Limits(**limits))


def ignore(text: str) -> None:
    pass


def trained(stage: Stage) -> Counter[tuple[str, int, int]]:
    """How often each epoch was trained, by optimizer and batch size."""
    return Counter((optimizer, batch_size, epoch) for _, optimizer, batch_size, epoch in stage.trained)


def results(folder: Path) -> dict[str, bytes]:
    """What the runs of a study have recorded, but for the folder that a result names."""
    files = [*folder.rglob("metrics.csv"), *folder.rglob("result.json"), folder / "study.json"]
    return {str(file.relative_to(folder)): file.read_bytes().replace(bytes(folder), b"") for file in files}


def test_all_cells_get_the_same_trials_and_epochs_and_the_best_is_trained_with_all_seeds(
    undisturbed: Undisturbed,
) -> None:
    counted = trained(undisturbed.stage)
    for cell in (("sgd", 8), ("sgd", 20), ("lars", 8), ("lars", 20)):
        assert [counted[*cell, epoch] for epoch in (1, 2, 3, 4)] == [4 + 2, 2 + 2, 2 + 2, 2 + 2]
    assert len(undisturbed.stage.began) == 1, "one session for all"
    study = read_study(undisturbed.out)
    rates = {(run.training.optimizer, run.training.batch_size): set[float]() for run in study.runs}
    for run in study.runs:
        rates[run.training.optimizer, run.training.batch_size].add(run.training.learning_rate or 0)
    assert len({frozenset(values) for values in rates.values()}) == 1, "the same points in all cells"
    assert Counter(run.status for run in study.runs) == {Status.FINISHED: 8, Status.PAUSED: 8}
    assert {run.status for run in study.finals} == {Status.FINISHED}
    for optimizer, best in (("sgd", 0.1), ("lars", 0.5)):
        nearest = min(rates[optimizer, 8], key=lambda rate: abs(math.log(rate / best)))
        chosen = {
            (r.training.learning_rate, r.training.seed)
            for r in study.finals
            if r.training.optimizer == optimizer
        }
        assert chosen == {(nearest, 1), (nearest, 2)}


def test_short_trials_of_all_cells_come_first_and_final_runs_last(undisturbed: Undisturbed) -> None:
    epochs = [epoch for *_, epoch in undisturbed.stage.trained]
    assert epochs[:16] == [1] * 16
    assert epochs[16:] == [2, 3, 4] * 8 + [1, 2, 3, 4] * 8


def test_a_trial_is_trained_without_the_validation_rows_and_gets_no_test_part(
    stage: Stage, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if len(stage.trained) == 16 + 24:
            raise StopError

    stage.act = act
    with pytest.raises(StopError):
        tune(request(tmp_path), ignore)
    parts = {name.partition("_")[0] for name in stage.converted[:-4]}
    assert parts == {"train", "validation"}
    assert {name.partition("_")[0] for name in stage.converted[-4:]} == {"train", "test"}


def test_poisoned_test_labels_change_no_trial_and_no_choice(stage: Stage, tmp_path: Path) -> None:
    good, poisoned = tmp_path / "good", tmp_path / "poisoned"
    finals, trial_data = [], []
    for folder in (good, poisoned):
        folder.mkdir()
        wanted = request(folder, "trials = 2")
        if folder == poisoned:
            write_idx(folder / "data" / "t10k-labels-idx1-ubyte", np.full(8, 2, np.uint8))
        checked = CheckedTuning(wanted, ignore, download=True)
        (trial,) = {run.data for run in checked.study.runs}
        trial_data.append(checked.datasets[trial].fingerprint)
        assert tune(wanted, ignore) == 0
        finals.append([run.training for run in read_study(wanted.out).finals])
    assert trial_data[0] == trial_data[1], "the very same data"
    assert finals[0] == finals[1]


def test_a_study_that_is_killed_goes_on_as_if_nothing_had_happened(
    stage: Stage, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    whole = undisturbed.stage.trained
    for killed_at in (3, 17, 50):

        def act(session: FakeSession, batch_size: int, epoch: int, at: int = killed_at) -> None:
            if len(stage.trained) == at:
                raise KeyboardInterrupt

        stage.act = act
        with pytest.raises(KeyboardInterrupt):
            tune(request(tmp_path), ignore)
    stage.act = lambda session, batch_size, epoch: None
    assert tune(request(tmp_path), ignore) == 0
    assert results(tmp_path / "out") == results(undisturbed.out)
    assert [found[1:] for found in stage.trained] == [found[1:] for found in whole]
    assert tune(request(tmp_path), ignore) == 0
    assert len(stage.trained) == len(whole), "what is done is not done again"


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("damaged\n")])
def test_lost_metrics_are_restored_from_checkpoints_and_block_no_cell(
    stage: Stage, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assert tune(request(tmp_path), ignore) == 0
    before, count = results(tmp_path / "out"), len(stage.trained)
    for file in (tmp_path / "out").rglob("metrics.csv"):
        damage(file)
    assert tune(request(tmp_path), ignore) == 0
    assert results(tmp_path / "out") == before
    assert len(stage.trained) == count, "nothing is trained again"


def test_a_trial_whose_metrics_can_not_be_restored_is_told_and_its_result_stays(
    stage: Stage, tmp_path: Path
) -> None:
    assert tune(request(tmp_path), ignore) == 0
    lost = next(run for run in read_study(tmp_path / "out").runs if run.status == Status.PAUSED)
    folder = tmp_path / "out" / "runs" / lost.name
    kept = (folder / "result.json").read_bytes()
    (folder / "metrics.csv").unlink()
    shutil.rmtree(folder / "checkpoints")
    said: list[str] = []
    assert tune(request(tmp_path), said.append) == 1
    assert any("does not have the 1 epochs of result.json, and no checkpoint has them" in s for s in said)
    assert f"not finished: {lost.name}" in said
    assert (folder / "result.json").read_bytes() == kept


def test_a_trial_that_another_study_took_further_needs_no_more_here(stage: Stage, tmp_path: Path) -> None:
    shared = {"runs": tmp_path / "shared"}

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    stage.act = act
    with pytest.raises(KeyboardInterrupt):
        tune(dataclasses.replace(request(tmp_path, "trials = 4", "first"), **shared), ignore)
    stage.act = lambda session, batch_size, epoch: None
    assert tune(dataclasses.replace(request(tmp_path, HALVING, "second"), **shared), ignore) == 0


def test_a_failed_trial_holds_up_its_cell_only_and_is_tried_again(stage: Stage, tmp_path: Path) -> None:
    begun = []

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        begun.append(batch_size)
        if len(begun) == 3:
            raise RunError("the JVM died")

    stage.act = act
    said: list[str] = []
    assert tune(request(tmp_path), said.append) == 1
    study = read_study(tmp_path / "out")
    assert len([line for line in said if line.endswith("failed: the JVM died")]) == 1
    assert Counter(run.status for run in study.runs)[Status.FAILED] == 1
    assert len(study.finals) == 3 * 2, "the other cells have come to their end"
    stage.act = lambda session, batch_size, epoch: None
    assert tune(request(tmp_path), ignore) == 0
    assert len(read_study(tmp_path / "out").finals) == 4 * 2


def test_a_time_limit_ends_the_study_between_epochs(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_epochs_take(10, stage, monkeypatch)
    said: list[str] = []
    assert tune(request(tmp_path, seconds=205), said.append) == 3
    assert len(stage.trained) == 20
    assert "the same command goes on" in said[-1]
    assert tune(request(tmp_path), ignore) == 0


def test_studies_with_the_same_folder_of_runs_share_equal_trials(stage: Stage, tmp_path: Path) -> None:
    shared = {"runs": tmp_path / "shared"}
    first = dataclasses.replace(request(tmp_path, "trials = 2", "first"), **shared)
    assert tune(first, ignore) == 0
    stage.trained.clear()
    second = dataclasses.replace(request(tmp_path, "trials = 4", "second"), **shared)
    assert tune(second, ignore) == 0
    trials = [run.training for run in read_study(second.out).runs]
    assert len(trials) == 16
    counted = trained(stage)
    assert all(counted[optimizer, size, 1] <= 2 + 2 for optimizer in ("sgd", "lars") for size in (8, 20))


def test_more_trials_are_added_to_those_that_are_there(stage: Stage, tmp_path: Path) -> None:
    assert tune(request(tmp_path, "trials = 2"), ignore) == 0
    before = {run.name for run in read_study(tmp_path / "out").runs}
    assert tune(request(tmp_path, "trials = 3"), ignore) == 0
    assert before < {run.name for run in read_study(tmp_path / "out").runs}
    with pytest.raises(
        UserError, match=r"with other runs .*, or give \[tune\] and \[space.OPTIMIZER\] as it was "
    ):
        tune(request(tmp_path, "trials = 2"), ignore)


def test_a_batch_size_whose_updates_would_be_mostly_warm_up_has_no_second_budget(tmp_path: Path) -> None:
    wanted = request(tmp_path, "trials = 2\nupdates = 8")
    study = Path(wanted.study)
    study.write_text(study.read_text().replace("epochs = 4\n", "epochs = 4\nwarmup_epochs = 2\n"))
    text = explained(wanted, ignore)
    assert "equal epochs, and about 8 updates, in whole epochs (4 epochs at 20)." in text
    assert "8 has no budget of 8 updates, as with 5 in an epoch the learning rate would rise for more" in text


@pytest.mark.parametrize(("updates", "left"), [(20, {20}), (27, {20}), (28, {8, 20})])
def test_a_warm_up_that_is_tuned_counts_with_its_largest_value(
    tmp_path: Path, updates: int, left: set[int]
) -> None:
    """At batch size 8, an epoch makes 5 updates. A warm-up of 3 epochs is more than half of fewer than 6."""
    wanted = request(tmp_path, f"trials = 4\nupdates = {updates}")
    study = Path(wanted.study)
    rates = 'learning_rate = { low = 0.01, high = 1, scale = "log" }'
    study.write_text(study.read_text().replace(rates, f"{rates}\nwarmup_epochs = {{ low = 0, high = 3 }}"))
    cells = CheckedTuning(wanted, ignore, download=True).recorded.tuned.cells
    assert {cell.trials[0].batch_size for cell in cells if cell.budget == "updates"} == left


@pytest.mark.parametrize(
    "other",
    [
        HALVING.replace("promote_share = 0.5", "promote_share = 0.75"),
        HALVING.replace("[0.25]", "[0.5]"),
        "trials = 4",
    ],
    ids=["another share", "another rung", "no rung"],
)
def test_trials_are_not_chosen_otherwise_once_some_are(stage: Stage, tmp_path: Path, other: str) -> None:
    assert tune(request(tmp_path), ignore) == 0
    with pytest.raises(
        UserError, match=r"begun with another promote_after or promote_share of \[tune\]: give"
    ):
        tune(request(tmp_path, other), ignore)


def test_all_points_of_a_grid_are_tried_if_so_many_trials_are_asked_for(tmp_path: Path) -> None:
    checked = CheckedTuning(listed(request(tmp_path, "trials = 9")), ignore, download=True)
    rates, decays = (0.1, 0.5, 1.0), (0.0, 1e-4, 1e-3)
    for cell in checked.recorded.tuned.cells:
        tried = {(trial.learning_rate, trial.weight_decay) for trial in cell.trials}
        assert tried == set(itertools.product(rates, decays))
    with pytest.raises(
        UserError, match=r"^10 trials of sgd would have 9 different settings: lower trials of"
    ):
        CheckedTuning(listed(request(tmp_path, "trials = 10")), ignore, download=True)


def listed(wanted: SweepRequest, rates: str = "[0.1, 0.5, 1]") -> SweepRequest:
    """The study with spaces of listed values, 3 x 3 of them."""
    study = Path(wanted.study)
    values = f"learning_rate = {{ values = {rates} }}\nweight_decay = {{ values = [0.0, 1e-4, 1e-3] }}"
    study.write_text(re.sub("learning_rate = {.*}", values, study.read_text()))
    return wanted


def test_trials_that_would_be_equal_are_refused(stage: Stage, tmp_path: Path) -> None:
    wanted = request(tmp_path)
    study = Path(wanted.study)
    study.write_text(
        study.read_text().replace('{ low = 0.01, high = 1, scale = "log" }', "{ values = [0.1, 1] }", 1)
    )
    words = r"^4 trials of sgd would have 2 different settings: lower trials of \[tune\] to 2, or give "
    with pytest.raises(UserError, match=words):
        explained(wanted, ignore)
    study.write_text(study.read_text().replace("values = [0.1, 1]", "values = [0.1, 0.1]", 1))
    with pytest.raises(UserError, match=r"1 different setting: give \[space.sgd\] a wider range$"):
        explained(wanted, ignore)


# ---- some of the cells ----


def test_only_some_cells_are_carried_out_if_asked_and_the_others_later(
    stage: Stage, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    some = dataclasses.replace(request(tmp_path), only={"optimizer": ["lars"], "batch_size": ["20"]})
    lines = dry_run(some, ignore).splitlines()
    assert [line.split()[:2] for line in lines[1:-1]] == [["lars", "20"]] * 2
    plan = explained(some, ignore)
    assert "compares lars at batch size 20." in plan and "A trial of sgd draws" not in plan
    said: list[str] = []
    assert tune(some, said.append) == 0
    assert any(line.startswith("A small study: 1 cell, local mode, ") for line in said)
    assert {found[1:3] for found in stage.trained} == {("lars", 20)}
    assert len(stage.trained) == 18
    study = read_study(some.out)
    assert (len(study.tuning), len(study.finals)) == (4, 2), "the folder has the whole study"
    assert dry_run(some, ignore).splitlines()[-1].startswith("0 epochs to do")
    assert tune(request(tmp_path), ignore) == 0
    assert results(tmp_path / "out") == results(undisturbed.out)


@pytest.mark.parametrize(
    ("tuning", "only", "words"),
    [
        (
            HALVING,
            {"optimizer": ["adam"]},
            "--only optimizer=adam: no run of small has it; there are sgd",
        ),
        (HALVING, {"learning_rate": ["0.1"]}, "--only learning_rate: small chooses it; name cells, by opt"),
        (
            'budget = "1h"',
            {"optimizer": ["lars"]},
            "--only can't be used yet: with a budget of time, a trial",
        ),
    ],
)
def test_cells_that_can_not_be_told_apart_are_refused(
    tmp_path: Path, tuning: str, only: dict[str, list[str]], words: str
) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        dry_run(dataclasses.replace(request(tmp_path, tuning), only=only), ignore)


# ---- budgets ----


def test_equal_updates_are_a_second_budget_whose_runs_are_shared_where_it_equals_the_first(
    stage: Stage, tmp_path: Path
) -> None:
    """40 rows: batch size 20 makes 2 updates in an epoch, 8 in four epochs; batch size 8 makes 5."""
    request_of = request(tmp_path, "trials = 2\nupdates = 8")
    assert tune(request_of, ignore) == 0
    study = read_study(tmp_path / "out")
    cells = [
        (c.budget, c.trials[0].optimizer, c.trials[0].batch_size, c.trials[0].epochs) for c in study.tuning
    ]
    assert sorted(cells) == sorted(
        (budget, optimizer, size, epochs)
        for optimizer in ("sgd", "lars")
        for budget, size, epochs in (
            ("epochs", 8, 4),
            ("epochs", 20, 4),
            ("updates", 8, 2),
            ("updates", 20, 4),
        )
    )
    assert trained(stage)["sgd", 20, 1] == 2 + 2, "both budgets are the same runs"


def test_a_batch_size_that_makes_too_many_updates_in_an_epoch_has_no_second_budget(tmp_path: Path) -> None:
    checked = CheckedTuning(request(tmp_path, "trials = 2\nupdates = 2"), ignore, download=True)
    assert checked.recorded.plan.left_out == [
        "Batch size 8 has no budget of 2 updates, as it makes 5 in an epoch."
    ]
    assert [c.trials[0].batch_size for c in checked.recorded.tuned.cells if c.budget == "updates"] == [20, 20]


def test_a_budget_of_time_gives_as_many_trials_as_fit_and_the_number_stays(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An epoch of 30 rows takes 3 s. Final runs of a cell take 2 * 4 * 4 s, a trial takes 4 * 3 s."""
    finals, trial = 4 * 2 * 4 * (40 / 30 * 3), 4 * 4 * 3
    budget = f'budget = "{int(SESSION_START_S + finals + 3 * trial + trial - 1)}s"'
    assert f"Further trials follow, up to {budget[10:-1]} in all." in explained(
        request(tmp_path, budget), ignore
    )
    capsys.readouterr()
    assert tune(request(tmp_path, budget), ignore) == 0
    told = re.findall(r"(\d+)/(\d+) epochs of all", capsys.readouterr().err)
    assert told and told[-1][0] == told[-1][1] == str(len(stage.trained))
    assert "So many fitted into the budget when" in explained(request(tmp_path, budget), ignore)
    study = read_study(tmp_path / "out")
    assert [len(cell.trials) for cell in study.tuning] == [3] * 4
    stage.trained.clear()
    for file in (tmp_path / "out" / "runs").glob("*/metrics.csv"):
        file.write_text(file.read_text().replace(",2.0,", ",0.5,"))  # as if it had been faster
    assert tune(request(tmp_path, budget), ignore) == 0
    assert not stage.trained


def test_a_budget_of_time_makes_no_more_trials_than_there_are_points(stage: Stage, tmp_path: Path) -> None:
    wanted = request(tmp_path, 'budget = "9h"')
    study = Path(wanted.study)
    study.write_text(
        study.read_text().replace('{ low = 0.01, high = 1, scale = "log" }', "{ values = [0.1, 0.5, 1] }", 1)
    )
    assert tune(wanted, ignore) == 0
    assert [len(cell.trials) for cell in read_study(wanted.out).tuning] == [3] * 4, "of LARS as of SGD"
    assert tune(wanted, ignore) == 0


def test_a_budget_of_time_for_a_single_point_is_refused_before_anything_runs(
    stage: Stage, tmp_path: Path
) -> None:
    wanted = request(tmp_path, 'budget = "9h"')
    study = Path(wanted.study)
    study.write_text(
        study.read_text().replace('{ low = 0.01, high = 1, scale = "log" }', "{ values = [0.1, 0.1] }", 1)
    )
    with pytest.raises(UserError, match=r"^2 trials of sgd would have 1 different setting: give \[space.sgd"):
        tune(wanted, ignore)
    assert not wanted.out.exists()


def test_the_first_trials_of_a_budget_of_time_decide_nothing(stage: Stage, tmp_path: Path) -> None:
    """It ends after a cell's first trial."""

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        if len(stage.trained) == 6:
            raise KeyboardInterrupt

    stage.act = act
    with pytest.raises(KeyboardInterrupt):
        tune(request(tmp_path, 'budget = "1h"'), ignore)
    cells = table.cells(read_study(tmp_path / "out"))
    assert not table.tuned(cells)["decided"].any()
    assert [one.stands.best for one in cells] == [None] * 4
    said = part.part(cells).sentences
    assert "4 of 4 cells are not decided yet: their trials have not all ended." in said


def test_a_budget_of_time_counts_what_jobs_take_beside_their_epochs(
    stage: Stage, tmp_path: Path, clock: Clock
) -> None:
    """An epoch takes 5 s, of which its row has 3; so each job of the 4 epochs has 8 s of its own."""
    stage.act = lambda session, batch_size, epoch: clock.move(5)
    finals, trial = 4 * 2 * (4 * (40 / 30 * 3) + 8), 4 * (4 * 3 + 8)
    budget = f'budget = "{int(SESSION_START_S + finals + 3 * trial + trial - 1)}s"'
    assert tune(request(tmp_path, budget), ignore) == 0
    assert [len(cell.trials) for cell in read_study(tmp_path / "out").tuning] == [3] * 4


def test_a_budget_of_time_counts_evaluations_within_epochs_by_epochs(
    stage: Stage, tmp_path: Path, clock: Clock
) -> None:
    """After the first of 4 epochs, a trial has taken 2 s beside its row: so has each epoch."""
    stage.act = lambda session, batch_size, epoch: clock.move(5)
    finals = 4 * 2 * 4 * (40 / 30 * (3 + 2))
    trials = 4 * (4 * 1 + 2 * 3) * (3 + 2)
    tuning = HALVING.replace("trials = 4", f'budget = "{int(SESSION_START_S + finals + trials + 1)}s"')
    wanted = request(tmp_path, tuning)
    study = Path(wanted.study)
    study.write_text(study.read_text().replace("epochs = 4\n", "epochs = 4\nevaluate_every = 5\n"))
    assert tune(wanted, ignore) == 0
    assert [len(cell.trials) for cell in read_study(tmp_path / "out").tuning] == [4] * 4


def test_a_budget_of_time_that_is_changed_later_is_told_to_have_no_effect(
    stage: Stage, tmp_path: Path
) -> None:
    said: list[str] = []
    assert tune(request(tmp_path, 'budget = "1s"'), said.append) == 0
    assert not any("fitted into the budget" in line for line in said)
    assert tune(request(tmp_path, 'budget = "2h"'), said.append) == 0
    assert any(
        line.startswith("Each cell has 2 trials. So many fitted into the budget when") for line in said
    )


def test_a_budget_of_time_that_is_too_short_gives_two_trials(stage: Stage, tmp_path: Path) -> None:
    assert tune(request(tmp_path, 'budget = "1s"'), ignore) == 0
    assert [len(cell.trials) for cell in read_study(tmp_path / "out").tuning] == [2] * 4


# ---- before anything runs ----


def test_a_dry_run_counts_the_epochs_that_are_left(undisturbed: Undisturbed) -> None:
    lines = undisturbed.announced
    assert lines[1].split() == ["sgd", "8", "epochs", "4", "trials", "4", "10", "10s"]
    assert lines[2].split() == ["sgd", "8", "epochs", "2", "seeds", "4", "8", "8s"]
    assert lines[-1].startswith(f"{4 * 18} epochs to do, about ")
    assert len(undisturbed.stage.trained) == 4 * 18, "as many as were announced"
    after = dry_run(request(undisturbed.folder), ignore).splitlines()
    assert after[-1].startswith("0 epochs to do")


def test_the_plan_is_explained_in_words(tmp_path: Path) -> None:
    text = explained(request(tmp_path), ignore)
    for sentence in (
        "The study compares sgd, lars at batch sizes 8, 20.",
        "The network is softmax, the data set",
        "That makes 4 cells. Each gets 4 trials",
        "A trial of lars draws learning_rate from 0.01 to 1 on a log scale.",
        "A trial trains without 10 of the training rows, is judged by these, and never sees the test part.",
        "of sgd 8, 4 trials for 1 epoch, then 2 trials for 3 epochs.",
        "The winner is trained anew with 2 seeds on all training rows.",
        "only if it is better with every seed, 3 at least. With 2 seeds no difference can be told.",
        "There are 72 epochs to do",
    ):
        assert sentence in text


def test_the_plan_tells_of_targets_of_seeds_and_of_stages_that_fall_together(tmp_path: Path) -> None:
    tuning = "trials = 4\nupdates = 8\npromote_after = [0.25, 0.5]\ntarget = [0.9, 0.955]"
    wanted = request(tmp_path, tuning)
    study = Path(wanted.study)
    study.write_text(study.read_text().replace("seeds = 2", "seeds = 3"))
    text = explained(wanted, ignore)
    for sentence in (
        "The report tells when the final runs first reached 90 % and 95.5 %. The choice does not depend ",
        "An optimizer is ahead of another one only if it is better with every seed, 3 at least.",
        "In 2 epochs there are 2 stages only: fractions of promote_after fall together.",
    ):
        assert sentence in text
    assert "no difference can be told" not in text


def test_the_plan_says_which_rates_are_not_tuned(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    assert "not tuned" not in explained(wanted, ignore)
    study = Path(wanted.study)
    study.write_text(
        re.sub("learning_rate = {.*}", "weight_decay = { low = 0.1, high = 0.2 }", study.read_text())
    )
    text = explained(wanted, ignore)
    assert "targets" not in text
    assert "The learning rate is given, and not tuned: 0.01 for sgd, 1 for lars." in text


def test_a_data_set_must_have_a_part_to_choose_by_and_one_to_judge_by(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    study = Path(wanted.study)
    study.write_text(study.read_text().replace("validation_rows = 10", ""))
    with pytest.raises(
        UserError, match=r"no validation part to choose by: give validation_rows in .*\[tune\]"
    ):
        dry_run(wanted, ignore)
    for file in (tmp_path / "data").glob("t10k*"):
        file.unlink()
    with pytest.raises(UserError, match="no test part"):
        dry_run(request(tmp_path), ignore)


def test_a_study_is_for_sweep_or_for_tune(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    with pytest.raises(UserError, match="chooses settings: carry it out by `largebatch tune "):
        sweep.dry_run(wanted, ignore)
    with pytest.raises(UserError, match=r"quick has no table \[tune\]: .* `largebatch sweep quick`"):
        dry_run(dataclasses.replace(wanted, study="quick"), ignore)
