"""Metrics from train.dml's matrix and its names of columns, and the reading of metrics.csv."""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from largebatch.records.metrics import EPOCH_COLUMNS, from_matrix, parse_columns, parse_metrics
from largebatch.settings.networks import NETWORKS

SOFTMAX, LENET = NETWORKS["softmax"], NETWORKS["lenet"]
BASE = [name for name in EPOCH_COLUMNS if not name.startswith("test_")]
VALUES = dict(zip(EPOCH_COLUMNS, (1, 5, 40, 0.5, 2.5, 0.75, 2.0, 0.25, 0.5, 0.125), strict=True))


def table(columns: Sequence[str] | None, values: Sequence[float]) -> pd.DataFrame:
    return from_matrix(np.array([values], dtype=float), columns, SOFTMAX)


# ---- columns by name ----


@pytest.mark.filterwarnings("error")
def test_hundreds_of_groups_are_read_without_a_warning() -> None:
    network, noise = (
        NETWORKS["resnet20"],
        [f"noise.{name}" for name in ("updates", "G2", "S", "G4", "S2", "G2S")],
    )
    groups = [f"{number}.trust_ratio" for number in range(1, len(network.arrays) + 1)]
    more = [f"{number}.weight_norm" for number in range(1, len(network.arrays) + 1)]
    names = [*EPOCH_COLUMNS, *groups, *more, *noise]
    found = from_matrix(np.ones((1, len(names))), names, network)
    assert found["layer3.2.bn2.weight_trust_ratio"].tolist() == [1]


def test_a_folder_that_names_no_columns_has_those_of_the_version_before() -> None:
    unnamed = table(None, [*VALUES.values(), 7, 8, 9])
    named = table(
        [*EPOCH_COLUMNS, "1.weight_norm", "1.gradient_norm", "1.trust_ratio"], [*VALUES.values(), 7, 8, 9]
    )
    pd.testing.assert_frame_equal(unnamed, named)
    assert list(unnamed)[-3:] == ["fc_weight_norm", "fc_gradient_norm", "fc_trust_ratio"]


def test_columns_are_found_by_their_names_wherever_they_stand() -> None:
    names = ["seconds", "staleness", *(name for name in BASE if name != "seconds")]
    values = [VALUES.get(name, 3.0) for name in names]
    found = table(names, values)
    assert list(found)[:3] == ["seconds", "images_per_second", "staleness"]
    assert found["images_per_second"].tolist() == [80.0]
    assert found["train_accuracy"].tolist() == [0.75]
    assert "test_accuracy" not in found


def test_a_validation_part_has_columns_of_its_own() -> None:
    names = [*BASE[:6], "validation_loss", "validation_accuracy", *BASE[6:]]
    found = table(names, [*list(VALUES.values())[:6], 1.5, 0.125, 0.5, 0.125])
    assert found[["validation_loss", "validation_accuracy"]].to_numpy().tolist() == [[1.5, 0.125]]


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        (BASE, 7),
        (BASE[1:], 7),
        (None, 14),
        ([*BASE, "1.trust_ratio", "2.trust_ratio", "3.trust_ratio"], 11),
        ([*BASE, "2.trust_ratio"], 9),
    ],
    ids=["too few", "without the epoch", "half a group", "too many groups", "another group"],
)
def test_a_matrix_that_does_not_fit_its_names_is_refused(columns: list[str] | None, count: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        table(columns, [1.0] * count)


def test_names_stand_in_one_line() -> None:
    assert parse_columns(b"epoch,train_loss,1.trust_ratio\n") == ["epoch", "train_loss", "1.trust_ratio"]


@pytest.mark.parametrize("content", [b"", b"epoch,,seconds", b"epoch,epoch", b"a\nb", b'"a"', b"\xff"])
def test_other_content_is_no_line_of_names(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_columns(content)


# ---- metrics.csv ----


def csv(names: Sequence[str], *rows: Sequence[object]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in (names, *rows)).encode()


def test_a_table_of_hundreds_of_columns_takes_another_without_a_warning() -> None:
    names = [*EPOCH_COLUMNS, *(f"layer{i}_trust_ratio" for i in range(200))]
    read = parse_metrics(csv(names, [1] * len(names)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read.assign(line="SGD", batch_size=8)["line"].tolist() == ["SGD"]


def test_every_double_survives() -> None:
    """By its default, pandas 2 reads a third of them with a wrong last digit."""
    bits = np.random.default_rng(4).integers(0, 2**64, 3000, dtype=np.uint64)
    drawn = bits.view(np.float64)
    doubles = [1 / 3, 5e-324, 1.7976931348623157e308, 2.0**60 + 4096, *drawn[np.isfinite(drawn)].tolist()]
    frame = pd.DataFrame({name: [VALUES[name]] * len(doubles) for name in BASE})
    frame["epoch"] = range(1, len(doubles) + 1)
    frame["train_loss"] = doubles
    found = parse_metrics(frame.to_csv(index=False).encode())
    assert found["train_loss"].tolist() == doubles


def test_a_table_that_an_editor_saved_with_a_byte_order_mark_is_read() -> None:
    content = csv(BASE, [VALUES[name] for name in BASE])
    pd.testing.assert_frame_equal(parse_metrics(codecs.BOM_UTF8 + content), parse_metrics(content))


def test_losses_that_are_no_numbers_are_kept() -> None:
    frame = pd.DataFrame([VALUES]).assign(train_loss=np.nan, test_loss=np.inf)
    found = parse_metrics(frame.to_csv(index=False).encode())
    assert np.isnan(found["train_loss"][0]) and found["test_loss"][0] == np.inf


def test_a_table_without_test_part_is_whole() -> None:
    found = parse_metrics(csv(BASE, [VALUES[name] for name in BASE]))
    assert list(found) == BASE
    assert found["updates"].dtype == found["epoch"].dtype == "int64"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([*BASE, "test_loss"], "lacks test_accuracy"),
        ([*BASE, "validation_accuracy"], "lacks validation_loss"),
        ([*BASE[1:], "extra"], "lacks epoch"),
        ([*BASE, "seconds"], "has a column twice"),
    ],
)
def test_names_that_a_table_can_not_have(names: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_metrics(csv(names, [VALUES.get(name, 0.5) for name in names]))


@pytest.mark.parametrize("name", ["validation_accuracy", "test_accuracy"])
@pytest.mark.parametrize("value", ["1.5", ""])
def test_an_accuracy_is_a_share(name: str, value: str) -> None:
    names = [*BASE, name, name.replace("accuracy", "loss")]
    row = [*(VALUES[n] for n in BASE), value, 0.5]
    with pytest.raises(ValueError, match="accurac"):
        parse_metrics(csv(names, row))
