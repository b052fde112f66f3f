"""Protocols of the parameter server: their names and settings. The mathematics is in dml/protocols/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from largebatch.settings.ranges import Choice, Whole
from largebatch.settings.values import NotPassed, Settings, check, setting


@dataclass(frozen=True)
class Protocol:
    """A protocol: its name in reports and its own settings.

    `reproducible` says whether equal runs can be equal to the last bit. `gradients` gives the number of
    workers' gradients that make an update, from the number of workers and the settings. `drops` says whether
    the server leaves out stale gradients. The title may name settings, as in "{softsync_n}-softsync".
    """

    title: str
    reproducible: bool
    gradients: Callable[[int, ProtocolSettings], int]
    settings: tuple[str, ...] = ()
    drops: bool = False


PROTOCOLS = {
    "hardsync": Protocol("hardsync", reproducible=True, gradients=lambda k, _: k),
    "softsync": Protocol(
        "{softsync_n}-softsync",
        reproducible=False,
        gradients=lambda k, settings: k // settings.softsync_n,
        settings=("softsync_n", "staleness_modulation", "repetition"),
    ),
    "async": Protocol(
        "asynchronous",
        reproducible=False,
        gradients=lambda k, _: 1,
        settings=("staleness_modulation", "repetition"),
    ),
    "backup": Protocol(
        "backup workers ({backup_workers})",
        reproducible=False,
        gradients=lambda k, settings: k - settings.backup_workers,
        settings=("backup_workers", "repetition"),
        drops=True,
    ),
}


@dataclass(frozen=True)
class ProtocolSettings(Settings):
    """The choice of a protocol, and the settings of protocols."""

    protocol: str = setting("hardsync", "when the server updates the weights", Choice(PROTOCOLS))
    softsync_n: int = setting(
        1,
        "an update takes the first floor(workers / n) gradients; from 1 to --workers",
        Whole(low=1),
        of="protocol",
    )
    backup_workers: int = setting(
        1,
        "B: an update takes the first workers - B gradients of the current weights; less than --workers",
        Whole(low=1),
        of="protocol",
    )
    staleness_modulation: str = setting(
        "none",
        "what the learning rate is divided by: nothing, the measured mean staleness, or each gradient's own",
        Choice(("none", "average", "per_gradient")),
        of="protocol",
    )

    repetition: int = setting(
        1,
        "number of this run among those with equal settings, which differ all the same",
        Whole(low=1),
        of="protocol",
        dml=NotPassed("it changes nothing but the name of the run"),
    )

    @property
    def protocol_title(self) -> str:
        """Name of the protocol in reports, with its own numbers."""
        return PROTOCOLS[self.protocol].title.format_map(self.to_mapping())

    def gradients_per_update(self, workers: int) -> int:
        """Number of workers' gradients that make an update."""
        return PROTOCOLS[self.protocol].gradients(workers, self)

    def check_workers(self, workers: int) -> None:
        """Raises UserError if the settings of the protocol do not fit the number of workers."""
        if self.belongs("softsync_n"):
            _check_softsync(self.softsync_n, workers)
        if self.belongs("backup_workers"):
            check(
                self.backup_workers < workers,
                f"--backup-workers {self.backup_workers} must be less than --workers {workers}",
            )


def _check_softsync(n: int, k: int) -> None:
    """n must be the largest one whose updates take as many gradients: smaller ones are the same protocol."""
    check(n <= k, f"--softsync-n {n} must be from 1 to --workers {k}")
    valid = sorted({k // (k // i) for i in range(1, k + 1)})
    below, above = max((i for i in valid if i < n), default=1), min(i for i in valid if i >= n)
    taken = "1 gradient" if k // n == 1 else f"{k // n} gradients"
    check(
        n == above,
        f"--softsync-n {n} with --workers {k} is that of {above}: an update takes {taken}; "
        f"the nearest are {below} and {above}",
    )
