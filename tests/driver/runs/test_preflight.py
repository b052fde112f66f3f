"""What is known before a run: updates, and settings that don't fit the data."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from largebatch.data.dataset import Dataset, Part
from largebatch.data.validation import cut, cut_validation
from largebatch.errors import UserError
from largebatch.runs import memory
from largebatch.runs.preflight import check, updates_after, updates_per_epoch
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset

GB = 2**30
SMALL = Training(dataset="idx", network="softmax", batch_size=8)


@pytest.fixture(autouse=True)
def free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 64 * GB)


# ---- evaluations ----


def test_evaluations_need_a_part_to_evaluate() -> None:
    alone = dataclasses.replace(dataset(), test=None)
    for training, execution, option in (
        (dataclasses.replace(SMALL, evaluate_every=2), Execution(mode="local"), "--evaluate-every"),
        (SMALL, Execution(mode="local", target_accuracy=(0.5,)), "--target-accuracy"),
    ):
        check(training, execution, dataset())
        with pytest.raises(UserError, match=f"{option} needs a validation or a test part") as caught:
            check(training, execution, alone)
        assert "give --validation-rows" in str(caught.value)


def test_an_epoch_must_not_keep_more_weights_than_a_disk_holds() -> None:
    many = dataclasses.replace(SMALL, batch_size=4, evaluate_every=4)  # 10000 updates
    check(dataclasses.replace(many, evaluate_every=5), Execution(mode="local"), dataset(40000))
    with pytest.raises(
        UserError, match="more than 2000 of the 10000 updates of an epoch: raise it to at least 5"
    ):
        check(many, Execution(mode="local"), dataset(40000))


# ---- updates ----


def count_updates(rows: int, batch_size: int, workers: int) -> int:
    """As train.dml goes through an epoch: each worker takes its part in batches until nothing is left."""
    left, updates = rows // workers, 0
    while left > 0:
        left -= batch_size // workers
        updates += 1
    return updates


@pytest.mark.parametrize("workers", [1, 3, 4])
@pytest.mark.parametrize("batch_size", [12, 24, 36])
@pytest.mark.parametrize("rows", [36, 37, 38, 39, 40, 47, 48, 59, 60, 71, 72, 73])
def test_updates_are_those_counted_by_hand(rows: int, batch_size: int, workers: int) -> None:
    training = Training(batch_size=batch_size, workers=workers)
    assert updates_per_epoch(training, rows) == count_updates(rows, batch_size, workers)


@pytest.mark.parametrize(
    ("batch_size", "updates"), [(256, 235), (1024, 59), (8192, 8), (32768, 2), (60000, 1)]
)
def test_updates_of_mnist(batch_size: int, updates: int) -> None:
    assert updates_per_epoch(Training(batch_size=batch_size), 60000) == updates


@pytest.mark.parametrize(
    ("protocol", "pushes"),
    [({"protocol": "softsync", "softsync_n": 2}, 2), ({"protocol": "async"}, 1), ({"protocol": "backup"}, 4)],
)
def test_updates_of_protocols_are_their_shares_of_all_pushes(protocol: dict[str, Any], pushes: int) -> None:
    """13 batches of each of 5 workers are 65 pushes; what an epoch leaves over counts in the next."""
    training = Training(batch_size=40, workers=5, **protocol)
    assert [updates_after(training, 503, epochs) for epochs in (1, 2, 3)] == [
        65 * epochs // pushes for epochs in (1, 2, 3)
    ]
    assert updates_per_epoch(training, 503) == 65 // pushes


# ---- remarks and refusals ----


def test_a_run_that_depends_on_timing_says_so() -> None:
    training = dataclasses.replace(SMALL, protocol="softsync")
    remarks = check(training, Execution(mode="local"), dataset())
    assert remarks[0] == "--protocol softsync: updates depend on timing, so the run is not reproducible."
    assert not [r for r in check(SMALL, Execution(mode="local"), dataset()) if "timing" in r]


def test_features_are_refused_by_networks_for_images() -> None:
    part = Part(np.ones((16, 30)), np.arange(16) % 2)
    with pytest.raises(
        UserError, match="--network lenet needs images, F has rows of 30 features: choose mlp"
    ):
        check(dataclasses.replace(SMALL, network="lenet"), Execution(), Dataset("f", "F", part))
    check(dataclasses.replace(SMALL, network="mlp"), Execution(), Dataset("f", "F", part))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"augment": "standard"}, "--augment standard needs images, F has rows of 30 features: leave it out"),
        ({"pad_to": 32}, "--pad-to 32 needs images, F has rows of 30 features: leave it out"),
    ],
)
def test_what_counts_for_images_alone_is_refused_with_features(settings: dict[str, Any], words: str) -> None:
    part = Part(np.ones((16, 30)), np.arange(16) % 2)
    with pytest.raises(UserError, match=words):
        check(dataclasses.replace(SMALL, **settings), Execution(), Dataset("f", "F", part))
    assert check(dataclasses.replace(SMALL, **settings), Execution(), dataset()) == []


def test_zeros_around_images_make_them_large_enough_but_never_cut_them() -> None:
    lenet = dataclasses.replace(SMALL, network="lenet", padding="valid")
    check(dataclasses.replace(lenet, pad_to=16), Execution(), dataset(side=9))
    check(dataclasses.replace(lenet, pad_to=16), Execution(), dataset(side=16))
    words = "--pad-to 8 is less than the 16 x 16 pixels of tiny: leave it out or raise it"
    with pytest.raises(UserError, match=words):
        check(dataclasses.replace(lenet, pad_to=8), Execution(), dataset(side=16))


def test_images_too_small_for_a_network_get_told_of_the_zeros_that_mend_it() -> None:
    resnet = dataclasses.replace(SMALL, network="resnet8")
    words = "--network resnet8 needs images of at least 8 x 8, tiny has 5 x 5: --pad-to 8 or more puts zeros "
    with pytest.raises(UserError, match=words):
        check(resnet, Execution(), dataset(side=5))
    assert check(dataclasses.replace(resnet, pad_to=8), Execution(), dataset(side=5)) == []
    wide = dataset(side=4)
    wide = dataclasses.replace(
        wide, train=dataclasses.replace(wide.train, X=np.tile(wide.train.X, 5)), test=None
    )
    with pytest.raises(UserError, match="tiny has 4 x 20: --pad-to 20 or more puts zeros "):
        check(resnet, Execution(), wide)


def test_a_run_that_leaves_out_the_test_part_is_not_told_that_the_data_lack_it() -> None:
    alone = dataclasses.replace(dataset(), test=None)
    wanted = Execution(target_accuracy=(0.5,))
    with pytest.raises(UserError, match=r"part, which tiny lacks: give --validation-rows$"):
        check(SMALL, wanted, alone)
    with pytest.raises(UserError, match=r"part, and --no-test-part leaves none: give --validation-rows$"):
        check(dataclasses.replace(SMALL, test_part=False), wanted, alone)


@pytest.mark.parametrize(("padding", "side"), [("same", 4), ("valid", 16)])
def test_images_too_small_for_lenet_are_refused(padding: str, side: int) -> None:
    training = dataclasses.replace(SMALL, network="lenet", padding=padding)
    words = f"--network lenet with --padding {padding} needs images of at least {side} x {side}, tiny has"
    with pytest.raises(UserError, match=re.escape(f"{words} {side - 1} x {side - 1}")):
        check(training, Execution(), dataset(side=side - 1))
    assert check(training, Execution(), dataset(side=side)) == []


def test_a_batch_of_more_than_all_rows_is_refused_with_the_largest() -> None:
    with pytest.raises(
        UserError, match=r"--batch-size 44 is more than the 42 training rows.*the largest is 40"
    ):
        check(dataclasses.replace(SMALL, batch_size=44), Execution(), dataset(rows=42))
    assert check(dataclasses.replace(SMALL, batch_size=40), Execution(), dataset(rows=42)) == []


def test_a_batch_of_more_rows_than_validation_leaves_is_refused_with_the_largest() -> None:
    training = dataclasses.replace(SMALL, batch_size=36, validation_rows=6)
    words = "--batch-size 36 is more than the 34 training rows that --validation-rows 6 leaves of tiny: with"
    with pytest.raises(UserError, match=f"{words} --workers 4 the largest is 32"):
        check(training, Execution(), cut_validation(dataset(), 6))
    fitting = dataclasses.replace(training, batch_size=32)
    assert check(fitting, Execution(), cut_validation(dataset(), 6)) == []


def test_a_batch_that_a_sample_of_the_training_rows_no_longer_holds_says_so() -> None:
    training = dataclasses.replace(SMALL, batch_size=36, train_rows=20)
    words = "--batch-size 36 is more than the 20 training rows that --train-rows 20 takes of tiny: with "
    with pytest.raises(UserError, match=words):
        check(training, Execution(), cut(dataset(), 0, 20))


@pytest.mark.parametrize("mode", ["spark", "local"])
def test_fewer_rows_than_workers_are_refused_with_the_number_of_workers_that_they_hold(mode: str) -> None:
    training = dataclasses.replace(SMALL, batch_size=4)
    words = "the 3 training rows of tiny are fewer than --workers 4: lower it to 3 or less"
    with pytest.raises(UserError, match=f"^{words}$"):
        check(training, Execution(mode=mode), dataset(rows=3))


def test_a_single_row_for_each_local_worker_is_refused() -> None:
    training = dataclasses.replace(SMALL, batch_size=4)
    words = "the 5 training rows of tiny are a single one for each of --workers 4"
    with pytest.raises(UserError, match=f"{words}.*lower it to 2 or less$"):
        check(training, Execution(mode="local"), dataset(rows=5))
    alone = dataclasses.replace(training, workers=1, batch_size=1)
    for fitting, mode, rows in (
        (training, "spark", 5), (training, "local", 8), (alone, "local", 1),
        (dataclasses.replace(training, workers=2), "local", 5),
    ):  # fmt: skip
        check(fitting, Execution(mode=mode), dataset(rows=rows))


def made(labels: list[int], test: np.ndarray | None = None) -> Dataset:
    """Light digits on a dark ground, and a test part."""
    X = np.zeros((len(labels), 8, 8), np.uint8)
    X[:, 3:5, 3:5] = 250
    y = np.array(labels, np.uint8)
    images = X if test is None else test
    return Dataset.from_arrays(
        "idx", "made", train_images=X, train_labels=y, test_images=images, test_labels=y[: len(images)]
    )


def test_labels_that_count_from_one_are_remarked_on() -> None:
    training = Execution(mode="local")
    (remark,) = check(SMALL, training, made([1, 2, 3, 1, 2, 3, 1, 2]))
    assert remark == "made has no training row of class 0, of 4 classes from 0: do the labels count from 1?"
    (remark,) = check(SMALL, training, made([0, 2, 3, 0, 2, 3, 0, 2]))
    assert remark == "made has no training row of class 1, of 4 classes from 0"
    assert check(SMALL, training, made([0, 1, 2, 0, 1, 2, 0, 1])) == []


def test_a_test_part_that_looks_unlike_the_training_part_is_remarked_on() -> None:
    labels = [0, 1, 2, 0, 1, 2, 0, 1]
    X = made(labels).train.X[:, 0]
    for test, facts in (
        (255 - X, "94% of its pixels are light, not 6%, and the largest is 255, not 250"),
        (X // 250, "0% of its pixels are light, not 6%, and the largest is 1, not 250"),
    ):
        (remark,) = check(SMALL, Execution(mode="local"), made(labels, test))
        assert remark == (
            f"the test part of made looks unlike its training part: {facts}: were both made in the same way?"
        )


def test_local_mode_on_a_cluster_is_refused() -> None:
    words = r"^--master spark://host:7077 is for --mode spark; .*: give --mode spark, or leave out --master$"
    with pytest.raises(UserError, match=words):
        check(SMALL, Execution(mode="local", master="spark://host:7077"), dataset())
    check(SMALL, Execution(mode="local", master="local[4]"), dataset())


def test_a_master_with_too_few_slots_is_refused_or_remarked() -> None:
    with pytest.raises(UserError, match="has 2 slots for --workers 4"):
        check(SMALL, Execution(master="local-cluster[2,1,1024]"), dataset())
    (remark,) = check(SMALL, Execution(master="local[2]"), dataset())
    assert "raised to local[4]" in remark


@pytest.mark.parametrize(
    ("optimizer", "workers", "extrapolation", "said"),
    [
        ("extrap_sgd", 16, "past_gradient", True),
        ("extrap_adam", 16, "past_gradient", True),
        ("extrap_sgd", 8, "past_gradient", False),
        ("extrap_sgd", 16, "gaussian_noise", False),
        ("nesterov", 16, "past_gradient", False),
    ],
)
def test_past_gradients_of_many_workers_are_said_to_take_long(
    optimizer: str, workers: int, extrapolation: str, said: bool
) -> None:
    training = dataclasses.replace(
        SMALL, optimizer=optimizer, workers=workers, batch_size=16, extrapolation=extrapolation
    )
    remarks = check(training, Execution(), dataset())
    found = [remark for remark in remarks if "2048 bytes per parameter and update" in remark]
    assert bool(found) == said
