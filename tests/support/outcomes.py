"""What runs and studies leave behind, as tests compare it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder

MODES_AGREE = 1e-10  # sums in the same order, but operators that may be fused differently
TIMES = ["seconds", "images_per_second", "evaluation_seconds"]


def without_times(folder: Path) -> pd.DataFrame:
    """A run's metrics without the columns that differ between equal runs."""
    return RunFolder(folder).metrics().drop(columns=TIMES)


def assert_equal_runs(ours: Path, theirs: Path) -> None:
    """Metrics and model are equal to the last bit."""
    pd.testing.assert_frame_equal(without_times(ours), without_times(theirs), check_exact=True)
    models = [np.load(RunFolder(folder).model_file) for folder in (ours, theirs)]
    assert models[0].files == models[1].files
    assert all(np.array_equal(models[0][name], models[1][name]) for name in models[0].files)


def runs(out: Path) -> list[RunFolder]:
    """The folders of a study's runs, as its record names them; none before there is a record."""
    if not (out / "study.json").exists():
        return []
    record = json.loads((out / "study.json").read_text())
    return [RunFolder(out / run["folder"]) for run in record["runs"]]


def results(out: Path) -> list[dict[str, Any]]:
    """The runs' results without what differs between equal runs."""
    found = [result.to_mapping() if (result := run.result()) else {} for run in runs(out)]
    apart = ("seconds", "overhead_seconds", "folder")
    return [{k: v for k, v in r.items() if k not in apart} for r in found]


def status(run: RunFolder) -> Status | None:
    """How a run ended; None without a result."""
    result = run.result()
    return result.status if result else None


def statuses(out: Path) -> list[str | None]:
    return [result.get("status") for result in results(out)]
