"""The estimate of the heap that a run needs, and what is remarked on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from largebatch.data import Dataset, load
from largebatch.data.dataset import Part
from largebatch.errors import UserError
from largebatch.runs import memory
from largebatch.runs.memory import (
    COPIES_OF_DATA,
    ESTIMATE_MARGIN,
    JVM_BASE_BYTES,
    driver_bytes,
    heap_bytes,
)
from largebatch.runs.preflight import check
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset

GB = 2**30
SMALL = Training(dataset="idx", network="softmax", batch_size=8)


@pytest.fixture(autouse=True)
def free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 64 * GB)


def test_more_memory_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * GB)
    with pytest.raises(UserError, match=r"--memory 4g is more than the 3\.0 GB free here"):
        check(SMALL, Execution(memory="4g"), dataset())
    assert check(SMALL, Execution(memory="3g"), dataset()) == []


def test_memory_that_nobody_knows_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert check(SMALL, Execution(memory="4000g"), dataset()) == []


def test_a_heap_that_may_be_too_small_is_remarked_with_a_remedy() -> None:
    training = dataclasses.replace(SMALL, network="lenet", batch_size=2048)
    images = dataset(rows=4096, side=28)
    need = heap_bytes(training, "spark", images)
    enough = int(ESTIMATE_MARGIN * need) // 2**20 + 1
    assert check(training, Execution(memory=f"{enough}m"), images) == []
    (remark,) = check(training, Execution(memory="512m"), images)
    assert remark.startswith(f"About {need / GB:.1f} GB of heap are the least for this, --memory is 512m: ")
    assert remark.endswith("; raise --memory or lower --micro-batch.")
    (remark,) = check(dataclasses.replace(training, network="resnet8"), Execution(memory="512m"), images)
    assert remark.endswith("; raise --memory."), "another --micro-batch would train another network"


def test_for_training_data_that_a_driver_cannot_permute_executors_are_advised() -> None:
    """It keeps matrices in 70 % of the heap: the data before and after, 8 bytes a number."""
    images = dataset(rows=1000, side=2**8 + 1)  # an odd number of pixels, which are not packed
    enough = -(-int(2 * 8 * 1000 * 257**2 / 0.7) // 2**20)
    for megabytes, mode, advised in (
        (enough - 1, "spark", True),
        (enough, "spark", False),
        (1024, "local", False),
    ):
        said = "".join(check(SMALL, Execution(mode=mode, memory=f"{megabytes}m"), images))
        assert ("raise --memory or begin a run with --data-placement executors" in said) == advised


def test_what_the_driver_permutes_are_the_inputs_of_the_network() -> None:
    images = dataset(rows=50, side=28)
    lenet, softmax = (dataclasses.replace(SMALL, network=name) for name in ("lenet", "softmax"))
    of = {t.network: driver_bytes(t, images.train, images.images) for t in (lenet, softmax)}
    assert of["lenet"] == int(2 * 8 * 50 * 32 * 32 / 4 / 0.7)
    assert of["softmax"] == int(2 * 8 * 50 * 28 * 28 / 4 / 0.7)


def test_what_the_driver_permutes_has_the_zeros_around_images() -> None:
    images = dataset(rows=50, side=28)
    settings: dict[str, Any] = {"dataset": "idx", "pad_to": 32, "batch_size": 8}
    for more, pixels in (({}, 36**2), ({"augment": "standard"}, 32**2), ({"network": "softmax"}, 32**2)):
        found = driver_bytes(Training(**settings, **more), images.train, images.images)
        assert found == int(2 * 8 * 50 * pixels / 4 / 0.7)


def test_the_estimate_counts_the_zeros_around_images() -> None:
    """They are few enough to leave the images dense."""
    for mode in ("local", "spark"):
        plain, larger = (heap(mode, pad_to=side) - JVM_BASE_BYTES for side in (0, 32))
        assert larger / plain == pytest.approx((32 / 28) ** 2, rel=1e-3)


def heap(mode: str = "local", **settings: Any) -> int:
    return heap_bytes(Training(**settings), mode, dataset(rows=4096, side=28))


def test_the_estimate_depends_on_the_batch_size_up_to_the_micro_batch_only() -> None:
    sizes = [heap(batch_size=4 * rows, micro_batch=64) for rows in (16, 32, 64, 65, 128, 1024)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[2:] == [sizes[2]] * 4


def test_the_estimate_counts_the_training_rows_that_are_picked_for_evaluations() -> None:
    assert heap(evaluate_train_rows=1024) - heap() == 8 * 1024 * 28 * 28
    assert heap(evaluate_train_rows=4096) == heap()


def test_the_estimate_grows_with_what_takes_memory() -> None:
    small = heap(batch_size=1024, micro_batch=64)
    assert heap(batch_size=1024, micro_batch=128) > small
    assert heap(batch_size=1024, micro_batch=64, workers=8) > small
    assert heap(batch_size=1024, micro_batch=64, network="softmax") < small
    assert heap_bytes(Training(micro_batch=64), "local", dataset(rows=8192, side=28)) > small


def test_images_that_are_mostly_black_take_less() -> None:
    """12 bytes for each pixel that is not zero, instead of 8 for each."""
    dense = dataset(rows=4096, side=28)
    few = dataclasses.replace(dense.train, X=dense.train.X * (dense.train.X < 64))
    sparse = dataclasses.replace(dense, train=few)
    training = Training(micro_batch=64, batch_size=256)
    saved = heap_bytes(training, "local", dense) - heap_bytes(training, "local", sparse)
    pixels = 4096 * 28 * 28
    assert saved == pytest.approx(COPIES_OF_DATA * pixels * (8 - 12 * 63 / 256), rel=0.01)
    on_spark = heap_bytes(training, "spark", dense) - heap_bytes(training, "spark", sparse)
    assert on_spark == pytest.approx(saved * (COPIES_OF_DATA - 1) / COPIES_OF_DATA, rel=0.01), "one is dense"


def test_spark_cuts_dense_rows_that_hold_four_pixels_a_number_if_they_can() -> None:
    training = Training(micro_batch=64, batch_size=256)
    for side, bytes_of_a_pixel in ((28, 8 / 4), (27, 8)):
        images = dataset(rows=4096, side=side)
        more = heap_bytes(training, "spark", images) - heap_bytes(training, "local", images)
        assert more == pytest.approx(4096 * side * side * (bytes_of_a_pixel - 8), rel=0.01)


def test_the_defaults_fit_mnist_into_the_default_heap() -> None:
    mnist = dataset(rows=60000, side=28)
    assert check(Training(batch_size=32768), Execution(), mnist) == []


def noise(channels: int) -> Dataset:
    """8192 training and 1024 test images of 32 x 32 pixels, none of them zero."""
    X = np.random.default_rng(1).integers(1, 256, (9216, channels, 32, 32)).astype(np.uint8)
    y = np.arange(9216) % 10
    return Dataset("noise", "noise", Part(X[:8192], y[:8192]), Part(X[8192:], y[8192:]))


@pytest.mark.parametrize(
    ("channels", "network", "short", "enough"),
    [(1, "lenet", 512, 600), (3, "lenet", 1000, 1300), (3, "softmax", 700, 900)],
)
def test_the_estimate_for_dense_images_is_right_within_30_percent(
    channels: int, network: str, short: int, enough: int
) -> None:
    """As the one below, in local mode."""
    need = heap_bytes(Training(batch_size=2048, network=network), "local", noise(channels)) / 2**20
    assert 0.7 * enough < need < 1.3 * short


@pytest.mark.parametrize(
    ("name", "mode", "settings", "short", "enough"),
    [
        ("mnist", "local", {}, 690, 790),
        ("mnist", "spark", {}, 756, 823),
        ("mnist", "local", {"micro_batch": 128}, 524, 603),
        ("mnist", "spark", {"network": "softmax"}, 512, 512),  # the least that is taken was enough
        ("digits", "local", {}, 1026, 1180),
    ],
)
def test_the_estimate_is_right_within_30_percent(
    request: pytest.FixtureRequest, name: str, mode: str, settings: dict[str, Any], short: int, enough: int
) -> None:
    """Of the smallest heap, in MB, for two epochs at batch size 2048: docs/notebook/memory.md."""
    folder = request.getfixturevalue("mnist_dir" if name == "mnist" else "cache_home")
    images = load(name, folder if name == "mnist" else None)
    need = heap_bytes(Training(batch_size=2048, **settings), mode, images) / 2**20
    assert 0.7 * enough < need < 1.3 * short
