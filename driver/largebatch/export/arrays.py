"""The arrays of a trained network in the shapes that other programs have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from largebatch.models.model import Model

Float32 = npt.NDArray[np.float32]


def shaped_arrays(model: Model) -> Iterator[tuple[str, Float32]]:
    """Names and arrays: filters (F, C, side, side), matrices (inputs, outputs), all else flat."""
    network = model.training.architecture
    for number, (name, array) in enumerate(model.arrays.items()):
        plain = np.asarray(array, np.float32)
        layer, kind = name.rsplit(".", 1)
        if kind == "bias" or layer in network.norms:
            yield name, plain.ravel()
        elif network.blocks and layer != network.layers[-1]:
            side = 1 if layer.endswith(".downsample.0") else 3
            yield name, plain.reshape(len(plain), -1, side, side)
        elif number // 2 < model.convolutions:
            yield name, plain.reshape(len(plain), -1, 5, 5)
        else:
            yield name, plain
