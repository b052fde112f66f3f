"""`largebatch sweep`, from the request to the exit status."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from largebatch import data
from largebatch.data import Dataset
from largebatch.data.validation import cut
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.errors import RunError, UserError
from largebatch.records.study_folder import StudyFolder, unplaced
from largebatch.runs import preflight
from largebatch.runs.memory import Sessions
from largebatch.runs.placement import settled
from largebatch.settings.execution import Execution
from largebatch.settings.selection import Only
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies import library
from largebatch.studies.queue import ListQueue
from largebatch.studies.remaining import Remaining
from largebatch.studies.sweep import Limits, Sweep
from largebatch.studies.tasks import Datasets, Task, format_tasks, measured, survey
from largebatch.terminal.say import Say
from largebatch.terminal.table import format_results
from largebatch.terminal.words import counted

DONE, SOME_FAILED, NOT_COMPLETE = 0, 1, 3


@dataclass(frozen=True)
class SweepRequest:
    """What the command line asks for; `execution` has the settings that it gives."""

    study: str
    out: Path
    runs: Path | None = None
    data_dir: Path | None = None
    only: Only = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    host: Host = OWN_JVM

    @property
    def given(self) -> list[str]:
        """The given options that a host may refuse."""
        limits = {"jobs": self.limits.jobs > 1, "isolate": self.limits.isolate}
        return [*self.execution, *(name for name, wanted in limits.items() if wanted)]


class CheckedStudy:
    """A study with its folder, its data and the runs to do. All is checked, nothing is written."""

    def __init__(self, request: SweepRequest, say: Say, *, download: bool) -> None:
        request.host.check_options(request.given)
        self.study = self.load(request.study)
        self.execution = Execution.from_mapping(self.study.execution).updated(request.execution)
        self.folder = StudyFolder(request.out, request.runs)
        loaded = self._load(request, say, download=download)
        self.study = self._placed(loaded, request.host)
        self.settle(loaded, request.only)
        self.datasets = self._cut(loaded)
        self.folder.check(self.study)
        self.tasks = self.survey(request.only)
        self._preflight(request, say)

    def load(self, name_or_file: str) -> Study:
        """The study. Raises UserError if it is of another kind."""
        study = library.load(name_or_file, tuning=False)
        if study.tuning is not None:
            raise UserError(
                f"{study.name} chooses settings: carry it out by `largebatch tune {name_or_file}`"
            )
        return study

    def settle(self, loaded: Mapping[str, Dataset], only: Only) -> None:
        """What is known of the runs once their data are. Raises UserError for an `only` that can't be."""

    @property
    def later(self) -> Sequence[Training]:
        """Runs that may follow: their data and settings are checked, too."""
        return ()

    def survey(self, only: Only) -> list[Task]:
        """The wanted runs, as they stand now."""
        return survey(self.study, self.folder, only, self.datasets)

    def _load(self, request: SweepRequest, say: Say, *, download: bool) -> dict[str, Dataset]:
        """The study's data sets by source; the fallback if they are unavailable or the folder has it."""
        fallback = self.study.fallback
        on_fallback = self.study.on(fallback) if fallback and not request.data_dir else None
        if on_fallback and self.folder.holds(on_fallback):
            self.study, on_fallback = on_fallback, None
        try:
            return self._load_all(request.data_dir, say, download)
        except UserError as error:
            if download or request.data_dir:
                raise
            say(str(error))
            return {}
        except RunError as error:
            if on_fallback is None:
                raise
            say(f"{error}; {fallback} is taken instead")
            self.study = on_fallback
            return self._load_all(None, say, download)

    def _load_all(self, data_dir: Path | None, say: Say, download: bool) -> dict[str, Dataset]:
        names = {run.dataset for run in self.study.runs}
        if data_dir and len(names) > 1:
            raise UserError(
                f"--data-dir is for one data set, {self.study.name} has {', '.join(sorted(names))}"
            )
        sources = {run.source: run for run in self.study.runs}
        return {
            source: data.load(run.dataset, data_dir, reading=run.reading, download=download, say=say)
            for source, run in sorted(sources.items())
        }

    def _placed(self, loaded: Mapping[str, Dataset], host: Host) -> Study:
        """The study whose runs have a placement of their data in place of `auto`, as far as it is known.

        A run that was begun keeps its own. Runs that are the same after that are one.
        """
        begun = self.folder.by_request

        def placed(run: Training) -> Training:
            if run.data_placement != "auto":
                return run
            there = begun.get(unplaced(run))
            if there is not None or run.source not in loaded:
                return there or run
            return settled(run, self.execution, cut(loaded[run.source], *run.data[1:]), host)

        runs = map(placed, self.study.runs)
        return dataclasses.replace(self.study, runs=tuple({run_name(run): run for run in runs}.values()))

    def _cut(self, loaded: Mapping[str, Dataset]) -> Datasets:
        """The runs' data, with the rows that they ask for."""
        wanted = {run.data for run in (*self.study.runs, *self.later) if run.source in loaded}
        return {key: cut(loaded[key[0]], *key[1:]) for key in wanted}

    def _preflight(self, request: SweepRequest, say: Say) -> None:
        remarks: dict[str, None] = {}
        for training in (*(task.training for task in self.tasks), *self.later):
            dataset = self.datasets.get(training.data)
            if dataset is not None:
                try:
                    found = preflight.check(
                        training,
                        self.execution,
                        dataset,
                        sessions=Sessions(request.limits.jobs),
                        host=request.host,
                    )
                except UserError as error:
                    raise UserError(f"{self.study.name}, run {run_name(training)}: {error}") from error
                remarks |= dict.fromkeys(found)
        for remark in remarks:
            say(remark)


def dry_run(request: SweepRequest, say: Say) -> str:
    """The runs with their state and an estimate of the time; writes and downloads nothing."""
    checked = CheckedStudy(request, say, download=False)
    return format_tasks(checked.tasks, measured(checked.tasks), request.limits.jobs)


def sweep(request: SweepRequest, say: Say, show: Say) -> int:
    """Carry out what is left of a study and show its results; returns the exit status."""
    checked = CheckedStudy(request, say, download=True)
    with checked.folder.lock():
        request.host.require_tools()
        checked.folder.check(checked.study)
        checked.folder.write(checked.study, checked.execution)
        going = _start(checked, request, say)
        carry_out(going, request)
        tasks = checked.survey(request.only)
    show(_results(checked.study, tasks))
    for line in unfinished(tasks):
        say(line)
    show(f"Next: largebatch report {request.out}")
    return status_of(len(tasks), sum(not task.ended for task in tasks), going, say)


def carry_out(going: Sweep, request: SweepRequest) -> None:
    """Carry out a sweep. Raises RunError if its folder can't be written."""
    try:
        going.carry_out()
    except OSError as error:
        raise RunError(
            f"{request.out} cannot be written: {error.strerror or error}; "
            "the same command goes on from the last epoch"
        ) from error


def _start(checked: CheckedStudy, request: SweepRequest, say: Say) -> Sweep:
    """The sweep over the runs as they stand now, announced in a line."""
    tasks = checked.survey(request.only)
    ended = sum(task.ended for task in tasks)
    runs = counted(len(tasks), "run") + (f", {ended} of them done" if ended else "")
    say(f"{checked.study.title}: {runs}, {checked.execution.mode} mode, in {request.out}")
    names = titles(checked.study, tasks)
    return Sweep(
        checked.folder,
        ListQueue(tasks, failed_last=not request.host.can_restart),
        lambda task: names[task.name],
        checked.datasets,
        checked.execution,
        request.limits,
        Remaining(tasks, measured(tasks), request.limits.jobs),
        say,
        request.host,
    )


def titles(of: Study, tasks: Sequence[Task]) -> dict[str, str]:
    """Title of each run in lines of progress, by name: its number and the settings that vary."""
    always = ("optimizer", "batch_size")
    more = [name for name in of.varied if name not in (*always, "learning_rate")]
    if "learning_rate" in of.varied and _rates_vary(of):
        more.append("learning_rate")
    found = {}
    for number, task in enumerate(tasks, start=1):
        values = task.training.to_mapping()
        parts = [*(str(values[name]) for name in always), *(f"{name} {values[name]}" for name in more)]
        found[task.name] = f"[{number}/{len(tasks)}] {' '.join(parts)}"
    return found


def _rates_vary(of: Study) -> bool:
    """Whether an optimizer has more than one learning rate."""
    return len({(run.optimizer, run.learning_rate) for run in of.runs}) > len(
        {run.optimizer for run in of.runs}
    )


def _results(of: Study, tasks: Sequence[Task]) -> str:
    rows = [task.training.to_mapping() | task.result.to_mapping() for task in tasks if task.result]
    if not rows:
        return "No run has ended yet."
    dataset = ", ".join(dict.fromkeys(row["dataset"] for row in rows))
    return f"{of.title} ({dataset})\n{format_results(rows, also=[n for n in of.varied if n != 'dataset'])}"


def unfinished(tasks: Sequence[Task]) -> list[str]:
    """A line for each run that failed, and one for all that have not ended."""
    lines = [f"failed: {task.name}: {task.result.reason}" for task in tasks if task.result and task.failed]
    others = [task.name for task in tasks if not (task.ended or task.failed)]
    return [*lines, f"not finished: {', '.join(others)}"] if others else lines


def status_of(runs: int, left: int, going: Sweep, say: Say) -> int:
    """The exit status; says why some of the runs are left."""
    if not left:
        return DONE
    out_of_time = going.out_of_time
    why = "time is up" if out_of_time else "not all runs came to their end"
    again = "the same command"
    if not going.host.can_restart:
        again = "submitting the same job again"
        why = why if out_of_time else "after a failure a batch job ends, as its JVM can't be replaced"
    say(f"{runs - left} of {runs} runs are done: {why}; {again} goes on with the others.")
    return NOT_COMPLETE if out_of_time else SOME_FAILED
