"""The table of predictions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from largebatch.models.predict import predict
from tests.support.contributing import REPOSITORY

RUN = REPOSITORY / "tests" / "recorded" / "old-runs" / "runs" / "finished"


def test_classes_have_their_names_where_the_run_knows_them(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    config = run / "config.json"
    values = json.loads(config.read_text())
    data = values["data"]
    shape = (9, data["height"], data["width"])
    np.save(tmp_path / "images.npy", np.random.default_rng(1).integers(0, 256, shape, np.uint8))
    plain = predict(run, tmp_path / "images.npy", print)
    assert list(plain.columns) == ["image", "class", *(f"p{k}" for k in range(data["classes"]))]
    data["class_names"] = [f"name, {k}" for k in range(data["classes"])]
    config.write_text(json.dumps(values))
    named = predict(run, tmp_path / "images.npy", print)
    assert list(named.columns)[:3] == ["image", "class", "name"]
    assert named["name"].tolist() == [f"name, {k}" for k in plain["class"]]
    assert named.drop(columns="name").equals(plain)
