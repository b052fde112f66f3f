"""Folders that the version before has made: see tests/recorded/old-runs/README.md."""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from largebatch.records.metrics import parse_metrics
from largebatch.records.run_folder import RunFolder
from tests.support.outcomes import TIMES, without_times
from tests.support.samples import write_dataset

OLD = Path(__file__).parents[1] / "recorded" / "old-runs"


def old(name: str, to: Path) -> Path:
    """A copy of a recorded folder, such as runs/lenet; large files are unpacked."""
    shutil.copytree(OLD / name, to)
    for packed in to.rglob("*.xz"):
        packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
        packed.unlink()
    return to


def write_old_data(folder: Path) -> Path:
    """The data that all of them were trained on, as IDX files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_dataset(folder, rows=2000, side=4)


def assert_as_the_old_version_ends(run: Path, whole: str) -> None:
    """Metrics and arrays are those of an uninterrupted run of the version before, to the last bit."""
    expected = parse_metrics((OLD / "whole" / whole / "metrics.csv").read_bytes())
    pd.testing.assert_frame_equal(without_times(run), expected.drop(columns=TIMES), check_exact=True)
    with np.load(RunFolder(run).model_file) as model:
        found = {name: hashlib.sha256(model[name].tobytes()).hexdigest() for name in model.files}
    assert found == json.loads((OLD / "whole" / whole / "arrays.json").read_text())
    result = json.loads((run / "result.json").read_text())
    before = json.loads((OLD / "whole" / whole / "result.json").read_text())
    result.pop("overhead_seconds", None)  # which that version did not tell
    assert list(result) == list(before)
    apart = ("dataset", "seconds", "folder")  # the name of the folder of data, times, where the run lies
    assert {k: v for k, v in result.items() if k not in apart} == {
        k: v for k, v in before.items() if k not in apart
    }
