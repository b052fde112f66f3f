"""The fitted model without Spark: single rows, and folders of runs."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.ml.linalg import Vectors

from largebatch.errors import UserError
from largebatch.ml import LargeBatchClassificationModel, LargeBatchClassifier, persistence
from largebatch.ml.persistence import checksum
from largebatch.models.predict import predict
from largebatch.records.run_folder import RunFolder
from tests.support.contributing import REPOSITORY

RUN = REPOSITORY / "tests" / "recorded" / "old-runs" / "runs" / "finished"


@pytest.fixture(scope="module")
def model() -> LargeBatchClassificationModel:
    return LargeBatchClassificationModel.from_run(RUN)


def images_of(count: int, model: LargeBatchClassificationModel) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, model.numFeatures), np.uint8)


def test_a_run_of_the_command_line_becomes_a_model_with_equal_predictions(
    model: LargeBatchClassificationModel, tmp_path: Path
) -> None:
    X = images_of(5, model)
    np.save(tmp_path / "images.npy", X.reshape(-1, *model.imageShape[1:]))
    expected = predict(RUN, tmp_path / "images.npy", print)
    assert [model.predict(Vectors.dense(x)) for x in X] == expected["class"].tolist()
    found = np.array([model.predictProbability(Vectors.dense(x)) for x in X])
    np.testing.assert_allclose(found, expected.filter(regex="^p"), rtol=0, atol=1e-12)
    assert model.summary.history.equals(RunFolder(RUN).metrics())


def test_a_model_written_as_a_run_is_read_back_to_the_last_bit(
    model: LargeBatchClassificationModel, tmp_path: Path
) -> None:
    model.to_run(tmp_path / "run")
    again = LargeBatchClassificationModel.from_run(tmp_path / "run")
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert again.summary.history.equals(model.summary.history)
    assert (again.numClasses, again.imageShape) == (model.numClasses, model.imageShape)
    result = RunFolder(tmp_path / "run").result()
    assert result is not None and result.train_accuracy == model.summary.history["train_accuracy"].iloc[-1]
    with pytest.raises(UserError, match="is not empty"):
        model.to_run(tmp_path / "run")


def test_a_row_of_another_length_is_told(model: LargeBatchClassificationModel) -> None:
    with pytest.raises(ValueError, match=rf"a row has 2 features, {model.numFeatures} are wanted"):
        model.predict(Vectors.sparse(2, {0: 1.0}))


def test_thresholds_of_another_number_are_refused(model: LargeBatchClassificationModel) -> None:
    with pytest.raises(UserError, match="thresholds has 1 numbers, there are "):
        model.copy({model.thresholds: [0.5]}).predict(Vectors.dense(images_of(1, model)[0]))


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 0.0], [float("nan"), 1.0]])
def test_thresholds_that_spark_does_not_define_are_refused(
    model: LargeBatchClassificationModel, values: list[float]
) -> None:
    of_all = values + [1.0] * (model.numClasses - 2)
    with pytest.raises(UserError, match="must be 0 or more, and at most one of them 0"):
        model.copy({model.thresholds: of_all}).predict(Vectors.dense(images_of(1, model)[0]))


def test_how_features_are_read_can_be_set_anew(model: LargeBatchClassificationModel) -> None:
    row = Vectors.dense(images_of(1, model)[0])
    divided = Vectors.dense(row.toArray() / 255)
    again = model.copy({model.pixelScale: 1.0})
    np.testing.assert_allclose(again.predictRaw(divided), model.predictRaw(row), rtol=0, atol=1e-12)
    colour = replace(model._trained, layout="hwc")
    assert model.copy({model.imageLayout: "hwc"})._layout == LargeBatchClassificationModel(colour)._layout


def test_a_model_of_a_run_tells_how_it_was_trained(model: LargeBatchClassificationModel) -> None:
    training, _ = RunFolder(RUN).settings()
    assert model.getBatchSize() == training.batch_size
    assert (model.getOptimizer(), model.getSeed()) == (training.optimizer, training.seed)


def test_arrays_are_saved_in_pieces_that_make_them_again(
    model: LargeBatchClassificationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "PIECE", 100)
    found = list(persistence.pieces(model.arrays))
    assert len(found) > len(model.arrays) and all(len(block) for _, block in found)
    rows = [(at, name, *b.shape, b.tobytes()) for at, (name, b) in enumerate(found)]
    described = {
        "training": model._trained.model.training.to_mapping() | {"colour": "red"},
        "images": asdict(model._trained.model.images), "pixelScale": 255, "imageLayout": "chw",
    }  # fmt: skip
    again = persistence._trained(described, rows, model.summary.history)
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(again.model.arrays[name], array)


def test_copies_share_arrays_that_can_not_be_written_to(model: LargeBatchClassificationModel) -> None:
    other = model.copy()
    for name, array in model.arrays.items():
        assert other.arrays[name] is array
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_the_checksum_depends_on_names_shapes_bytes_and_the_description() -> None:
    row = (0, "fc.weight", 1, 2, bytes(16))
    changed = [
        (1, *row[1:]),
        (0, "fc.bias", *row[2:]),
        (0, "fc.weight", 2, 1, bytes(16)),
        (*row[:4], bytes(15) + b"1"),
    ]
    described = {"format": 2, "images": {"classes": 2}}
    sums = {checksum([one], described) for one in (row, *changed)}
    sums.add(checksum([row], {"format": 2, "images": {"classes": 3}}))
    assert len(sums) == 6
    assert checksum([row], {"sha256": "", **described}) in sums, "the sum is not over itself"


def test_the_checksum_of_the_first_format_is_over_the_arrays_alone() -> None:
    row = (0, "fc.weight", 1, 2, bytes(16))
    expected = hashlib.sha256(b"0 fc.weight 1 2\n" + bytes(16)).hexdigest()
    assert checksum([row], {"format": 1, "images": {}}) == expected


def test_exported_files_take_features_that_are_not_scaled_yet(
    model: LargeBatchClassificationModel, tmp_path: Path
) -> None:
    """Those of a fit with pixelScale=16: the network was trained on features that were divided already."""
    import onnxruntime
    from safetensors.numpy import load_file

    trained = model._trained
    images = replace(trained.model.images, pixel_scale=1)
    scaled = replace(trained, model=replace(trained.model, images=images), scale=16.0)
    one = LargeBatchClassificationModel(scaled)
    one.save_onnx(tmp_path / "model.onnx")
    one.save_safetensors(tmp_path / "model.safetensors")
    X = images_of(4, one)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    name = session.get_inputs()[0].name
    found = session.run(None, {name: X.reshape(-1, *one.imageShape).astype(np.float32)})
    raw = np.array([one.predictRaw(Vectors.dense(x)) for x in X])
    assert any(part.shape == raw.shape and np.allclose(part, raw, rtol=1e-4, atol=1e-4) for part in found)
    assert set(load_file(tmp_path / "model.safetensors")) == set(one.arrays)


@pytest.mark.parametrize("given", [[1, 2], None, pd.DataFrame({"features": [[1.0]]})])
def test_anything_but_a_data_frame_of_spark_is_refused(
    model: LargeBatchClassificationModel, given: object
) -> None:
    for use in (model.transform, LargeBatchClassifier().fit):
        with pytest.raises(UserError, match=r"^a DataFrame of Spark is wanted, not .*: make one by spark"):
            use(given)
