"""Networks: their names and settings. The mathematics is in dml/networks/."""

from __future__ import annotations

from dataclasses import dataclass, field

from largebatch.settings.ranges import Choice, Whole
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Network:
    """A network of dml/networks/.

    `layers` names the layers and `arrays` the parameter arrays in the order of its `shapes`. `settings` are
    its own of those below. `min_side` is the smallest image side that leaves a pixel after the last pooling,
    for each padding. `values_per_pixel` is the number of doubles that a row of a micro-batch holds per pixel,
    maps and gradients, for the estimate of memory. The first layers, `convolutions` of them, are convolutions
    of 5 x 5 with ReLU and 2x2 max pooling; the others are affine, with ReLU behind all but the last.
    """

    layers: tuple[str, ...]
    arrays: tuple[str, ...]
    values_per_pixel: int
    settings: tuple[str, ...] = ()
    min_side: dict[str, int] = field(default_factory=lambda: {"same": 1, "valid": 1})
    convolutions: int = 0


def _weights_and_biases(layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))


_LENET = ("conv1", "conv2", "fc1", "fc2", "fc3")

NETWORKS = {
    "lenet": Network(
        _LENET,
        _weights_and_biases(_LENET),
        16,
        settings=("padding",),
        min_side={"same": 4, "valid": 16},
        convolutions=2,
    ),
    "softmax": Network(("fc",), _weights_and_biases(("fc",)), 2),
}

PADDINGS = {"same": 2, "valid": 0}  # rows of zeros around a map, for filters of 5 x 5


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """The choice of a network, and the settings of networks. Prediction needs them, too."""

    network: str = setting("lenet", "network", Choice(NETWORKS))
    padding: str = setting(
        "same",
        "zero padding of the convolutions",
        Choice(tuple(PADDINGS)),
        of="network",
        dml=lambda value: {"padding": PADDINGS[value]},
    )
    micro_batch: int = setting(
        512, "rows a worker computes on at a time; bounds the memory, not the result", Whole(low=1)
    )
