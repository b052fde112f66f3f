"""Networks: their names and settings. The mathematics is in dml/networks/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from largebatch.files.names import Argument
from largebatch.settings.ranges import LARGEST, Choice, Whole
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Network:
    """A network of dml/networks/.

    `layers` names the layers and `arrays` the parameter arrays in the order of its `shapes`. `settings` are
    its own of those below. `min_side` is the smallest image side that leaves a pixel after the last pooling,
    for each padding. `values_per_pixel` is the number of doubles that a row of a micro-batch holds per pixel,
    maps and gradients, for the estimate of memory; `values_per_row` are those that don't depend on the
    pixels. The first layers, `convolutions` of them, are convolutions of 5 x 5 with ReLU and 2x2 max pooling;
    the others are affine, with ReLU behind all but the last. `sized`, if given, makes the row that holds for
    other settings than the defaults.
    """

    layers: tuple[str, ...]
    arrays: tuple[str, ...]
    values_per_pixel: int
    settings: tuple[str, ...] = ()
    min_side: dict[str, int] = field(default_factory=lambda: {"same": 1, "valid": 1})
    convolutions: int = 0
    values_per_row: int = 0
    sized: Callable[[NetworkSettings], Network] | None = None


def _weights_and_biases(layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))


def _mlp(hidden: tuple[int, ...]) -> Network:
    layers = tuple(f"fc{number}" for number in range(1, len(hidden) + 2))
    return Network(
        layers,
        _weights_and_biases(layers),
        2,
        settings=("hidden",),
        values_per_row=4 * sum(hidden),
        sized=lambda settings: _mlp(settings.hidden),
    )


HIDDEN = (256, 128)
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
    "mlp": _mlp(HIDDEN),
}

PADDINGS = {"same": 2, "valid": 0}  # rows of zeros around a map, for filters of 5 x 5
MOST_LAYERS = 16  # hidden ones


def _widths(values: tuple[int, ...]) -> str | None:
    if 1 <= len(values) <= MOST_LAYERS and all(1 <= width <= LARGEST for width in values):
        return None
    return f"must be widths of 1 to {MOST_LAYERS} layers, whole numbers from 1, such as 256,128"


def _hidden(values: tuple[int, ...]) -> dict[str, Argument]:
    """DML reads a matrix from a text of numbers, and must know how many there are."""
    return {"hidden": " ".join(map(str, values)), "hidden_count": len(values)}


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
    hidden: tuple[int, ...] = setting(
        HIDDEN, "widths of the hidden layers, separated by commas", _widths, of="network", dml=_hidden
    )
    micro_batch: int = setting(
        512, "rows a worker computes on at a time; bounds the memory, not the result", Whole(low=1)
    )

    @property
    def architecture(self) -> Network:
        """The row of the chosen network, with the layers that the settings give it."""
        row = NETWORKS[self.network]
        return row if row.sized is None else row.sized(self)
