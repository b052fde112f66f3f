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
_ADAM = ("beta1", "beta2", "epsilon", "weight_decay")
_EXTRAPOLATION = ("extrapolation", "extrapolation_rate")
OPTIMIZERS = {
    "sgd": Optimizer("SGD", 0.01, ("weight_decay",)),
    "sgd_momentum": Optimizer("SGD with momentum", 0.01, ("momentum", "weight_decay")),
    "nesterov": Optimizer("SGD with Nesterov momentum", 0.01, ("momentum", "weight_decay")),
    "lars": Optimizer("LARS", 1.0, ("momentum", "weight_decay", "trust_coefficient", "denominator")),
    "adam": Optimizer("Adam", 0.001, _ADAM),
    "adamw": Optimizer("AdamW", 0.001, _ADAM),
    "lamb": Optimizer("LAMB", 0.01, _ADAM),
    "extrap_sgd": Optimizer("EXTRAP-SGD", 0.01, ("momentum", "weight_decay", *_EXTRAPOLATION)),
    "extrap_adam": Optimizer("EXTRAP-Adam", 0.001, (*_ADAM, *_EXTRAPOLATION)),
}
_RATES = ", ".join(f"{name} {row.learning_rate:g}" for name, row in OPTIMIZERS.items())


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """The choice of an optimizer, and the settings of optimizers.

    A learning rate of None is replaced by the optimizer's default.
    """

    optimizer: str = setting("lars", "optimizer", Choice(OPTIMIZERS))
    learning_rate: float | None = setting(
        None,
        f"global learning rate, measured in docs/optimizers.md (default: {_RATES})",
        Real(low=0),
    )
    momentum: float = setting(0.9, "momentum", Real(low=0, below=1), of="optimizer")
    weight_decay: float = setting(
        0.0001,
        "weight decay: inside the gradient, but for AdamW and LAMB",
        Real(low=0),
        of="optimizer",
    )
    trust_coefficient: float = setting(0.001, "trust coefficient", Real(low=0), of="optimizer")
    denominator: str = setting(
        "sum",
        "what the trust ratio divides by: sum, |g| + decay * |w|, or joint, |g + decay * w|, as optax has it",
        Choice(("sum", "joint")),
        of="optimizer",
    )
    beta1: float = setting(0.9, "decay of the mean of the gradients", Real(low=0, below=1), of="optimizer")
    beta2: float = setting(0.999, "decay of the mean of their squares", Real(low=0, below=1), of="optimizer")
    epsilon: float = setting(1e-8, "added to the root of the mean of squares", Real(above=0), of="optimizer")
    extrapolation: str = setting(
        "past_gradient",
        "where a worker takes its gradient: away from the weights along its own past gradient, or by noise",
        Choice(("past_gradient", "uniform_noise", "gaussian_noise", "none")),
        of="optimizer",
    )
    extrapolation_rate: float | None = setting(
        None,
        "length of the extrapolation (default: learning rate / workers)",
        Real(low=0),
        of="optimizer",
        dml=lambda rate: {} if rate is None else {"extrapolation_rate": float(rate)},
    )
    clip_norm: float = setting(0.0, "largest norm of the gradient that is used; 0: any", Real(low=0))
    scope: str = setting(
        "layer",
        "what has norms of its own, and a trust ratio: a layer with its bias, or every array",
        Choice(("layer", "parameter")),
    )
    adapt_biases: bool | None = setting(
        None,
        "give biases, and scales of batch normalisation, a trust ratio too (default: yes, but for "
        "resnet8 and resnet20)",
    )
    decay_biases: bool | None = setting(
        None,
        "let weight decay act on them too (default: yes, but for resnet8 and resnet20)",
    )

    def __post_init__(self) -> None:
        if self.learning_rate is None and self.optimizer in OPTIMIZERS:
            object.__setattr__(self, "learning_rate", OPTIMIZERS[self.optimizer].learning_rate)
        super().__post_init__()
