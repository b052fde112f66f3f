"""Checkpoints as train.dml writes them, their rows in metrics.csv, and what damage does to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from largebatch.errors import UserError
from largebatch.records.metrics import EPOCH_COLUMNS
from largebatch.records.result import Status
from largebatch.records.run_folder import RunFolder
from largebatch.settings.execution import Execution
from largebatch.settings.networks import NETWORKS
from largebatch.settings.training import Training
from tests.support.harness import write_matrix
from tests.support.samples import dataset
from tests.support.study_samples import epoch_row, result

TRAINING = Training(dataset="idx", network="softmax", batch_size=8, epochs=9)
EXECUTION = Execution(mode="local", memory="1g")
SOFTMAX, LENET = NETWORKS["softmax"], NETWORKS["lenet"]
AWKWARD = (1 / 3, 0.1, 1e-17, 5e-324, -(2.0**60), 1.7976931348623157e308)  # numbers that lose digits easily


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "a run", TRAINING, EXECUTION, dataset())


def train_epoch(folder: RunFolder, epoch: int, groups: int = 1) -> None:
    """Leave the folder as train.dml does after an epoch, just before it says so."""
    state = folder.checkpoint(epoch)
    state.mkdir(parents=True)
    write_matrix(state / "parameters", [[epoch + value, -value] for value in AWKWARD])
    write_matrix(state / "metrics", [epoch_row(e, groups) for e in range(1, epoch + 1)])


def train_epochs(folder: RunFolder, last: int) -> None:
    for epoch in range(1, last + 1):
        train_epoch(folder, epoch)
        folder.commit(epoch, SOFTMAX)


def epochs_on_disk(folder: RunFolder) -> list[str]:
    return sorted(path.name for path in (folder.path / "checkpoints").iterdir())


def rows(folder: RunFolder) -> list[int]:
    """Epochs of metrics.csv."""
    return [int(epoch) for epoch in folder.metrics()["epoch"]]


# ---- epochs ----


def test_commit_appends_one_row_per_epoch_and_returns_it(folder: RunFolder) -> None:
    before = b""
    for epoch in range(1, 5):
        train_epoch(folder, epoch)
        row = folder.commit(epoch, SOFTMAX)
        after = folder.metrics_file.read_bytes()
        assert after.startswith(before), "what was there stays, to the byte"
        assert rows(folder) == list(range(1, epoch + 1))
        assert row.epoch == epoch
        assert row.to_mapping() == folder.metrics().iloc[-1].to_dict(), "the file keeps every digit"
        before = after


def test_commit_keeps_the_two_newest_checkpoints(folder: RunFolder) -> None:
    seen = []
    for epoch in range(1, 5):
        train_epoch(folder, epoch)
        folder.commit(epoch, SOFTMAX)
        seen.append(epochs_on_disk(folder))
        assert folder.last_epoch() == epoch
    assert seen == [["1"], ["1", "2"], ["2", "3"], ["3", "4"]]


def test_metrics_have_the_columns_of_train_dml_and_the_speed(folder: RunFolder) -> None:
    train_epochs(folder, 3)
    found = folder.metrics()
    assert list(found.columns) == [
        "epoch", "updates", "examples", "learning_rate", "train_loss", "train_accuracy", "test_loss",
        "test_accuracy", "seconds", "images_per_second", "evaluation_seconds",
        "fc_weight_norm", "fc_gradient_norm", "fc_trust_ratio",
    ]  # fmt: skip
    assert found.drop(columns="images_per_second").to_numpy().tolist() == [epoch_row(e) for e in (1, 2, 3)]
    assert found["images_per_second"].tolist() == [40 / 0.75] * 3, "of each epoch, not since the start"
    assert [str(found[name].dtype) for name in ("epoch", "updates", "examples")] == ["int64"] * 3


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (5, ["conv1", "conv2", "fc1", "fc2", "fc3"]),
        (10, [f"{layer}.{kind}" for layer in LENET.layers for kind in ("weight", "bias")]),
    ],
)
def test_groups_are_named_by_layer_or_by_array(folder: RunFolder, groups: int, names: list[str]) -> None:
    train_epoch(folder, 1, groups)
    row = folder.commit(1, LENET)
    assert [name.removesuffix("_trust_ratio") for name in row.more if "trust_ratio" in name] == names
    assert row.more[f"{names[-1]}_weight_norm"] == 1 + groups - 1


def test_a_loss_that_is_not_a_number_is_kept(folder: RunFolder) -> None:
    state = folder.checkpoint(1)
    state.mkdir(parents=True)
    (state / "parameters").write_text("NaN,0\n")
    (state / "metrics").write_text("1,5,40,1.0,NaN,0.1,Infinity,0.1,1.0,1.0,NaN,NaN,NaN\n")
    assert np.isnan(folder.commit(1, SOFTMAX).train_loss)
    assert np.isnan(folder.metrics()["train_loss"].iloc[0])
    assert np.isinf(folder.metrics()["test_loss"].iloc[0])
    assert folder.last_epoch() == 1


# ---- damage ----


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change a bit of a file and keep its length."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink], ids=["cut", "altered", "missing"])
@pytest.mark.parametrize("name", ["parameters", "metrics", "manifest.json"])
def test_a_damaged_checkpoint_counts_for_nothing(
    folder: RunFolder, name: str, damage: Callable[[Path], None]
) -> None:
    train_epochs(folder, 4)
    damage(folder.checkpoint(4) / name)
    assert folder.last_epoch() == 3
    assert folder.damaged_epochs() == ([] if damage is Path.unlink and name == "manifest.json" else [4])
    assert folder.rewind(SOFTMAX) == 3
    assert epochs_on_disk(folder) == ["3"]
    assert rows(folder) == [1, 2, 3]


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '"text"', '{"parameters": 3, "metrics": null}'])
def test_a_manifest_of_another_kind_counts_for_nothing(folder: RunFolder, content: str) -> None:
    train_epochs(folder, 2)
    (folder.checkpoint(2) / "manifest.json").write_text(content)
    assert folder.last_epoch() == 1


def test_an_epoch_that_was_written_but_not_committed_is_done_again(folder: RunFolder) -> None:
    train_epochs(folder, 2)
    train_epoch(folder, 3)
    assert folder.rewind(SOFTMAX) == 2
    assert epochs_on_disk(folder) == ["1", "2"]
    train_epoch(folder, 3)
    folder.commit(3, SOFTMAX)
    assert rows(folder) == [1, 2, 3]


def test_without_a_whole_checkpoint_the_run_starts_afresh(folder: RunFolder) -> None:
    train_epochs(folder, 2)
    for epoch in (1, 2):
        truncate(folder.checkpoint(epoch) / "parameters")
    assert folder.rewind(SOFTMAX) == 0
    assert epochs_on_disk(folder) == []
    assert not folder.metrics_file.exists()


@pytest.mark.parametrize("damage", [truncate, Path.unlink], ids=["cut", "missing"])
def test_rewind_mends_metrics_from_the_checkpoint(folder: RunFolder, damage: Callable[[Path], None]) -> None:
    train_epochs(folder, 3)
    whole = folder.metrics_file.read_bytes()
    damage(folder.metrics_file)
    assert folder.rewind(SOFTMAX) == 3
    assert folder.metrics_file.read_bytes() == whole


def test_rewind_forgets_the_result(folder: RunFolder) -> None:
    train_epochs(folder, 1)
    folder.write_result(result(TRAINING, Status.FAILED, 1))
    folder.rewind(SOFTMAX)
    assert not folder.result_file.exists()


def test_a_kill_within_rewind_leaves_no_result_without_its_metrics(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_epochs(folder, 1)
    folder.write_result(result(TRAINING, Status.PAUSED, 1))
    removed: list[str] = []
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if removed:
            raise KeyboardInterrupt
        removed.append(path.name)
        unlink(path, missing_ok)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", killed)
        folder.rewind(SOFTMAX)
    assert removed == ["result.json"]


def test_metrics_are_restored_from_the_checkpoint_of_a_result_and_from_no_other(folder: RunFolder) -> None:
    train_epochs(folder, 2)
    whole, done = folder.metrics_file.read_bytes(), result(TRAINING, Status.PAUSED, 2)
    assert folder.keeps(done)
    truncate(folder.metrics_file)
    assert not folder.keeps(done)
    folder.restore_metrics(done, SOFTMAX)
    assert folder.metrics_file.read_bytes() == whole and folder.keeps(done)
    truncate(folder.checkpoint(2) / "parameters")
    folder.metrics_file.unlink()
    words = r"does not have the 2 epochs of result.json, and no checkpoint has them: restore the file, or rem"
    with pytest.raises(UserError, match=words):
        folder.restore_metrics(done, SOFTMAX)


def test_rewind_of_a_new_folder_is_a_start(folder: RunFolder) -> None:
    assert folder.rewind(SOFTMAX) == 0
    assert [path.name for path in folder.path.iterdir()] == ["config.json"]


def test_what_else_lies_among_the_checkpoints_is_no_epoch(folder: RunFolder) -> None:
    train_epochs(folder, 1)
    for name in ("notes", "2.old", "-3"):
        (folder.path / "checkpoints" / name).mkdir()
    assert folder.last_epoch() == 1
    assert folder.rewind(SOFTMAX) == 1


def test_a_manifest_is_written_before_the_metrics_it_vouches_for(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_epochs(folder, 1)
    train_epoch(folder, 2)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pd.DataFrame, "to_csv", fail)
        folder.commit(2, SOFTMAX)
    assert rows(folder) == [1]
    assert folder.rewind(SOFTMAX) == 2
    assert rows(folder) == [1, 2]


# ---- what train.dml may write besides ----


@pytest.mark.parametrize("name", ["memory", "moments", "pending"])
def test_other_entries_of_a_checkpoint_are_vouched_for_where_they_are(folder: RunFolder, name: str) -> None:
    train_epochs(folder, 1)
    train_epoch(folder, 2)
    write_matrix(folder.checkpoint(2) / name, [[0.5]])
    folder.commit(2, SOFTMAX)
    assert folder.last_epoch() == 2
    flip(folder.checkpoint(2) / name)
    assert folder.last_epoch() == 1
    (folder.checkpoint(2) / name).unlink()
    assert folder.last_epoch() == 1, "it has been there"


def test_columns_are_those_that_the_folder_names(folder: RunFolder) -> None:
    names = [name for name in EPOCH_COLUMNS if not name.startswith("test_")]
    groups = ["1.weight_norm", "1.gradient_norm", "1.trust_ratio"]
    (folder.path / "columns").write_text(",".join([*names, "staleness", *groups]) + "\n")
    train_epoch(folder, 1)
    values = [1, 5, 40, 0.5, 2.5, 0.75, 0.5, 0.125, 3, 7, 8, 9]
    write_matrix(folder.checkpoint(1) / "metrics", [values])
    row = folder.commit(1, SOFTMAX)
    assert (row.train_accuracy, row.test_accuracy, row.more["staleness"]) == (0.75, None, 3)
    assert row.more["fc_trust_ratio"] == 9
    assert "test_accuracy" not in folder.metrics()


@pytest.mark.parametrize("content", ["", "epoch,seconds", ",".join(EPOCH_COLUMNS)])
def test_columns_that_do_not_fit_the_checkpoint_are_a_user_error(folder: RunFolder, content: str) -> None:
    (folder.path / "columns").write_text(content)
    train_epoch(folder, 1)
    with pytest.raises(UserError, match="is no record of epochs: remove"):
        folder.commit(1, SOFTMAX)
