"""Optimizers: their names and settings. The mathematics is in dml/optimizers/."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.settings.ranges import Choice, Real
from largebatch.settings.values import Settings, setting


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of dml/optimizers/: its name in reports, its default rate, its own settings."""

    title: str
    learning_rate: float
    settings: tuple[str, ...]


# Default rates are those of Table 1 of the paper, but for LARS. With a trust coefficient of 0.001 the printed
# 0.01 moves a layer by 1e-5 of its norm per step and hardly trains.
OPTIMIZERS = {
    "sgd": Optimizer("SGD", 0.01, ("weight_decay",)),
    "sgd_momentum": Optimizer("SGD with momentum", 0.01, ("momentum", "weight_decay")),
    "lars": Optimizer(
        "LARS", 1.0, ("momentum", "weight_decay", "trust_coefficient", "scope", "adapt_biases")
    ),
}
_RATES = ", ".join(f"{name} {row.learning_rate:g}" for name, row in OPTIMIZERS.items())


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """The choice of an optimizer, and the settings of optimizers.

    A learning rate of None is replaced by the optimizer's default.
    """

    optimizer: str = setting("lars", "optimizer", Choice(OPTIMIZERS))
    learning_rate: float | None = setting(None, f"global learning rate (default: {_RATES})", Real(low=0))
    momentum: float = setting(0.9, "momentum", Real(low=0, below=1), of="optimizer")
    weight_decay: float = setting(0.0001, "weight decay, inside the gradient", Real(low=0), of="optimizer")
    trust_coefficient: float = setting(0.001, "trust coefficient", Real(low=0), of="optimizer")
    scope: str = setting(
        "layer",
        "what gets a trust ratio of its own: a layer with its bias, or every array",
        Choice(("layer", "parameter")),
        of="optimizer",
    )
    adapt_biases: bool = setting(True, "give biases a trust ratio too", of="optimizer")

    def __post_init__(self) -> None:
        if self.learning_rate is None and self.optimizer in OPTIMIZERS:
            object.__setattr__(self, "learning_rate", OPTIMIZERS[self.optimizer].learning_rate)
        super().__post_init__()
