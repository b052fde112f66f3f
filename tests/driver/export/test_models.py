"""Exported models score as ours do, for every network: by onnxruntime, and by PyTorch if it is here."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors import safe_open
from safetensors.numpy import load

from largebatch.data.dataset import Images
from largebatch.data.stored import Array
from largebatch.export.onnx_model import onnx_bytes
from largebatch.export.torch_model import safetensors_bytes
from largebatch.models.model import Model
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training
from tests.reference import parameter_count, unstack
from tests.reference.networks import TWINS
from tests.support.contributing import REPOSITORY

CLASSES, ROWS = 5, 100
TOLERANCE = 1e-4  # of scores of order 1 in float32
CASES: dict[str, tuple[dict[str, Any], Images]] = {
    "lenet": ({}, Images(28, 28, CLASSES)),
    "lenet, colour, odd sides": ({}, Images(9, 11, CLASSES, 3)),
    "lenet, no padding": ({"padding": "valid"}, Images(17, 16, CLASSES, 3)),
    "resnet8": ({"network": "resnet8"}, Images(9, 11, CLASSES, 3)),
    "resnet20": ({"network": "resnet20", "filters": 4}, Images(8, 8, CLASSES)),
    "lenet, zeros around": ({"pad_to": 12}, Images(9, 11, CLASSES, 3)),
    "resnet8, zeros around": ({"network": "resnet8", "pad_to": 12}, Images(9, 7, CLASSES)),
    "softmax": ({"network": "softmax"}, Images(8, 9, CLASSES, 3)),
    "softmax on features": ({"network": "softmax"}, Images(1, 30, CLASSES, 1, 1)),
    "mlp": ({"network": "mlp", "hidden": (20, 10)}, Images(7, 5, CLASSES)),
    "mlp of many layers on features": ({"network": "mlp", "hidden": (9,) * 11}, Images(1, 12, CLASSES, 1, 1)),
}


@functools.cache
def model(case: str) -> Model:
    """A network with random arrays, whose scores are of order 1."""
    settings, images = CASES[case]
    training = Training(**settings)
    twin = TWINS[training.network]
    padded = images.padded(training.pad_to)
    shape = (padded.channels, padded.height, padded.width)
    own = {"hidden": training.hidden} if training.network == "mlp" else {}
    if training.architecture.blocks:
        own = {"filters": training.filters}
    shapes = twin.shapes(shape, CLASSES, {"same": 2, "valid": 0}[training.padding], **own)
    w = np.random.default_rng(3).standard_normal(parameter_count(shapes))
    arrays = unstack(w, shapes)
    arrays = [array / np.sqrt(max(array.shape[-1 if array.shape[0] < 20 else 0], 2)) for array in arrays]
    named = dict(zip(training.architecture.arrays, arrays, strict=True))
    for norm in training.architecture.norms:
        shape_of = named[f"{norm}.weight"].shape
        named[f"{norm}.running_mean"] = np.full(shape_of, 0.1)
        named[f"{norm}.running_var"] = np.full(shape_of, 0.3)
    return Model(training, images, named)


def rows(images: Images) -> Array:
    """Pixels (N, channels, height, width), or features (N, D)."""
    rng = np.random.default_rng(4)
    if images.in_bytes:
        return rng.integers(0, 256, (ROWS, images.channels, images.height, images.width)).astype(np.uint8)
    return rng.standard_normal((ROWS, images.width))


def test_every_network_is_exported_here() -> None:
    assert {model(case).training.network for case in CASES} == set(NETWORKS)


@pytest.mark.parametrize("case", CASES)
def test_onnx_scores_as_the_model_does(case: str) -> None:
    ours, X = model(case), rows(model(case).images)
    session = onnxruntime.InferenceSession(onnx_bytes(ours, "a-fingerprint"))
    for some in (X, X[:1]):
        scores, probabilities = session.run(None, {"input": some.astype(np.float32)})
        np.testing.assert_allclose(scores, ours.scores(some), atol=TOLERANCE)
        np.testing.assert_allclose(probabilities, ours.probabilities(some), atol=TOLERANCE)
    assert np.ptp(ours.scores(X)) > 0.1, "the scores differ from each other by far more"


def test_onnx_says_what_it_is() -> None:
    made = onnx.load_from_string(onnx_bytes(model("lenet"), "a-fingerprint"))
    assert [(one.domain, one.version) for one in made.opset_import] == [("", 13)]
    assert {prop.key: prop.value for prop in made.metadata_props} == {
        "dataset": "mnist", "fingerprint": "a-fingerprint",
    }  # fmt: skip


def test_files_keep_the_names_of_classes(tmp_path: Path) -> None:
    names = tuple(f"name, {k}" for k in range(model("mlp").images.classes))
    named = dataclasses.replace(model("mlp"), class_names=names)
    made = onnx.load_from_string(onnx_bytes(named, "f"))
    (tmp_path / "m").write_bytes(safetensors_bytes(named, "f"))
    with safe_open(tmp_path / "m", "numpy") as file:
        about = {prop.key: prop.value for prop in made.metadata_props}, file.metadata()
    assert [json.loads(one["class_names"]) for one in about] == [list(names)] * 2


def test_safetensors_have_the_names_and_shapes_of_pytorch() -> None:
    tensors = load(safetensors_bytes(model("lenet, colour, odd sides"), "f"))
    assert {name: array.shape for name, array in tensors.items()} == {
        "conv1.weight": (6, 3, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,),
        "fc1.weight": (120, 64), "fc1.bias": (120,), "fc2.weight": (84, 120), "fc2.bias": (84,),
        "fc3.weight": (5, 84), "fc3.bias": (5,),
    }  # fmt: skip
    assert {array.dtype for array in tensors.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("case", CASES)
def test_the_module_of_the_page_scores_as_the_model_does(case: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    ours, X = model(case), rows(model(case).images)
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes(ours, "f"))
    page = (REPOSITORY / "docs" / "export.md").read_text()
    plain, loading_plain, residual, loading = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[1:]
    module = plain + residual
    if not ours.training.architecture.blocks:
        loading = loading_plain
    names: dict[str, Any] = {"pixels": torch.from_numpy(X.astype(np.float32))}
    exec(module, names)  # noqa: S102
    exec(loading.replace("model.safetensors", str(tmp_path / "model.safetensors")), names)  # noqa: S102
    np.testing.assert_allclose(names["scores"].detach().numpy(), ours.scores(X), atol=TOLERANCE)


def test_safetensors_say_where_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(safetensors_bytes(model("mlp"), "a-fingerprint"))
    with safe_open(tmp_path / "m", "numpy") as file:
        about = file.metadata()
    assert (about["fingerprint"], about["image_shape"], about["layers"]) == (
        "a-fingerprint", "1x7x5", "fc1,fc2,fc3",
    )  # fmt: skip
