"""A trained network as a safetensors file, with the names and shapes that PyTorch's layers have."""

from __future__ import annotations

import numpy as np

from largebatch.export.arrays import shaped_arrays
from largebatch.export.need import need
from largebatch.export.origin import origin
from largebatch.models.model import Model


def safetensors_bytes(model: Model, fingerprint: str) -> bytes:
    """The file's content: float32; filters (F, C, side, side), matrices (outputs, inputs), all else flat.

    Its metadata say the order of the layers, what pixels are divided by before the first, and how many zeros
    stand left and right of an image, above and below. Raises UserError without safetensors.
    """
    save = need("safetensors.numpy", "export").save
    tensors = {
        name: np.ascontiguousarray(array.T if array.ndim == 2 else array)
        for name, array in shaped_arrays(model)
    }
    (top, bottom), (left, right) = model.margins
    metadata = {
        "format": "pt",
        "network": model.training.network,
        "layers": ",".join(model.training.architecture.layers),
        "padding": str(model.padding),
        "pixel_scale": str(model.images.pixel_scale),
        "image_shape": "x".join(map(str, model.shape)),
        "margins": ",".join(map(str, (left, right, top, bottom))),
        **origin(model, fingerprint),
    }
    return bytes(save(tensors, metadata))
