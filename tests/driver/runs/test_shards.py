"""Who holds which rows, where executors hold them, and whether their memory is enough."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from largebatch.data import Dataset, load
from largebatch.data.dataset import Part
from largebatch.engine.own import OWN_JVM, OwnJvm
from largebatch.errors import RunError, UserError
from largebatch.runs.executor_memory import share_remarks
from largebatch.runs.memory import heap_bytes, share_bytes
from largebatch.runs.placement import deal_of, settled
from largebatch.runs.preflight import check
from largebatch.runs.shards import deal, images_in_a_row, permutation, written
from largebatch.runs.snapshots import stops
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from tests.support.samples import dataset

ON_EXECUTORS = Training(
    dataset="idx", network="softmax", batch_size=8, micro_batch=2, data_placement="executors"
)


def parts(train: int, test: int, validation: int) -> Dataset:
    X, y = np.zeros((200, 4), np.uint8), np.arange(200) % 3
    return Dataset("made", "made up", *(Part(X[:n], y[:n]) for n in (train, test, validation)))


@pytest.mark.parametrize("workers", [1, 3, 4])
def test_every_row_of_every_part_is_dealt_once(workers: int) -> None:
    data = parts(123, 31, 2)
    dealt = deal(data, workers, seed=7)
    everything = np.concatenate(dealt)
    for number, rows in ((1, 123), (2, 2), (3, 31)):
        assert sorted(everything[everything[:, 0] == number, 1]) == list(range(rows))
    for own in dealt:
        assert (np.diff(own[:, 0]) >= 0).all(), "training rows first, then validation, then test"
        assert sum(own[:, 0] == 1) >= 123 // workers


def test_the_seed_decides_who_gets_which_training_rows() -> None:
    drawn = [(7, 0), (7, 0), (8, 0), (7, 1), (8, 1)]
    one, same, *others = (np.concatenate(deal(parts(123, 31, 9), 4, *seeds)) for seeds in drawn)
    np.testing.assert_array_equal(one, same)
    assert len({order.tobytes() for order in (one, *others)}) == 4
    assert permutation(6, 1, 0).tolist() == [2, 4, 5, 0, 3, 1], "with all versions of NumPy"


@pytest.mark.parametrize(
    ("most", "numbers", "images"), [(1000, 196, 8), (1000, 3072, 2), (1000, 9000, 1), (9, 196, 4), (1, 4, 1)]
)
def test_a_row_has_as_many_images_as_leave_two_rows_and_few_columns(
    most: int, numbers: int, images: int
) -> None:
    assert images_in_a_row(most, numbers) == images


def test_files_are_there_only_as_long_as_they_are_needed(tmp_path: Path) -> None:
    with written(dataset(), ON_EXECUTORS, home=tmp_path) as data:
        files = {path.name for path in data.folder.iterdir()}
        assert files == {"images", "images.mtd", "labels", "labels.mtd", "lock"}
        assert set(data.matrices.values()) == {data.folder / "images", data.folder / "labels"}
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_folder_that_cannot_be_written_is_a_run_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunError, match=r"file cannot be written: "),
        written(dataset(), ON_EXECUTORS, home=tmp_path / "file"),
    ):
        pass


def test_rows_that_lie_in_files_give_the_same_files_to_the_last_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_bytes", bytes)  # else each file has a mark of its own
    kept, found = dataset(), []
    for name, part in kept.parts.items():
        np.save(tmp_path / f"x_{name}.npy", part.X)
        np.save(tmp_path / f"y_{name}.npy", part.y)
    for data in (kept, load(str(tmp_path))):
        with written(data, ON_EXECUTORS, home=tmp_path / "home") as files:
            found.append({path.name: path.read_bytes() for path in files.folder.iterdir()})
    assert found[0] == found[1]


# ---- memory ----


def test_a_share_counts_the_rows_of_all_parts_packed_if_they_can_be() -> None:
    assert share_bytes(4, parts(123, 31, 9)) == 8 * (31 + 8 + 3)
    floats = Dataset("made", "made up", Part(np.full((123, 4), 0.5), np.arange(123) % 3))
    assert share_bytes(4, floats) == 8 * 31 * 4


def of_memory(text: str, master: str = "local-cluster[4,1,1024]") -> Execution:
    return Execution(master=master, memory="512m", conf=(f"spark.executor.memory={text}",))


def test_executors_with_too_little_memory_are_refused_with_what_is_enough() -> None:
    images = dataset(rows=2000, side=100)
    share = share_bytes(4, images)
    # 7 would be enough, but do not divide the batch.
    words = rf"its heap must have about {-(-7 * share // 2**20)} MB, not 40: give .* over --workers 8$"
    with pytest.raises(UserError, match=words):
        share_remarks(ON_EXECUTORS, of_memory("40m"), images)
    for factor, said in ((5, 1), (7.1, 0)):
        assert len(share_remarks(ON_EXECUTORS, of_memory(f"{int(factor * share / 2**10)}k"), images)) == said


def test_executors_evaluate_rows_by_the_micro_batch_whatever_the_batch() -> None:
    images, lenet = dataset(rows=2000, side=100), dataclasses.replace(ON_EXECUTORS, network="lenet")
    assert share_remarks(dataclasses.replace(lenet, micro_batch=50), of_memory("150m"), images) == []
    (said,) = share_remarks(dataclasses.replace(lenet, micro_batch=512), of_memory("150m"), images)
    assert said.startswith("It may run out of memory: an executor holds ")
    assert said.endswith("m, or lower --micro-batch.")


def test_an_executor_without_a_setting_has_a_gigabyte_and_with_two_cores_holds_two_shares() -> None:
    images = dataset(rows=2000, side=100)
    assert share_remarks(ON_EXECUTORS, Execution(master="local-cluster[4,1,1024]"), images) == []
    assert share_remarks(ON_EXECUTORS, of_memory("100m"), images) == []
    assert share_remarks(ON_EXECUTORS, of_memory("100m", "local-cluster[2,2,1024]"), images) != []


@pytest.mark.parametrize("memory", ["100", "100m", "100MB", "102400k", "1g"])
def test_the_memory_of_executors_is_read_as_spark_reads_it(memory: str) -> None:
    assert share_remarks(ON_EXECUTORS, of_memory(memory), dataset(rows=2000, side=100)) == []


def test_the_memory_of_executors_may_be_that_of_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, images = "local-cluster[4,1,1024]", dataset(rows=2000, side=100)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setenv("SPARK_EXECUTOR_MEMORY", "10m")
    with pytest.raises(UserError, match=r"not 10: give --conf spark\.executor\.memory="):
        share_remarks(ON_EXECUTORS, Execution(master=cluster), images)
    (tmp_path / "spark-defaults.conf").write_text("spark.executor.memory 100m\n")
    assert share_remarks(ON_EXECUTORS, Execution(master=cluster), images) == [], "as in spark-submit"
    with pytest.raises(UserError, match="not 20: give"):
        share_remarks(ON_EXECUTORS, of_memory("20m", cluster), images)


def test_memory_of_executors_that_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match=r"spark\.executor\.memory=much must be a number with m or g"):
        share_remarks(ON_EXECUTORS, of_memory("much"), dataset())


def test_only_the_driver_that_holds_the_rows_has_to_hold_them() -> None:
    images = dataset(rows=400, side=321)
    (said,) = check(dataclasses.replace(ON_EXECUTORS, data_placement="driver"), of_memory("20g"), images)
    assert said.endswith("raise --memory or begin a run with --data-placement executors.")
    assert check(ON_EXECUTORS, of_memory("20g"), images) == []
    alone, shared = (
        heap_bytes(ON_EXECUTORS, "spark", images, master) for master in ("local-cluster[4,1,1024]", None)
    )
    assert shared - alone > 7 * 4 * share_bytes(4, images)


# ---- the choice ----


@pytest.mark.parametrize(
    ("memory", "mode", "placement"),
    [("512m", "spark", "executors"), ("8g", "spark", "driver"), ("512m", "local", "driver")],
)
def test_auto_is_executors_if_the_driver_lacks_the_memory(memory: str, mode: str, placement: str) -> None:
    images = dataset(rows=400, side=321)
    auto = dataclasses.replace(ON_EXECUTORS, data_placement="auto", reshuffle_every=2)
    found = settled(auto, Execution(mode=mode, memory=memory), images, OWN_JVM)
    every = 2 if placement == "executors" else 0
    assert found == dataclasses.replace(auto, data_placement=placement, reshuffle_every=every)
    assert settled(found, Execution(memory="512m"), images, OWN_JVM) == found, "a run keeps its placement"


class Joined(OwnJvm):
    """A JVM that runs already, with a heap of its own."""

    def heap_bytes(self, execution: Execution) -> int:
        return 2**29


def test_auto_asks_the_jvm_that_trains_for_its_memory() -> None:
    auto = dataclasses.replace(ON_EXECUTORS, data_placement="auto")
    found = settled(auto, Execution(memory="8g"), dataset(rows=400, side=321), Joined())
    assert found.data_placement == "executors"


@pytest.mark.parametrize(
    ("every", "done", "stops_at"),
    [(0, 0, [7]), (2, 0, [2, 4, 6, 7]), (2, 3, [4, 6, 7]), (3, 3, [6, 7]), (9, 0, [7]), (1, 7, [7])],
)
def test_rows_move_between_workers_after_every_so_many_epochs(
    every: int, done: int, stops_at: list[int]
) -> None:
    training = dataclasses.replace(ON_EXECUTORS, reshuffle_every=every)
    assert stops(training, 100, done, 7) == stops_at


def test_a_training_that_goes_on_has_the_rows_of_one_that_was_not_interrupted() -> None:
    training = dataclasses.replace(ON_EXECUTORS, reshuffle_every=2)
    assert [deal_of(training, epoch) for epoch in range(1, 8)] == [0, 0, 1, 1, 2, 2, 3]
    assert {deal_of(ON_EXECUTORS, epoch) for epoch in range(1, 8)} == {0}


def test_rows_that_the_driver_holds_do_not_move_between_workers() -> None:
    words = "--reshuffle-every belongs to --data-placement executors or auto, not to driver"
    with pytest.raises(UserError, match=f"^{words}"):
        Training.from_given({"reshuffle_every": 2})
