"""`largebatch tune`, from the request to the exit status."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from largebatch.data import Dataset
from largebatch.errors import UserError
from largebatch.settings.selection import Only, select
from largebatch.settings.study import Study
from largebatch.settings.training import Training
from largebatch.settings.tuning import Tuned, Tuning
from largebatch.studies import library
from largebatch.studies.command import CheckedStudy, SweepRequest, carry_out, status_of, unfinished
from largebatch.studies.estimate import ROUGH_ROWS
from largebatch.studies.sweep import Sweep
from largebatch.studies.tasks import Task, measured, task_of
from largebatch.studies.tune.explain import FITTED, explain
from largebatch.studies.tune.plan import Plan
from largebatch.studies.tune.queue import Recorded, TuneQueue
from largebatch.studies.tune.work import WorkRemaining, format_work, work
from largebatch.terminal.say import Say
from largebatch.terminal.words import counted
from largebatch.tuning.select import standing


class CheckedTuning(CheckedStudy):
    """A study that tunes, checked. Its runs are the trials that are known so far."""

    def load(self, name_or_file: str) -> Study:
        study = library.load(name_or_file, tuning=True)
        if study.tuning is None:
            raise UserError(
                f"{study.name} has no table [tune]: carry it out by `largebatch sweep {name_or_file}`"
            )
        self.tuning: Tuning = study.tuning
        return study

    def settle(self, loaded: Mapping[str, Dataset], only: Only) -> None:
        for dataset in loaded.values():
            _check_parts(self.tuning, dataset)
        known = self.tuning.settings.trials or self.folder.recorded_trials
        plan = Plan(self.study, self.tuning, _count_rows(loaded), known)
        self.recorded = Recorded(plan, self.folder.run, self._wanted(only, known))
        self.study = self.with_trials(self.recorded.tuned)

    @property
    def begun_with_budget(self) -> bool:
        """Whether a budget of time has given the number of trials before, so that it has no effect now."""
        return self.tuning.settings.trials is None and self.folder.recorded_trials is not None

    def _wanted(self, only: Only, known: int | None) -> Sequence[Training]:
        """A run of each wanted cell."""
        chosen = {one.setting for space in self.tuning.spaces.values() for one in space}
        for name in only:
            if name in chosen:
                raise UserError(
                    f"--only {name}: {self.study.name} chooses it; name cells, by optimizer and batch_size"
                )
        if only and known is None:
            raise UserError(
                "--only can't be used yet: with a budget of time, a trial of each cell tells how many fit; "
                "leave it out, or give trials in the table [tune]"
            )
        return select(self.study.runs, only, self.study.name)

    def survey(self, only: Only) -> list[Task]:
        """The trials of the wanted cells, as they stand now."""
        trials = dict.fromkeys(trial for cell in self.recorded.wanted_cells for trial in cell.trials)
        return [task_of(trial, self.folder.run(trial), self.datasets) for trial in trials]

    def with_trials(self, tuned: Tuned) -> Study:
        """The study whose runs are the trials."""
        trials = dict.fromkeys(trial for cell in tuned.cells for trial in cell.trials)
        return dataclasses.replace(self.study, runs=tuple(trials))

    @property
    def later(self) -> Sequence[Training]:
        """A final run of each cell: the others differ from it in what is sampled."""
        cells = (dataclasses.replace(cell, seeds=1) for cell in self.recorded.tuned.cells)
        return [run for cell in cells for run in cell.finals(cell.trials[0])]

    def task(self, run: Training, until: int) -> Task:
        """A run that is trained up to an epoch."""
        return dataclasses.replace(task_of(run, self.folder.run(run), self.datasets), until=until)

    def known_tasks(self) -> list[Task]:
        """The wanted runs that are known by now, each up to the epoch that it has been promoted to."""
        self.recorded.forget_all()
        tuned = self.recorded.tuned
        goals: dict[Training, int] = {}
        for cell in tuned.cells:
            goals |= standing(cell, self.recorded.curve).goals
        goals |= {run: run.epochs for run in tuned.finals}
        return [self.task(run, until) for run, until in goals.items() if self.recorded.wants(run)]

    def due_tasks(self) -> list[Task]:
        """The runs that are still due."""
        self.recorded.forget_all()
        return [self.task(run, until) for run, until in self.recorded.due()]


def dry_run(request: SweepRequest, say: Say) -> str:
    """The cells with what is left to do, and an estimate of the time; writes and downloads nothing."""
    checked = CheckedTuning(request, say, download=False)
    return format_work(work(checked.recorded), measured(checked.tasks), request.limits.jobs)


def explained(request: SweepRequest, say: Say) -> str:
    """The plan in words; writes and downloads nothing."""
    checked = CheckedTuning(request, say, download=False)
    recorded = checked.recorded
    return explain(recorded.plan, work(recorded), measured(checked.tasks), request.limits.jobs)


def tune(request: SweepRequest, say: Say) -> int:
    """Carry out what is left of a study that tunes; returns the exit status."""
    checked = CheckedTuning(request, say, download=True)
    with checked.folder.lock():
        request.host.require_tools()
        checked.folder.check(checked.study)

        def write(tuned: Tuned) -> None:
            checked.folder.write(checked.with_trials(tuned), checked.execution, tuned)

        write(checked.recorded.tuned)
        going = _start(checked, request, write, say)
        carry_out(going, request)
        known, due = len(checked.known_tasks()), checked.due_tasks()
    for line in unfinished(due):
        say(line)
    return status_of(known, len(due), going, say)


def _start(checked: CheckedTuning, request: SweepRequest, write: Callable[[Tuned], None], say: Say) -> Sweep:
    """The sweep over the runs that are due, announced in a line."""
    parts, tasks = work(checked.recorded), checked.known_tasks()
    cells = counted(len(checked.recorded.wanted_cells), "cell")
    say(f"{checked.study.title}: {cells}, {checked.execution.mode} mode, in {request.out}")
    for sentence in checked.recorded.plan.left_out:
        say(sentence)
    if checked.begun_with_budget:
        trials = counted(len(checked.recorded.tuned.cells[0].trials), "trial")
        say(f"Each cell has {trials}. {FITTED}")
    remaining = WorkRemaining(parts, measured(tasks), request.limits.jobs)

    def decided(tuned: Tuned) -> None:
        write(tuned)
        remaining.replan(work(checked.recorded))

    return Sweep(
        checked.folder,
        TuneQueue(checked.recorded, checked.task, decided),
        lambda task: title(task, checked.recorded.tuned),
        checked.datasets,
        checked.execution,
        request.limits,
        remaining,
        say,
        request.host,
    )


def title(task: Task, tuned: Tuned) -> str:
    """The title of a run in lines of progress: its cell, and the number of the trial, or the seed."""
    run = task.training
    for cell in tuned.cells:
        if run in cell.trials:
            return f"{cell.title} trial {cell.trials.index(run) + 1}/{len(cell.trials)}"
    return f"{run.optimizer} {run.batch_size} seed {run.seed}"


def _count_rows(loaded: Mapping[str, Dataset]) -> Callable[[Training], int]:
    def rows(run: Training) -> int:
        """Training rows of a run; a guess for data that are not at hand."""
        whole = len(loaded[run.source].train) if run.source in loaded else ROUGH_ROWS
        return max(run.train_rows or whole - run.validation_rows, run.workers)

    return rows


def _check_parts(tuning: Tuning, dataset: Dataset) -> None:
    if dataset.test is None:
        raise UserError(
            f"{dataset.title} has no test part, by which the chosen settings would be judged: keep "
            "rows for one, such as x_test and y_test, test/ or test.parquet"
        )
    if dataset.validation is None and not tuning.settings.validation_rows:
        raise UserError(
            f"{dataset.title} has no validation part to choose by: give validation_rows in the table [tune]"
        )
