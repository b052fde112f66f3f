"""The nodes of a residual network in ONNX: see dml/layers/residual.dml."""

from __future__ import annotations

from typing import Any

from largebatch.models.residual import EPSILON
from largebatch.settings.networks import Network

Node = tuple[str, list[str], list[str], dict[str, Any]]  # operator, inputs, outputs, attributes


def residual_nodes(network: Network, start: str, scores: str) -> list[Node]:
    """From the scaled images `start` to the scores."""
    units = dict(zip(network.layers[:-1], network.norms, strict=True))
    nodes = [*_unit("conv1", units["conv1"], start, 1), ("Relu", ["bn1.out"], ["relu"], {})]
    last = "relu"
    for first in (layer for layer in units if layer.startswith("layer") and layer.endswith(".conv1")):
        block = first.removesuffix(".conv1")
        projection = f"{block}.downsample.0"
        stride = 2 if projection in units else 1
        nodes += _unit(first, units[first], last, stride)
        nodes.append(("Relu", [f"{block}.bn1.out"], [f"{block}.relu1"], {}))
        nodes += _unit(f"{block}.conv2", units[f"{block}.conv2"], f"{block}.relu1", 1)
        shortcut = last
        if projection in units:
            nodes += _unit(projection, units[projection], last, stride, side=1)
            shortcut = f"{units[projection]}.out"
        nodes.append(("Add", [f"{block}.bn2.out", shortcut], [f"{block}.sum"], {}))
        last = f"{block}.out"
        nodes.append(("Relu", [f"{block}.sum"], [last], {}))
    return [
        *nodes,
        ("GlobalAveragePool", [last], ["means"], {}),
        ("Flatten", ["means"], ["flat"], {"axis": 1}),
        ("Gemm", ["flat", "fc.weight", "fc.bias"], [scores], {}),
    ]


def _unit(conv: str, norm: str, before: str, stride: int, side: int = 3) -> list[Node]:
    """A convolution and its batch normalisation, whose output is `NORM.out`."""
    form = {"kernel_shape": [side, side], "strides": [stride, stride], "pads": [side // 2] * 4}
    arrays = [f"{norm}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")]
    return [
        ("Conv", [before, f"{conv}.weight"], [f"{conv}.maps"], form),
        ("BatchNormalization", [f"{conv}.maps", *arrays], [f"{norm}.out"], {"epsilon": EPSILON}),
    ]
