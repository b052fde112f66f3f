"""The gradient noise scale of each epoch, from the sums of dml/noise_scale.dml (McCandlish et al. 2018, A.1).

gradient_squared   |G|^2, the square of the gradient over all data, averaged over the epoch's updates
gradient_noise     S, the trace of the covariance of the gradients of single rows, averaged likewise
noise_scale        B_simple = S / |G|^2, in rows; empty if the estimate of |G|^2 is not above zero
noise_scale_low, noise_scale_high   its interval at 95 % by Fieller's theorem, for a ratio of two means;
                   `high` is infinite where the updates do not tell |G|^2 from zero, and `low` is still known;
                   both are empty for an epoch of one update
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

SUMS = tuple(f"noise.{name}" for name in ("updates", "G2", "S", "G4", "S2", "G2S"))
COLUMNS = ("gradient_squared", "gradient_noise", "noise_scale", "noise_scale_low", "noise_scale_high")
CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]


def with_noise_scale(table: pd.DataFrame) -> pd.DataFrame:
    """The table with COLUMNS in place of SUMS, where it has these."""
    if not set(SUMS) <= set(table):
        return table
    estimates = noise_scales(table[list(SUMS)].to_numpy(dtype=float))
    kept = table.drop(columns=list(SUMS))
    return kept.assign(**dict(zip(COLUMNS, estimates.T, strict=True)))


def noise_scales(sums: Floats) -> Floats:
    """COLUMNS of each row of SUMS, of shape (rows, 5)."""
    with np.errstate(all="ignore"):  # a diverged epoch has numbers that are none
        count, *totals = sums.T
        G2, S, G4, S2, G2S = (total / count for total in totals)
        covariances = np.array([G4 - G2 * G2, S2 - S * S, G2S - G2 * S]) / (count - 1)
        scale = np.where(G2 > 0, S / G2, np.nan)
        return np.column_stack([G2, S, scale, *_fieller(G2, S, covariances, count - 1)])


def _fieller(G2: Floats, S: Floats, covariances: Floats, freedom: Floats) -> list[Floats]:
    """Ends of the interval of S / G2: of all x >= 0 with (S - x G2)^2 <= t^2 var(S - x G2).

    That is a x^2 - 2 b x + c <= 0. For c <= 0 it holds at x = 0. For c > 0 the smallest root above zero is
    c / (b + root), whatever the sign of a. For a <= 0 it holds for all large x.

    covariances, of shape (3, rows), are the variances of both means, and their covariance.
    """
    from scipy.special import stdtrit

    t = stdtrit(freedom, (1 + CONFIDENCE) / 2)
    a, c, b = np.array([G2 * G2, S * S, G2 * S]) - t**2 * covariances
    root = np.sqrt(np.maximum(b**2 - a * c, 0))
    unusable = (a > 0) & (G2 <= 0)  # |G|^2 is not below zero: these updates tell nothing
    low = np.where((c > 0) & ~unusable, c / (b + root), 0.0)
    high = np.where((a > 0) & ~unusable, (b + root) / a, np.inf)
    known = (freedom > 0) & np.isfinite(S) & np.isfinite(G2)
    return [np.where(known, low, np.nan), np.where(known, high, np.nan)]
