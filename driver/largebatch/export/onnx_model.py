"""A trained network as an ONNX file: pixels or features in, scores and probabilities of the classes out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from largebatch.export.arrays import shaped_arrays
from largebatch.export.need import need
from largebatch.export.onnx_residual import Node, residual_nodes
from largebatch.export.origin import origin
from largebatch.models.model import Model

OPSET, IR = 13, 7  # old enough for every reader of today
INPUT, SCORES, PROBABILITIES = "input", "scores", "probabilities"
MARGINS = "margins"
Pads = npt.NDArray[np.int64]


def onnx_bytes(model: Model, fingerprint: str) -> bytes:
    """The file's content. The input is float32, not yet scaled, of any number of rows.

    Images have the shape (N, channels, height, width); features (N, D). Raises UserError without onnx.
    """
    onnx = need("onnx", "export")
    helper = onnx.helper
    constants = {
        "pixel_scale": np.array(model.images.pixel_scale, np.float32),
        **dict(shaped_arrays(model)),
        **_margins(model),
    }
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in _nodes(model)],
        model.training.network,
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["N", *input_shape(model)])],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", model.images.classes])
            for name in (SCORES, PROBABILITIES)
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    made = helper.make_model(
        graph, producer_name="largebatch", ir_version=IR, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    helper.set_model_props(made, origin(model, fingerprint))
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def input_shape(model: Model) -> tuple[int, ...]:
    """The shape of a row of the input: features are images of one row of pixels."""
    channels, height, width = model.shape
    return (width,) if channels == height == 1 else (channels, height, width)


def _margins(model: Model) -> dict[str, Pads]:
    """The zeros around an image, as Pad takes them; empty without any."""
    (top, bottom), (left, right) = model.margins
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return {MARGINS: pads} if pads.any() else {}


def _nodes(model: Model) -> list[Node]:
    """Operator, inputs, outputs and attributes of each node."""
    network = model.training.architecture
    layers = network.layers
    nodes: list[Node] = [("Div", [INPUT, "pixel_scale"], ["scaled"], {})]
    last = "scaled"
    if _margins(model):
        nodes.append(("Pad", [last, MARGINS], ["padded"], {}))
        last = "padded"
    if network.blocks:
        nodes += residual_nodes(network, last, SCORES)
        return [*nodes, ("Softmax", [SCORES], [PROBABILITIES], {"axis": 1})]
    for layer in layers[: model.convolutions]:
        arrays = [f"{layer}.weight", f"{layer}.bias"]
        pads = {"kernel_shape": [5, 5], "pads": [model.padding] * 4}
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        nodes.append(("Conv", [last, *arrays], [f"{layer}.maps"], pads))
        nodes.append(("Relu", [f"{layer}.maps"], [f"{layer}.relu"], {}))
        nodes.append(("MaxPool", [f"{layer}.relu"], [f"{layer}.pool"], pool))
        last = f"{layer}.pool"
    nodes.append(("Flatten", [last], ["flat"], {"axis": 1}))
    last = "flat"
    for layer in layers[model.convolutions :]:
        out = SCORES if layer == layers[-1] else f"{layer}.sums"
        nodes.append(("Gemm", [last, f"{layer}.weight", f"{layer}.bias"], [out], {}))
        if out != SCORES:
            nodes.append(("Relu", [out], [f"{layer}.relu"], {}))
            last = f"{layer}.relu"
    return [*nodes, ("Softmax", [SCORES], [PROBABILITIES], {"axis": 1})]
