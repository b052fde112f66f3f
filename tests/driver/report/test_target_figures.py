"""The figures of targets, noise scale and rates: drawn where a study has the data, and what they show."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from matplotlib.figure import Figure

from largebatch.report import figures, rates
from largebatch.report.figures.noise import final, noise_scales
from largebatch.report.targets import steps
from tests.support.made_up import NEVER, table, tried

BENT = {64: [100.0, 90.0], 128: [60.0, 50.0], 256: [50.0, 45.0]}
NONE = steps.medians(steps.no_steps())


def noisy(scales: list[float], size: int = 64) -> pd.DataFrame:
    """The epochs of a run with these noise scales."""
    rows = [
        ("run", "sgd", size, 1, epoch, 1.0, s, s / 2, 2 * s)
        if s > 0
        else ("run", "sgd", size, 1, epoch, -1.0, s, 0.0, math.inf)
        for epoch, s in enumerate(scales, start=1)
    ]
    names = (
        "name",
        "line",
        "batch_size",
        "seed",
        "epoch",
        "gradient_squared",
        "noise_scale",
        "noise_scale_low",
        "noise_scale_high",
    )
    return pd.DataFrame(rows, columns=list(names))


def drawn(medians: pd.DataFrame, epochs: pd.DataFrame) -> dict[str, figures.Figure]:
    return {figure.name: figure for figure in figures.draw_targets(medians, epochs, {"sgd": 128})}


@pytest.fixture(scope="module")
def of_targets() -> dict[str, figures.Figure]:
    lines = {"sgd": BENT, "lars": {64: [100.0], 128: [50.0], 256: [NEVER]}}
    both = pd.concat([table(lines), table({"sgd": {64: [NEVER], 128: [NEVER]}}, target=0.99)])
    return drawn(steps.medians(both), noisy([1, 2]).iloc[:0])


def test_steps_are_drawn_for_targets_that_were_reached(of_targets: dict[str, figures.Figure]) -> None:
    assert list(of_targets) == ["updates-to-90", "epoch-to-90", "seconds-to-90", "profile-90"]
    assert {figure.section for figure in of_targets.values()} == {"targets"}


def test_captions_name_what_is_drawn(of_targets: dict[str, figures.Figure]) -> None:
    updates, _, seconds, _ = of_targets.values()
    for words in ("Median over the seeds", "perfect scaling", "A ring: the knee", "A cross at the top"):
        assert words in updates.caption
    assert "perfect scaling" not in seconds.caption


def test_one_batch_size_or_none_is_not_drawn() -> None:
    assert drawn(steps.medians(table({"sgd": {64: [100.0]}})), noisy([1.0]).iloc[:0]) == {}
    assert drawn(NONE, noisy([NEVER, NEVER])) == {}
    assert drawn(NONE, noisy([5.0, 6.0]).drop(columns="noise_scale")) == {}


def test_the_noise_scale_is_drawn_with_the_batch_size_beyond_which_larger_ones_stop_paying() -> None:
    epochs = noisy([10, NEVER, 300]).replace({"noise_scale_high": {20: math.inf}})
    found = drawn(NONE, epochs)["noise-scale-sgd"]
    assert "300 rows, beyond which" in found.caption
    assert "the knee that was measured, 128" in found.caption


def bands(epochs: pd.DataFrame) -> tuple[str, list[list[tuple[float, float]]], float]:
    """The caption, each batch size's band as low and high by epoch, and the top of the axis."""
    (drawing,) = noise_scales({"sgd": epochs}, {})
    drawing.draw(ax := Figure().subplots())
    found = []
    for path in (path for band in ax.collections for path in band.get_paths()):
        x, y = path.vertices.T
        found.append([(y[x == epoch].min(), y[x == epoch].max()) for epoch in sorted(set(x))])
    return drawing.caption, found, ax.get_ylim()[1]


def test_the_band_of_one_seed_is_its_interval() -> None:
    caption, found, _ = bands(noisy([10, 30, 40]))
    assert found == [[(5, 20), (15, 60), (20, 80)]]
    assert "A line per batch size, with its interval at 95 %." in caption and "open" not in caption


def test_a_band_without_an_upper_end_is_open_up_to_the_top() -> None:
    """Where the estimate of |G|^2 is not above zero, too: the lower end is known."""
    caption, found, top = bands(noisy([10, 30, NEVER]).assign(noise_scale_low=[5, 15, 70.0]))
    assert found == [[(5, 20), (15, 60), (70, top)]]
    assert "A band up to the top is open: its upper end could not be measured." in caption


def test_an_epoch_of_which_nothing_is_known_has_no_band() -> None:
    unknown = {"noise_scale_low": [5, 15, 0.0], "noise_scale_high": [20, 60, math.inf]}
    assert bands(noisy([10, 30, 40]).assign(**unknown))[1] == [[(5, 20), (15, 60)]]
    without = bands(noisy([10, 30]).assign(noise_scale_low=math.nan, noise_scale_high=math.nan))
    assert without[0].startswith("A line per batch size. ")


def test_the_band_of_several_seeds_is_their_range() -> None:
    """One that noise hides leaves the band open, and the others stay in it."""
    runs = [
        noisy(scales).assign(name=str(seed), seed=seed)
        for seed, scales in enumerate(([10, 20, 40], [14, 30, NEVER], [11, 28, 60]))
    ]
    caption, found, top = bands(pd.concat(runs))
    assert found == [[(10, 14), (20, 30), (40, top)]]
    assert "A line per batch size, median over the seeds, with their range." in caption
    assert "interval" not in caption and "A band up to the top is open" in caption


def test_the_last_noise_scale_is_the_median_over_runs() -> None:
    runs = [noisy(scales).assign(name=str(n)) for n, scales in enumerate(([1, 2], [3, 8], [5, NEVER]))]
    assert final(pd.concat(runs)) == 8, "of 2, 8, and what was too large to be measured"


def test_a_noise_scale_that_could_not_be_measured_is_a_large_one() -> None:
    """Where noise hides the gradient, |G|^2 is negative; an earlier value would be far too small."""
    hidden = noisy([10, 20, math.nan])
    assert final(hidden) == math.inf
    caption = drawn(NONE, hidden)["noise-scale-sgd"].caption
    assert "At the end it is larger than could be measured." in caption and "Dotted" not in caption


def test_rates_are_drawn_with_hatches_where_runs_diverged() -> None:
    errors = rates.errors(tried({64: {0.1: 0.3, 1.0: 0.1, 10.0: None}, 128: {0.1: 0.4, 1.0: None}}))
    best, heat = figures.draw_rates(errors, "validation")
    assert (best.name, heat.name) == ("best-rate", "errors-lars")
    assert "square root (dotted)" in best.caption and "validation" in heat.caption
    hatches = re.findall(r'fill="url\(#([^)]+)\)"', heat.inline)
    ids = {element.get("id") for element in ET.fromstring(heat.inline).iter()}  # noqa: S314
    assert len(hatches) == 4, "two cells, the legend, and what it stands for"
    assert set(hatches) <= ids
    assert figures.draw_rates(errors.iloc[:0], "test") == []
