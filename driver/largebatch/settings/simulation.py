"""Settings of `largebatch simulate`, beside those of the protocols."""

from __future__ import annotations

from dataclasses import dataclass

from largebatch.settings.ranges import LARGEST, Real, Whole
from largebatch.settings.values import Settings, setting

_SECONDS = Real(low=0, high=1e6, unit="seconds")


@dataclass(frozen=True)
class SimulationSettings(Settings):
    """What is simulated. Default costs: LeNet on 2 cores, in a sitting before that of docs/scaling.md."""

    compute_time: str = setting(
        "lognormal:0.1,0.3",
        "time that a worker takes for a gradient, a kind and its mean in seconds: constant:0.1, "
        "exponential:0.1, lognormal:0.1,0.3 (with the coefficient of variation), straggler:0.1,10 (constant, "
        "but one worker takes 10 times as long)",
    )
    batch_size_per_worker: int = setting(32, "rows that a worker takes for a gradient", Whole(low=1))
    seed: int = setting(1, "seed of the times", Whole(0, LARGEST))
    rows: int = setting(60000, "training rows of an epoch, which the workers share", Whole(low=1))
    push_seconds: float = setting(0.0042, "time of the server for each push", _SECONDS)
    update_seconds: float = setting(0.009, "time of the server for each update", _SECONDS)
    push_bytes: float = setting(
        2.72e6, "bytes that a worker pulls and pushes for a gradient", Real(low=0, high=1e15)
    )
    bits_per_second: float | None = setting(
        None, "speed of the server's network (default: unlimited)", Real(low=1, high=1e15)
    )
