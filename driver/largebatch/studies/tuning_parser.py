"""The tables [tune] and [space.OPTIMIZER] of a study. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from largebatch.errors import UserError
from largebatch.settings.training import DataSettings, Training
from largebatch.settings.tuning import Dimension, Space, TuneSettings, Tuning
from largebatch.settings.values import declared
from largebatch.studies.complaints import Complaints, without_flags
from largebatch.terminal.words import counted
from largebatch.tuning import space

BLIND = ("validation_rows", "test_part")  # [tune] says them of trials
# What optimizers are compared on must be the same for all: the length of training, the data, the network.
_OF_NETWORK = tuple(name for name, one in declared(Training).items() if one.of == "network")
ALIKE = ("epochs", *declared(DataSettings), "network", *_OF_NETWORK)


@dataclass(frozen=True)
class TuningParser:
    """Makes a Tuning of the two tables. `taken(optimizer)` are the settings that the runs have elsewhere."""

    tune: dict[str, Any]
    spaces: dict[str, Any]
    runs: Sequence[Training]
    taken: Callable[[str], Collection[str]]
    complaints: Complaints

    def tuning(self) -> Tuning:
        self._check_cells()
        self.complaints.check_names("tune", 0, self.tune, TuneSettings)
        settings = self.complaints.guarded("tune", 0, TuneSettings.from_mapping, self.tune)
        if "promote_share" in self.tune and not settings.promote_after:
            words = "promote_share counts with promote_after only: give that, or leave both out"
            self.complaints.refuse("tune", 0, "promote_share", words)
        self._check_promotion(settings)
        optimizers = list(dict.fromkeys(run.optimizer for run in self.runs))
        for name in self.spaces:
            if name not in optimizers:
                there = ", ".join(optimizers)
                self.complaints.refuse(
                    f"space.{name}", 0, "", f"no run has the optimizer {name}; there are {there}"
                )
        return Tuning(settings, {optimizer: self._chosen(optimizer) for optimizer in optimizers})

    def _check_cells(self) -> None:
        """Cells differ in optimizer and batch size alone; what [tune] says must not be said elsewhere."""
        for name in ALIKE:
            values = list(dict.fromkeys(str(getattr(run, name)) for run in self.runs))
            if len(values) > 1:
                words = f"{name} is {' and '.join(values)}; a study that tunes compares at one"
                self.complaints.refuse("grid", 0, name, f"{words}: give it once, in [fixed]")
        seen = set()
        for run in self.runs:
            cell = run.optimizer, run.batch_size
            if cell in seen:
                words = f"{run.optimizer} has batch size {run.batch_size} twice"
                self.complaints.refuse("grid", 0, "", f"{words}; a study that tunes has each of these once")
            seen.add(cell)
            for name in BLIND:
                if name in self.taken(run.optimizer):
                    self.complaints.refuse("grid", 0, name, f"{name} is said by [tune]: leave it out here")

    def _check_promotion(self, settings: TuneSettings) -> None:
        """Each fraction must be an epoch of its own, or there would be fewer stages than it says."""
        epochs = self.runs[0].epochs
        after = settings.promoted_after(epochs)
        if len(settings.rungs(epochs)) <= len(after):
            words = f"promote_after of {counted(epochs, 'epoch')} is after epoch {', '.join(map(str, after))}"
            mend = "give other fractions, or more epochs"
            self.complaints.refuse(
                "tune", 0, "promote_after", f"{words}: these must differ, and come before the last: {mend}"
            )

    def _chosen(self, optimizer: str) -> Space:
        found = self._space(optimizer)
        for dimension in found:
            for run in self.runs:
                if run.optimizer == optimizer:
                    self._check_dimension(dimension, run)
        if not any(dimension.free for dimension in found):
            mend = f"give a setting of [space.{optimizer}] a range or values"
            self.complaints.refuse(
                f"space.{optimizer}", 0, "", f"there is nothing to choose for {optimizer}: {mend}"
            )
        return found

    def _check_dimension(self, dimension: Dimension, run: Training) -> None:
        """Whether a setting counts for a run, and the run may have each of its values."""
        place, name = f"space.{run.optimizer}", dimension.setting
        if foreign := run.foreign(name):
            self.complaints.refuse(place, 0, name, f"{without_flags(foreign)}: leave it out")
        for value in dimension.extremes:
            try:
                dataclasses.replace(run, **{name: value})
            except UserError as error:
                words = f"{name} may be {value}, but {without_flags(str(error))}: give it other values"
                self.complaints.refuse(place, 0, name, words)

    def _space(self, optimizer: str) -> Space:
        table = self.spaces.get(optimizer)
        taken = self.taken(optimizer)
        if table is None:
            whole = self.complaints.guarded("tune", 0, lambda _: space.default(optimizer), {})
            return tuple(dimension for dimension in whole if dimension.setting not in taken)
        place = f"space.{optimizer}"
        if not isinstance(table, Mapping):
            self.complaints.refuse("space", 0, optimizer, f"space.{optimizer} must be a table: [{place}]")
        found = self.complaints.guarded(place, 0, lambda values: space.read(values, optimizer), table)
        for key, dimension in zip(table, found, strict=True):
            if dimension.setting in taken:
                self.complaints.refuse(
                    place, 0, key, f"{key} is in [fixed] or [[grid]] too; it can be in one place"
                )
        return found
