"""Runs as TensorBoard's event files, which editors and other trackers read, too."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from largebatch.export.need import need
from largebatch.export.tracker import Tracked

FOLDER = "tensorboard"  # in the folder of the run or study


class TensorBoard:
    """A folder of events for each run, written anew by everyone who opens it."""

    def __init__(self, module: Any, root: Path) -> None:
        self._module = module
        self._root = root
        self._writers: dict[str, Any] = {}
        self._epochs: dict[str, int] = {}

    def sync(self, run: Tracked) -> None:
        """Add the epochs that are new."""
        name = run.record.name if run.study else ""
        if name not in self._writers:
            self._writers[name] = self._begin(self._root / name)
        writer = self._writers[name]
        for row in run.record.metrics.iloc[self._epochs.get(name, 0) :].to_dict("records"):
            epoch = int(row["epoch"])
            for metric, value in row.items():
                if metric != "epoch":
                    writer.add_scalar(metric, float(value), epoch)
            self._epochs[name] = epoch
        writer.flush()

    def _begin(self, folder: Path) -> Any:
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        return self._module.SummaryWriter(str(folder))

    def close(self) -> None:
        """Close all files."""
        for writer in self._writers.values():
            writer.close()

    @property
    def where(self) -> str:
        """The command that shows the runs."""
        return f"tensorboard --logdir {self._root}"


def open_tracker(path: Path) -> TensorBoard:
    """For the runs of a folder. Raises UserError without tensorboardX."""
    # It would remark on each number that is none, such as the loss of an epoch that diverged.
    logging.getLogger("tensorboardX").addHandler(logging.NullHandler())
    return TensorBoard(need("tensorboardX", "track"), path / FOLDER)
