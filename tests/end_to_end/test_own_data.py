"""A user's own pictures in colour: trained on, tracked, predicted, and exported."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image

from largebatch.records.run_folder import RunFolder
from tests.support.command import call_in
from tests.support.lent import Lender

pytestmark = [pytest.mark.systemds, pytest.mark.slow]

SIDE, ROWS = 18, 96  # an odd size for pooling, with --resize
TOLERANCE = 1e-4  # of probabilities in float32


def write_pictures(root: Path) -> None:
    """JPEG files of two classes, reddish and bluish; a fourth of them to test on."""
    rng = np.random.default_rng(2)
    for number in range(ROWS):
        pixels = rng.integers(0, 120, (SIDE, SIDE, 3)).astype(np.uint8)
        pixels[..., 0 if number % 2 else 2] += 90
        part = "test" if number % 8 < 2 else "train"
        file = root / part / ("red" if number % 2 else "blue") / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file, quality=95)


@pytest.fixture(scope="module")
def home(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which pictures were trained on, and tracked."""
    home = tmp_path_factory.mktemp("own")
    write_pictures(home / "pictures")
    done = lender.run(
        home, "train", "--dataset", "./pictures", "--resize", "9", "--pad-to", "11", "--epochs", "4",
        "--batch-size", "24", *lender.options, "--track", "tensorboard", "--out", "run", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--track" not in done.stderr, "no tracker failed"
    assert json.loads(done.stdout)["test_accuracy"] > 0.9
    return home


def test_the_run_knows_its_pictures_and_goes_on_from_elsewhere(
    lender: Lender, home: Path, tmp_path: Path
) -> None:
    folder = RunFolder(home / "run")
    assert folder.settings()[0].dataset == str(home / "pictures")
    assert (folder.images().channels, folder.images().height, folder.images().classes) == (3, 9, 2)
    again = lender.run(tmp_path, "train", "--resume", home / "run")
    assert again.returncode == 0, again.stderr
    assert "has all its epochs" in again.stderr


def test_every_epoch_was_tracked(home: Path) -> None:
    (file,) = (home / "run" / "tensorboard").iterdir()
    assert file.read_bytes().count(b"test_accuracy") == 4


def test_the_exported_model_predicts_as_ours_does(home: Path) -> None:
    pictures = home / "pictures" / "test" / "red"
    printed = call_in(home, "predict", "run", pictures)
    assert printed.returncode == 0, printed.stderr
    table = pd.read_csv(io.StringIO(printed.stdout))
    assert (table["class"] == 1).mean() > 0.9
    assert table["name"].tolist() == [("blue", "red")[k] for k in table["class"]]
    done = call_in(home, "export", "run", "--to", "onnx")
    assert (done.returncode, done.stdout) == (0, "run/model.onnx\n"), done.stderr
    session = onnxruntime.InferenceSession(home / "run" / "model.onnx")
    X = np.stack(
        [
            np.asarray(
                Image.open(pictures / name).resize((9, 9), Image.Resampling.BILINEAR, reducing_gap=3.0)
            )
            for name in table["image"]
        ]
    )
    _, probabilities = session.run(None, {"input": X.transpose(0, 3, 1, 2).astype(np.float32)})
    np.testing.assert_allclose(probabilities, table[["p0", "p1"]], atol=TOLERANCE)
