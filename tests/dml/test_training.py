"""train.dml: what it computes and what it records."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from largebatch.errors import RunError
from largebatch.files.matrices import read_matrix
from largebatch.records.metrics import EPOCH_COLUMNS
from largebatch.settings.optimizers import OPTIMIZERS
from tests.reference import optimizers
from tests.reference.networks import lenet
from tests.support.harness import DML, write_matrix
from tests.support.training import (
    CLASSES,
    NOISE_COLUMNS,
    SECONDS,
    SETTINGS,
    Trained,
    Trainer,
    batches,
    norms_of,
    synthetic,
    train_in_numpy,
)

pytestmark = pytest.mark.systemds

# Two epochs are eight updates of 21000 parameters: roundings of 1e-16 grow to some 1e-13.
TWIN = 1e-9
# A few roundings of numbers of one formula.
ROUNDING = 1e-12


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (240, {}),
        (203, {}),  # the last batch has 8 rows, too few for the noise scale
        (240, {"optimizer": "sgd_momentum", "learning_rate": 0.05}),
        *(
            (240, {"optimizer": name, "network": "softmax", "learning_rate": 0.05})
            for name in sorted(set(OPTIMIZERS) - {"lars", "sgd_momentum"})
        ),
        (240, {"network": "mlp", "optimizer": "sgd_momentum", "learning_rate": 0.05, "micro_batch": 5}),
        (240, {"optimizer": "extrap_sgd", "learning_rate": 0.05, "workers": 8, "extrapolation_rate": 0.1}),
        (203, {"optimizer": "lars", "network": "softmax", "evaluate_train_rows": 43}),
    ],
    ids=lambda value: value if isinstance(value, int) else value.get("optimizer", "lars"),
)
def test_training_equals_a_training_in_numpy(train: Trainer, rows: int, changes: dict[str, Any]) -> None:
    data = synthetic(rows)
    settings = SETTINGS | changes
    w, orders = train.start(settings, rows)
    trained = train(None if rows == 240 else data, **changes)
    n = settings.get("evaluate_train_rows", rows)
    evaluated = np.ceil(np.arange(1, n + 1) * rows / n).astype(int) - 1
    parameters, metrics = train_in_numpy(settings, data, w, orders, evaluated)
    found = trained.parameters()[:, : parameters.shape[1]]
    np.testing.assert_allclose(found, parameters, rtol=0, atol=TWIN)
    np.testing.assert_allclose(trained.metrics(), metrics, rtol=TWIN)
    assert np.abs(parameters[:, 0] - w).max() > 1e4 * TWIN


def test_rows_that_are_no_multiple_of_workers_are_left_out_and_said_so(train: Trainer) -> None:
    trained = train(synthetic(203), network="softmax")
    assert "note each epoch leaves out 3 of 203 rows: not a multiple of workers" in trained.lines
    assert trained.column("examples") == [200, 400]


@pytest.mark.parametrize(
    ("rows", "changes", "words"),
    [
        (240, {"batch_size": 63}, "batch_size=63 is not a multiple of workers=4"),
        (3, {"batch_size": 4}, "the 3 training rows are fewer than workers=4"),
        (
            5,
            {"batch_size": 4},
            "the 5 training rows are a single one for each of workers=4, which mode=LOCAL",
        ),
        (240, {"classes": CLASSES - 1}, "labels must be whole numbers 1..3, not 1.0..4.0"),
    ],
)
def test_what_a_training_cannot_do_without_is_told_before_it_begins(
    train: Trainer, rows: int, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RunError) as caught:
        train(synthetic(rows), network="softmax", **changes)
    assert words in str(caught.value)


def test_labels_that_are_fewer_than_images_are_told(train: Trainer) -> None:
    data = dataclasses.replace(synthetic(), y_train=synthetic().y_train[:-1])
    with pytest.raises(RunError, match="there are 239 labels for 240 images"):
        train(data, network="softmax")


def test_no_note_when_all_rows_take_part(train: Trainer) -> None:
    trained = train(network="softmax")
    assert not [line for line in trained.lines if line.startswith("note")]
    assert trained.column("examples") == [240, 480]


def test_each_update_and_each_epoch_is_reported(train: Trainer) -> None:
    """An update with the rows of its global batch, and their mean loss."""
    lines = train().lines
    updates = [line.split() for line in lines if line.startswith("update")]
    assert [(int(t), int(rows)) for _, t, rows, _ in updates] == list(
        zip(range(1, 9), [64, 64, 64, 48] * 2, strict=True)
    )
    assert [line for line in lines if line.startswith("epoch")] == ["epoch 1", "epoch 2"]
    assert lines.index("epoch 1") == 4


def test_reported_loss_is_the_mean_over_the_global_batch(train: Trainer) -> None:
    data = synthetic()
    w, orders = train.start(SETTINGS, len(data.y_train))
    rows = batches(orders[:, 0], 4, 64)[0]
    loss = lenet.gradient(w, data.X_train[rows] / 255, data.y_train[rows], (1, 8, 8), 4, 2)[1] / 64
    first = next(line for line in train().lines if line.startswith("update"))
    assert float(first.split()[-1]) == pytest.approx(loss, rel=ROUNDING)


@pytest.mark.parametrize("scope", ["layer", "parameter"])
def test_norms_and_trust_ratios_are_those_of_the_last_update(
    train: Trainer, scope: Literal["layer", "parameter"]
) -> None:
    """One update, over all rows: of the start values."""
    data = synthetic()
    w, _ = train.start(SETTINGS, len(data.y_train))
    trained = train(epochs=1, batch_size=240, scope=scope, learning_rate=1.5)
    g = lenet.gradient(w, data.X_train / 255, data.y_train, (1, 8, 8), 4, 2)[0] / 240
    groups = optimizers.groups(lenet.shapes((1, 8, 8), 4, 2), scope, adapt_biases=True)
    norm_w, norm_g = np.array(norms_of(w, groups)), np.array(norms_of(g, groups))
    ratio = np.where(norm_w > 0, 0.01 * norm_w / (norm_g + 0.001 * norm_w), 1)
    found = trained.recorded(1)[0, len(EPOCH_COLUMNS) : -NOISE_COLUMNS].reshape(-1, 3)
    np.testing.assert_allclose(found, np.column_stack([norm_w, norm_g, ratio]), rtol=TWIN)
    assert trained.column("learning_rate") == [1.5]


def test_seconds_are_recorded(train: Trainer) -> None:
    trained = train()
    assert min(trained.column("seconds") + trained.column("evaluation_seconds")) > 0


def test_shapes_are_recorded(train: Trainer) -> None:
    shapes = [(rows, cols) for rows, cols, _ in lenet.shapes((1, 8, 8), 4, 2)]
    assert [tuple(row) for row in read_matrix(train().folder / "shapes")[:, :2]] == shapes


def test_pixels_are_divided_by_their_scale(train: Trainer) -> None:
    data = synthetic()
    doubled = type(data)(2 * data.X_train, data.y_train, 2 * data.X_test, data.y_test)
    once = train(network="softmax")
    np.testing.assert_array_equal(
        train(doubled, network="softmax", pixel_scale=510).parameters(), once.parameters()
    )


# Four updates an epoch: the last ones are of counts 3, 7, 11, 15, of 16 in all.
SCHEDULES: list[tuple[dict[str, Any], list[float]]] = [
    ({"schedule": "constant"}, [0.4, 0.4, 0.4, 0.4]),
    ({"schedule": "inverse_time", "decay": 0.5}, [0.4 / 2.5, 0.4 / 4.5, 0.4 / 6.5, 0.4 / 8.5]),
    (
        {"schedule": "polynomial", "power": 2.0, "end_learning_rate": 0.1},
        [0.1 + 0.3 * (1 - t / 16) ** 2 for t in (3, 7, 11, 15)],
    ),
    (
        {"schedule": "multi_step", "milestones": "0.25 0.5 0.9", "milestone_count": 3, "factor": 0.5},
        [0.4, 0.2, 0.1, 0.05],
    ),
    # Six updates of warm-up, which leave ten.
    (
        {"schedule": "polynomial", "power": 1.0, "warmup_epochs": 1.5},
        [0.4 * 4 / 6, 0.4 * 0.9, 0.4 * 0.5, 0.4 * 0.1],
    ),
    (
        {"schedule": "multi_step", "milestones": "0.5", "milestone_count": 1, "warmup_epochs": 1.5},
        [0.4 * 4 / 6, 0.4, 0.04, 0.04],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), SCHEDULES)
def test_learning_rate_column_is_the_schedules_at_each_epochs_last_update(
    train: Trainer, changes: dict[str, Any], expected: list[float]
) -> None:
    trained = train(network="softmax", epochs=4, learning_rate=0.4, **changes)
    np.testing.assert_allclose(trained.column("learning_rate"), expected, rtol=ROUNDING)
    assert trained.column("updates") == [4, 8, 12, 16]


def test_same_seed_gives_the_same_to_the_last_bit(train: Trainer) -> None:
    once, twice = train(), train(again=True)
    assert once.folder != twice.folder
    np.testing.assert_array_equal(once.parameters(), twice.parameters())
    np.testing.assert_array_equal(once.metrics(), twice.metrics())


def test_another_seed_gives_another_model(train: Trainer) -> None:
    assert not np.isclose(train().parameters()[:, 0], train(seed=6).parameters()[:, 0]).all()


def test_epochs_have_different_permutations(train: Trainer) -> None:
    _, orders = train.start(SETTINGS | {"epochs": 3}, 240)
    assert all(sorted(order) == list(range(240)) for order in orders.T)
    agreeing = [(orders[:, i] == orders[:, j]).sum() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert max(agreeing) < 10


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_training_equals_an_uninterrupted_one_to_the_last_bit(
    train: Trainer, tmp_path: Path, optimizer: str
) -> None:
    settings: dict[str, Any] = {
        "optimizer": optimizer, "epochs": 4, "schedule": "polynomial", "warmup_epochs": 0.5,
        "network": "lenet" if optimizer == "lars" else "softmax",
    }  # fmt: skip
    whole = train(**settings)
    checkpoint = tmp_path / "of the 2nd epoch"
    shutil.copytree(whole.checkpoint(2), checkpoint)
    files = sorted(path.name for path in checkpoint.iterdir())
    resumed = train(again=True, resume=str(checkpoint), **settings)
    assert sorted(path.name for path in checkpoint.iterdir()) == files, "it may be resumed again"
    assert sorted(path.name for path in resumed.folder.glob("checkpoints/*")) == ["3", "4"]
    for epoch in (3, 4):
        np.testing.assert_array_equal(resumed.parameters(epoch), whole.parameters(epoch))
    np.testing.assert_array_equal(resumed.metrics(4), whole.metrics(4))
    seconds = [trained.recorded(4)[:2, SECONDS] for trained in (resumed, whole)]
    np.testing.assert_array_equal(seconds[0], seconds[1])


def test_a_training_in_two_parts_equals_an_uninterrupted_one_to_the_last_bit(train: Trainer) -> None:
    """The schedule is laid out for all epochs from the start, however far a call goes."""
    settings: dict[str, Any] = {"network": "softmax", "epochs": 4, "schedule": "polynomial"}
    whole, first = train(**settings), train(until=2, **settings)
    assert first.epochs == 2
    second = train(resume=str(first.checkpoint(2)), until=4, **settings)
    np.testing.assert_array_equal(second.parameters(4), whole.parameters(4))
    np.testing.assert_array_equal(second.metrics(4), whole.metrics(4))


def test_columns_are_named_and_those_of_a_part_without_file_are_missing(train: Trainer) -> None:
    groups = [f"1.{norm}" for norm in ("weight_norm", "gradient_norm", "trust_ratio")]
    settings: dict[str, Any] = {"network": "softmax", "epochs": 1}
    noise = [f"noise.{name}" for name in ("updates", "G2", "S", "G4", "S2", "G2S")]
    assert columns(train(**settings)) == [*EPOCH_COLUMNS, *groups, *noise]
    assert columns(train(workers=1, **settings)) == [*EPOCH_COLUMNS, *groups]
    alone = train(test_images="", test_labels="", **settings)
    assert columns(alone) == [
        name for name in (*EPOCH_COLUMNS, *groups, *noise) if not name.startswith("test")
    ]
    assert len(columns(alone)) == alone.recorded().shape[1]


def test_a_validation_part_is_evaluated_and_changes_nothing_else(train: Trainer, tmp_path: Path) -> None:
    """Here it is the test part a second time."""
    settings: dict[str, Any] = {"network": "softmax", "epochs": 2}
    files = synthetic().write(tmp_path)
    without = train(**settings)
    found = train(validation_images=files["test_images"], validation_labels=files["test_labels"], **settings)
    names = columns(found)
    at = names.index("validation_loss")
    assert names[at : at + 4] == ["validation_loss", "validation_accuracy", "test_loss", "test_accuracy"]
    np.testing.assert_array_equal(found.recorded()[:, at : at + 2], found.recorded()[:, at + 2 : at + 4])
    np.testing.assert_array_equal(found.parameters(), without.parameters())


def evaluated(dml: DML, trained: Trained, update: int, micro_batch: int = 512, alive: int = 0) -> list[float]:
    """Loss and accuracy that evaluate.dml finds on the test part for a snapshot, after lines of life."""
    names = ("channels", "height", "width", "classes", "workers")
    files = {name: str(trained.folder.parent / f"test_{name}") for name in ("images", "labels")}
    weights = str(trained.folder / "snapshots" / str(update) / "weights")
    arguments = {name: SETTINGS[name] for name in names} | {"network": "softmax", "micro_batch": micro_batch}
    lines: list[str] = []
    named = {"images": files["images"], "labels": files["labels"], "weights": weights}
    dml.session.run("evaluate.dml", arguments | named, on_line=lines.append)
    *before, line = lines
    assert before == ["alive"] * alive
    return [float(number) for number in line.removeprefix("evaluated ").split()]


def test_snapshots_are_the_weights_of_their_updates_and_change_nothing(dml: DML, train: Trainer) -> None:
    """Updates 4 and 8 are the last ones of their epochs, whose metrics have the same evaluation."""
    trained, without = train(network="softmax", evaluate_every=2), train(network="softmax")
    assert sorted(path.name for path in trained.folder.glob("snapshots/*")) == ["2", "4", "6", "8"]
    at = EPOCH_COLUMNS.index("test_loss")
    assert evaluated(dml, trained, 4) == trained.recorded()[0, at : at + 2].tolist()
    assert evaluated(dml, trained, 2, micro_batch=1, alive=3) != trained.recorded()[0, at : at + 2].tolist()
    assert evaluated(dml, trained, 8) == trained.recorded()[1, at : at + 2].tolist()
    np.testing.assert_array_equal(trained.parameters(), without.parameters())
    np.testing.assert_array_equal(trained.metrics(), without.metrics())


def test_a_run_begun_without_sums_of_the_noise_goes_on_without_them(train: Trainer, tmp_path: Path) -> None:
    """As older versions began it."""
    settings: dict[str, Any] = {"network": "softmax", "epochs": 4, "schedule": "polynomial"}
    whole, checkpoint = train(**settings), tmp_path / "2"
    shutil.copytree(whole.checkpoint(2), checkpoint, ignore=shutil.ignore_patterns(".*.crc"))
    write_matrix(checkpoint / "metrics", whole.recorded(2)[:, :-NOISE_COLUMNS])
    resumed = train(again=True, resume=str(checkpoint), **settings)
    np.testing.assert_array_equal(resumed.metrics(4), whole.metrics(4)[:, :-NOISE_COLUMNS])
    np.testing.assert_array_equal(resumed.parameters(4), whole.parameters(4))


def columns(trained: Trained) -> list[str]:
    """The names of the columns of the metrics."""
    return (trained.folder / "columns").read_text().strip().split(",")


@pytest.mark.parametrize(
    ("network", "optimizer", "protocol"),
    [
        ("lenet", "sgd", "hardsync"),
        ("lenet", "sgd_momentum", "hardsync"),
        ("softmax", "sgd", "hardsync"),
        ("softmax", "sgd", "async"),
        ("softmax", "extrap_sgd", "softsync"),
    ],
)
def test_divergence_ends_the_training_after_its_epoch(
    train: Trainer, network: str, optimizer: str, protocol: str
) -> None:
    trained = train(network=network, optimizer=optimizer, protocol=protocol, learning_rate=1e30, epochs=3)
    assert trained.epochs == len(trained.recorded()) == 1
    assert trained.lines[-1] == "epoch 1"
    assert np.isnan(trained.column("train_loss")[0])


def test_what_has_diverged_is_not_resumed(train: Trainer) -> None:
    settings: dict[str, Any] = {"network": "softmax", "optimizer": "sgd", "learning_rate": 1e30, "epochs": 3}
    diverged = train(**settings)
    again = train(again=True, resume=str(diverged.checkpoint(1)), **settings)
    assert again.lines == []
    assert not (again.folder / "checkpoints").exists()
