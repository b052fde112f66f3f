"""The folder of a study: `sweep` writes it, reports and comparisons read it.

study.json   name, title, description, the settings that vary, and every run with its folder and settings
             of a study that tunes also the cells and the final runs: see tuning_record
runs/NAME/   the run folders, or wherever study.json says: studies may share them
log.txt      begin and end of every run, with times; output of sessions between runs
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import largebatch
from largebatch.errors import UserError
from largebatch.files.lock import LOCK, locked
from largebatch.files.names import check_local
from largebatch.files.safe import no_link, part_of, read_json, write_atomically
from largebatch.records import tuning_record
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.settings.tuning import Tuned, Tuning

MOST_SHOWN = 8  # values of a setting in a sentence


class StudyFolder:
    """A study's folder, and the folder of its runs: `runs`, else the recorded one, else a folder below.

    Making the object writes nothing. Raises UserError for a folder that is no study's, or whose
    runs are elsewhere than in `runs`.
    """

    def __init__(self, path: Path, runs: Path | None = None) -> None:
        self.path = path
        self.log = path / "log.txt"
        self._file = path / "study.json"
        self._there = self._read()
        recorded = None if self._there is None else path / Path(self._there["runs"][0]["folder"]).parent
        if recorded is None:
            self.runs = runs or path / "runs"
        elif runs is None and not _real(recorded).is_relative_to(_real(path)):
            # Somebody else may have made this folder: write nothing outside of it unasked.
            raise UserError(
                f"the runs of the study in {path} are outside of it, in {os.path.normpath(recorded)}: "
                "name that folder by --runs, or another one by --out"
            )
        elif runs and _real(runs) != _real(recorded):
            raise UserError(
                f"the runs of the study in {path} are in {os.path.normpath(recorded)}: "
                "name that folder by --runs, or another one by --out"
            )
        else:
            self.runs = runs or Path(os.path.normpath(recorded))

    def run(self, training: Training) -> RunFolder:
        """The folder of a run of the study."""
        return RunFolder(self.runs / run_name(training))

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder for this process; make it if it is missing. Raises UserError if another has it."""
        check_local(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be made a study's folder: {error.strerror}; name another by --out"
            ) from error
        return locked(self.path)

    def holds(self, study: Study) -> bool:
        """Whether all runs that are recorded here are runs of this study."""
        return self._there is not None and not self._foreign(study)

    @property
    def by_request(self) -> dict[Training, Training]:
        """The recorded runs, each by what it was before its placement was settled: see `unplaced`."""
        recorded = [] if self._there is None else self._recorded(self._there)
        return {unplaced(run): run for run in recorded}

    def check(self, study: Study) -> None:
        """Raises UserError if another study is recorded here. A study that has grown is the same one."""
        if self._there is None:
            return
        if self._there["name"] != study.name:
            raise UserError(
                f"{self.path} holds the study {self._there['name']!r}, not {study.name!r}: "
                "name another folder by --out"
            )
        if self._foreign(study):
            tables = ", or give [tune] and [space.OPTIMIZER] as it was begun with" if study.tuning else ""
            raise UserError(
                f"{self.path} holds the study {study.name!r} with other runs ({self._differences(study)}): "
                f"name another folder by --out{tables}"
            )
        if study.tuning:
            self._check_promotion(study.tuning)

    def write(self, study: Study, execution: Execution, tuned: Tuned | None = None) -> None:
        """Write study.json."""
        value = {
            "name": study.name,
            "title": study.title,
            "description": study.description,
            "largebatch": largebatch.__version__,
            "varied": study.varied,
            "execution": execution.to_mapping(),
            "runs": [self._entry(training) for training in study.runs],
        }
        if tuned is not None:
            finals = [self._entry(training) for training in tuned.finals]
            value["tuning"] = {"cells": tuning_record.to_mapping(tuned.cells), "finals": finals}
        write_atomically(self._file, (json.dumps(value, indent=2) + "\n").encode())
        self._there = value

    @property
    def recorded_trials(self) -> int | None:
        """The number of trials of a cell that is recorded here, if it is: one trial is a beginning."""
        try:
            counts = [len(cell["trials"]) for cell in self._there["tuning"]["cells"]]
        except (KeyError, TypeError):
            return None
        most = max(counts, default=1)
        return most if most > 1 else None

    def note(self, text: str) -> None:
        """A line of log.txt, with the time."""
        with open(self.log, "a", encoding="utf-8", errors="surrogateescape", opener=no_link) as log:
            log.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text}\n")

    def _entry(self, training: Training) -> dict[str, Any]:
        folder = self.run(training).path
        return {
            "name": folder.name,
            "folder": os.path.relpath(_real(folder), _real(self.path)),
            "training": training.to_mapping(),
        }

    def _read(self) -> Any:
        """The content of study.json; None without that file."""
        try:
            value = read_json(self._file)
        except (FileNotFoundError, NotADirectoryError):
            self._check_empty()
            return None
        except (OSError, ValueError) as error:
            raise UserError(f"{self._file} can't be read as a study: {error}") from error
        try:
            self._recorded(value)
            sound = isinstance(value["name"], str) and all(map(_is_folder, value["runs"]))
        except (KeyError, TypeError, UserError):
            sound = False
        if not sound or not value["runs"]:
            raise UserError(f"{self._file} is no record of a study: name another folder by --out")
        return value

    def _check_empty(self) -> None:
        ours = {LOCK, self.log.name, part_of(self._file).name}  # of a sweep that was killed at once
        if self.path.is_dir() and any(there.name not in ours for there in self.path.iterdir()):
            raise UserError(f"{self.path} is not empty and holds no study: name another folder by --out")

    @staticmethod
    def _recorded(value: Any) -> list[Training]:
        return [Training.from_mapping(run["training"]) for run in value["runs"]]

    def _foreign(self, study: Study) -> set[Training]:
        return set(self._recorded(self._there)) - set(study.runs)

    def _differences(self, study: Study) -> str:
        """Settings whose values differ, as "epochs 5 there, 10 here"."""
        there = [run.to_mapping() for run in self._recorded(self._there)]
        here = [run.to_mapping() for run in study.runs]
        texts = []
        for name in here[0]:
            old, new = _values(there, name), _values(here, name)
            if old != new and max(len(old), len(new)) > MOST_SHOWN:
                texts.append(f"other values of {name}")
            elif old != new:
                texts.append(f"{name} {', '.join(old)} there, {', '.join(new)} here")
        return "; ".join(texts) or f"{len(there)} there, {len(here)} here"

    def _check_promotion(self, tuning: Tuning) -> None:
        """Raises UserError if trials were chosen otherwise: tests that are known must not be chosen by."""
        known = {entry["name"]: Training.from_mapping(entry["training"]) for entry in self._there["runs"]}
        try:
            cells = tuning_record.from_mapping(self._there["tuning"]["cells"], known)
        except (KeyError, TypeError, ValueError):
            return
        settings = tuning.settings
        for cell in cells:
            count = len(cell.rungs)  # one at first, with a budget of time
            rungs = settings.rungs(cell.trials[0].epochs)[:count]
            if cell.rungs != rungs or (len(rungs) > 1 and cell.share != settings.promote_share):
                raise UserError(
                    f"{self.path} was begun with another promote_after or promote_share of [tune]: give "
                    f"those, or name another folder by --out, and its runs by --runs {self.runs}"
                )


def unplaced(run: Training) -> Training:
    """The run as it asks for a placement of its data, before that is settled."""
    return dataclasses.replace(run, data_placement="auto", reshuffle_every=0)


def _real(path: Path) -> Path:
    """The target of a path; unlike Path.resolve it copes with links that lead to themselves."""
    return Path(os.path.realpath(path))


def _is_folder(run: dict[str, Any]) -> bool:
    """Whether a recorded run has a usable folder: a relative path that ends in a name."""
    folder = run["folder"]
    return (
        isinstance(folder, str)
        and "\0" not in folder
        and not Path(folder).is_absolute()
        and Path(folder).name not in ("", "..")
    )


def _values(mappings: list[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(str(mapping[name]) for mapping in mappings))
