"""Networks: their names and settings. The mathematics is in dml/networks/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from largebatch.files.names import Argument
from largebatch.settings.ranges import LARGEST, Choice, Real, Whole
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Network:
    """A network of dml/networks/.

    `layers` names the layers and `arrays` the parameter arrays in the order of its `shapes`. `settings` are
    its own of those below. `min_side` is the smallest image side that leaves a pixel after the last pooling,
    for each padding. `values_per_pixel` is the number of doubles that a row of a micro-batch holds per pixel,
    maps and gradients, for the estimate of memory; `values_per_row` are those that don't depend on the
    pixels. The first layers, `convolutions` of them, are convolutions of 5 x 5 with ReLU and 2x2 max pooling;
    the others are affine, with ReLU behind all but the last. A residual network has `blocks` of them in a
    stage, and `norms` name its batch normalisations, which have moments. `micro_batch` and `adapts_biases`,
    also whether biases decay, are defaults. `rough_rate` is the training rows a second, evaluations included,
    that two cores may do, for estimates before anything is measured. `sized`, if given, makes the row that
    holds for other settings.
    """

    layers: tuple[str, ...]
    arrays: tuple[str, ...]
    values_per_pixel: int
    settings: tuple[str, ...] = ()
    min_side: dict[str, int] = field(default_factory=lambda: {"same": 1, "valid": 1})
    convolutions: int = 0
    values_per_row: int = 0
    blocks: int = 0
    norms: tuple[str, ...] = ()
    micro_batch: int = 512
    adapts_biases: bool = True
    rough_rate: int = 1000
    sized: Callable[[NetworkSettings], Network] | None = None

    @property
    def needs_images(self) -> bool:
        """Whether plain features are of no use to it."""
        return self.convolutions + self.blocks > 0


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
        rough_rate=8000,
        sized=lambda settings: _mlp(settings.hidden),
    )


FILTERS = 16  # of the first stage


def _resnet(blocks: int, filters: int = FILTERS) -> Network:
    """A residual network with so many blocks in each of its three stages; names are those of torchvision."""
    units = [("conv1", "bn1")]
    for place in (f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(blocks)):
        units += [(f"{place}.conv1", f"{place}.bn1"), (f"{place}.conv2", f"{place}.bn2")]
        if place in ("layer2.0", "layer3.0"):
            units.append((f"{place}.downsample.0", f"{place}.downsample.1"))
    names = [(f"{conv}.weight", f"{norm}.weight", f"{norm}.bias") for conv, norm in units]
    return Network(
        (*(conv for conv, _ in units), "fc"),
        (*(name for three in names for name in three), "fc.weight", "fc.bias"),
        values_per_pixel=13 * blocks * filters,
        settings=("filters", "last_scale", "moments_decay"),
        min_side={"same": 8, "valid": 8},
        blocks=blocks,
        norms=tuple(norm for _, norm in units),
        micro_batch=64,
        adapts_biases=False,
        rough_rate=160 // blocks,
        sized=lambda settings: _resnet(blocks, settings.filters),
    )


_LENET = ("conv1", "conv2", "fc1", "fc2", "fc3")


def _lenet(padding: str = "same") -> Network:
    return Network(
        _LENET,
        _weights_and_biases(_LENET),
        16,
        settings=("padding",),
        min_side={"same": 4, "valid": 16},
        convolutions=2,
        rough_rate=2400 if padding == "same" else 5000,  # with fewer pixels in the second maps
        sized=lambda settings: _lenet(settings.padding),
    )


HIDDEN = (256, 128)

NETWORKS = {
    "lenet": _lenet(),
    "softmax": Network(("fc",), _weights_and_biases(("fc",)), 2, rough_rate=10_000),
    "mlp": _mlp(HIDDEN),
    "resnet8": _resnet(1),
    "resnet20": _resnet(3),
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
    filters: int = setting(
        FILTERS,
        "filters of the first stage; the second and third have twice and four times as many",
        Whole(low=1, high=512),
        of="network",
    )
    last_scale: float = setting(
        1.0,
        "start value of the last scale of each block; 0: a block begins as its shortcut",
        Real(low=0),
        of="network",
    )
    moments_decay: float = setting(
        0.9,
        "share of the running means and variances that an update leaves",
        Real(low=0, below=1),
        of="network",
    )
    pad_to: int = setting(
        0,
        "pixels a side that smaller images get by zeros around them, such as 32; 0: images as they are",
        Whole(low=0, high=1024),
    )
    micro_batch: int | None = setting(
        None,
        "rows a worker computes on at a time; bounds the memory, not the result, but for networks with batch "
        "normalisation, which normalise over these rows (default: 512, resnet8 and resnet20 64)",
        Whole(low=1),
    )

    def __post_init__(self) -> None:
        if self.micro_batch is None and self.network in NETWORKS:
            object.__setattr__(self, "micro_batch", self.rows_at_a_time)
        super().__post_init__()

    @property
    def rows_at_a_time(self) -> int:
        """Rows of a micro-batch."""
        return self.micro_batch or NETWORKS[self.network].micro_batch

    @property
    def architecture(self) -> Network:
        """The row of the chosen network, with the layers that the settings give it."""
        row = NETWORKS[self.network]
        return row if row.sized is None else row.sized(self)
