"""Rows on their way from executors to the driver, and what executors make of them; without Spark."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark import cloudpickle

from largebatch.data.dataset import Part
from largebatch.data.stored import StoredRows
from largebatch.errors import RunError, UserError
from largebatch.ml import model as _model  # noqa: F401 - has executors get functions by value
from largebatch.ml import rows, scoring
from largebatch.ml.columns import Features
from largebatch.ml.gather import _Rows, _StoredRows, as_dataset, order_of_rows
from largebatch.ml.survey import Columns
from tests.reference import unstack
from tests.reference.networks import lenet, residual

COLUMNS = Columns(Features("pixels", "array"), "label", None)
GREY = (1, 2, 2)


def frame(features: list[Any], labels: list[int], held: list[bool] | None = None) -> pd.DataFrame:
    columns = {"features": features, "label": [float(label) for label in labels]}
    return pd.DataFrame({**columns, "validation": held or [False] * len(labels)})


def gathered(frames: list[pd.DataFrame], width: int, folder: Path | None = None) -> Part:
    """What the driver makes of frames that executors pack one by one, with a folder into files there."""
    found = (_Rows if folder is None else _StoredRows)(sum(map(len, frames)), width)
    for one in frames:
        for cells in rows.pack(iter([one]), width, GREY, "chw", folder and str(folder)):
            found.add(next(cells.itertuples()))
    return found.part(COLUMNS)


def test_bytes_and_arrays_of_equal_numbers_become_equal_rows() -> None:
    X = np.random.default_rng(1).integers(0, 256, (9, 4), np.uint8)
    of_bytes = gathered([frame([x.tobytes() for x in X], list(range(9)))], 4)
    of_arrays = gathered([frame(list(X.astype(float)), list(range(9)))], 4)
    assert of_bytes.X.dtype == of_arrays.X.dtype == np.uint8
    np.testing.assert_array_equal(of_bytes.X, of_arrays.X)
    np.testing.assert_array_equal(of_bytes.y, of_arrays.y)


@pytest.mark.parametrize("pieces", [1, 3, 30])
@pytest.mark.parametrize("in_files", [False, True])
def test_rows_have_one_order_however_they_are_cut_and_shuffled(
    tmp_path: Path, in_files: bool, pieces: int
) -> None:
    rng = np.random.default_rng(2)
    X, y, held = rng.normal(size=(60, 4)), rng.integers(0, 10, 60), rng.random(60) < 0.2
    X[:7], X[7] = np.floor(X[:7] * 9) % 5, X[8]  # some pieces have bytes, and two rows are equal
    whole = gathered([frame(list(X), list(y), list(held))], 4)
    mixed = rng.permutation(60)
    cut = [
        frame(list(X[part]), list(y[part]), list(held[part])) for part in np.array_split(mixed, pieces)
    ] + [frame([], [])]
    again = gathered(cut, 4, tmp_path if in_files else None)
    assert isinstance(again.X, StoredRows) == in_files
    np.testing.assert_array_equal(again.X, whole.X)
    np.testing.assert_array_equal(again.y, whole.y)
    assert not np.array_equal(whole.X, X)
    assert sorted(map(tuple, whole.X)) == sorted(map(tuple, X))


@pytest.mark.parametrize(("numbers", "scale"), [([0, 7], 255), ([0, 7], 1), ([0, 7], 2), ([0.5, 1], 2)])
def test_rows_in_files_are_the_same_data_set_as_rows_in_memory(
    tmp_path: Path, numbers: list[float], scale: float
) -> None:
    rng = np.random.default_rng(2)
    X, y, held = rng.choice(numbers, (60, 4)), rng.integers(0, 300, 60), rng.random(60) < 0.2
    stored, kept = (
        as_dataset(gathered([frame(list(X), list(y), list(held))], 4, folder), GREY, scale, 300)
        for folder in (tmp_path, None)
    )
    assert stored.fingerprint == kept.fingerprint
    assert stored.images == kept.images
    for part in ("train", "validation"):
        np.testing.assert_array_equal(stored.parts[part].X, kept.parts[part].X)
        np.testing.assert_array_equal(stored.parts[part].y, kept.parts[part].y)


def test_cells_of_a_file_whose_numbers_are_of_several_types_are_found_in_it(tmp_path: Path) -> None:
    """Two frames of a task: bytes, floats, and bytes again."""
    X = np.array([[1, 2, 3, 4], [0.5, 2, 3, 4], [5, 6, 7, 8]])
    found = _StoredRows(3, 4)
    frames = (frame([x], [0]) for x in X)
    for cells in rows.pack(frames, 4, GREY, "chw", str(tmp_path)):
        found.add(next(cells.itertuples()))
    assert len(list(tmp_path.iterdir())) == 1
    assert sorted(map(tuple, np.asarray(found.part(COLUMNS).X))) == sorted(map(tuple, X))


def test_the_order_depends_on_the_labels_too() -> None:
    X = np.zeros((50, 4), np.uint8)
    y = np.arange(50, dtype=np.uint16)
    assert not np.array_equal(order_of_rows(X, y), np.arange(50))
    np.testing.assert_array_equal(y[order_of_rows(X, y)], y[::-1][order_of_rows(X, y[::-1])])


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [([0, 255], "uint8"), ([0, 256], "float32"), ([-1, 0], "float32"), ([0.5, 1], "float32"),
     ([0.1, 1], "float64"), ([1e300, 1], "float64")],
)  # fmt: skip
def test_numbers_travel_as_the_least_type_that_has_them_exactly(numbers: list[float], kind: str) -> None:
    X = np.array([numbers])
    assert rows.least_kind(X) == kind
    np.testing.assert_array_equal(X.astype(kind), X)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_features_that_are_no_numbers_are_counted_and_refused(bad: Any) -> None:
    features = [np.array([1, 2, 3, 4], float), np.array([1, bad, 3, 4], float), np.array([bad] * 4, float)]
    with pytest.raises(UserError, match=r"^2 of 3 rows have features"):
        gathered([frame(features, [0, 1, 0])], 4)


def test_a_data_frame_with_other_rows_than_were_counted_is_told() -> None:
    (cells,) = rows.pack(iter([frame([bytes(4)] * 3, [0, 1, 0])]), 4, GREY, "chw")
    for counted in (2, 4):
        found = _Rows(counted, 4)
        with pytest.raises(RunError, match=f"the DataFrame had {counted} rows when they were counted"):
            found.add(next(cells.itertuples()))
            found.part(COLUMNS)


@pytest.mark.parametrize(("order", "expected"), [("chw", "012345"), ("hwc", "024135"), ("bgr", "135024")])
def test_pixels_are_put_channel_by_channel(order: str, expected: str) -> None:
    """Two channels of one row of three pixels."""
    X = rows.channels_first(np.arange(6)[None], (2, 1, 3), order)
    assert "".join(map(str, X[0])) == expected


@pytest.mark.parametrize(
    ("values", "sentence"),
    [([bytes(4), None], "a row has null features"), ([bytes(3)], "a row has 3 features, 4 are wanted")],
)
def test_rows_that_do_not_fit_are_told(values: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rows.matrix(values, 4)


def test_an_empty_batch_is_no_error() -> None:
    assert rows.matrix([], 4).shape == (0, 4)


@pytest.mark.parametrize(
    ("scale", "dtype", "first"), [(255, np.uint8, 100), (1, np.float32, 100), (50, np.float64, 2)]
)
def test_only_bytes_with_their_own_scale_stay_bytes(scale: float, dtype: type, first: float) -> None:
    part = Part(np.full((4, 4), 100, np.uint8), np.array([0, 2, 3, 0]))
    data = as_dataset(part, GREY, scale, 5)
    assert data.train.X.dtype == dtype
    assert data.train.X[0, 0, 0, 0] == first
    assert data.images.classes == 5
    assert data.images.pixel_scale == (255 if scale == 255 else 1)
    assert data.validation is not None
    assert (data.train.y.tolist(), data.validation.y.tolist()) == ([0, 1, 0], [1])


def plan(**more: Any) -> scoring.Plan:
    values = {"width": 64, "image": (1, 8, 8), "order": "chw", "scale": 255.0, "thresholds": ()}
    return scoring.Plan(**{**values, "form": (2, 2, 0, 0), **more})


def arrays() -> list[Any]:
    shapes = lenet.shapes((1, 8, 8), 3, 2)
    return unstack(np.random.default_rng(3).normal(0, 0.2, sum(r * c for r, c, _ in shapes)), shapes)


def test_batches_of_any_length_are_scored_row_by_row() -> None:
    X = np.random.default_rng(4).integers(0, 256, (scoring.ROWS + 3, 64), np.uint8)
    score = scoring.scorer(SimpleNamespace(value=arrays()), plan())
    batches = [pd.Series([x.tobytes() for x in part]) for part in (X[:1], X[:0], X)]
    found = list(score(iter(batches)))
    assert [len(table) for table in found] == [1, 0, len(X)]
    raw = lenet.forward(np.concatenate([a.ravel() for a in arrays()]), X / 255, (1, 8, 8), 3, 2)
    np.testing.assert_allclose(np.stack(found[2]["raw"].to_list()), raw, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[2]["prediction"], raw.argmax(axis=1))
    np.testing.assert_allclose(np.stack(found[2]["probability"].to_list()).sum(axis=1), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_not_scored(bad: float) -> None:
    with pytest.raises(ValueError, match="a row has features that are null, NaN or inf"):
        scoring.scored(arrays(), [np.full(64, bad)], plan())


def test_thresholds_divide_the_probabilities() -> None:
    raw, probability, _ = scoring.scored(arrays(), [bytes(64)], plan())
    lowest = int(raw[0].argmin())
    weights = [1.0, 1.0, 1.0]
    weights[lowest] = probability[0].min() / 2
    assert scoring.scored(arrays(), [bytes(64)], plan(thresholds=tuple(weights)))[2].tolist() == [lowest]


def test_a_class_without_threshold_and_probability_is_not_chosen() -> None:
    far = [1e6 * np.sign(one) for one in arrays()]
    _, probability, prediction = scoring.scored(far, [bytes([255]) * 64], plan())
    impossible = int(probability[0].argmin())
    assert probability[0, impossible] == 0
    weights = tuple(0.0 if place == impossible else 1.0 for place in range(3))
    assert (
        scoring.scored(far, [bytes([255]) * 64], plan(thresholds=weights))[2].tolist() == prediction.tolist()
    )


def residual_arrays() -> list[Any]:
    image = (1, 8, 8)
    shapes = residual.shapes(1, image, 3, 2)
    w = np.random.default_rng(3).normal(0, 0.2, sum(r * c for r, c, _ in shapes))
    return [*unstack(w, shapes), *residual.start_moments(1, image, 3, 2)]


@pytest.mark.parametrize(("make", "form"), [(arrays, (2, 2, 0, 0)), (residual_arrays, (0, 2, 1, 10))])
def test_executors_need_no_largebatch(
    tmp_path: Any, make: Callable[[], list[Any]], form: tuple[int, int, int, int]
) -> None:
    """A process that can't import the package packs and scores."""
    work = (scoring.scorer(SimpleNamespace(value=make()), plan(form=form)), rows.pack)
    (tmp_path / "work").write_bytes(cloudpickle.dumps(work))
    program = """
import pickle, sys
sys.modules["largebatch"] = None
import pandas as pd
score, pack = pickle.load(open(sys.argv[1], "rb"))
table = next(score(iter([pd.Series([bytes(64)] * 2)])))
frame = pd.DataFrame({"features": [bytes(64)], "label": [1.0], "validation": [False]})
print(len(table), len(next(pack(iter([frame]), 64, (1, 8, 8), "chw"))["features"][0]))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "work"], capture_output=True, text=True, check=False,
        env=os.environ, timeout=120,
    )  # fmt: skip
    assert run.stdout == "2 64\n", run.stderr
