"""`largebatch simulate`: from its options to its table and files."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from largebatch.cli.main import main
from largebatch.settings.protocols import PROTOCOLS
from largebatch.settings.simulation import SimulationSettings
from largebatch.simulation.plan import Outcome, outcomes

SMALL = SimulationSettings(rows=6000)


def simulated(settings: SimulationSettings = SMALL, **given: Any) -> list[Outcome]:
    return outcomes({"epochs": 1} | given, settings)


def test_without_a_protocol_all_are_simulated_each_with_its_own_settings() -> None:
    found = simulated(workers=8, softsync_n=4, backup_workers=2)
    assert [outcome.training.protocol for outcome in found] == list(PROTOCOLS)
    rows = {outcome.training.protocol: outcome.row() for outcome in found}
    assert rows["softsync"]["protocol"] == "4-softsync"
    assert {name: row["gradients_per_update"] for name, row in rows.items()} == {
        "hardsync": 8, "softsync": 2, "async": 1, "backup": 6,
    }  # fmt: skip
    assert {name: row["staleness_theory"] for name, row in rows.items() if name != "backup"} == {
        "hardsync": 0, "softsync": 3.5, "async": 7,
    }  # fmt: skip
    assert math.isnan(rows["backup"]["staleness_theory"])


def test_one_worker_has_no_backup() -> None:
    assert [outcome.training.protocol for outcome in simulated(workers=1)] == [
        "hardsync",
        "softsync",
        "async",
    ]


def test_an_epoch_has_the_batches_of_train() -> None:
    """6000 rows of 8 workers are 750 each, 24 batches of 32."""
    (outcome,) = simulated(workers=8, protocol="async", epochs=3)
    assert outcome.row()["pushes"] == 3 * 8 * 24
    (outcome,) = simulated(dataclasses.replace(SMALL, batch_size_per_worker=750), workers=8, protocol="async")
    assert outcome.row()["pushes"] == 8


def test_the_wire_costs_what_the_network_takes_for_a_push() -> None:
    slow = SimulationSettings(
        "constant:0.1", 1500, rows=6000, push_seconds=0, update_seconds=0, push_bytes=1e6, bits_per_second=8e7
    )
    (outcome,) = simulated(slow, workers=4, protocol="hardsync")
    assert outcome.row()["epoch_seconds"] == pytest.approx(0.1 + 4 * 0.1)


def run(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *words.split()])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--compute-time often", "--compute-time 'often' must be a kind and its mean seconds"),
        ("--workers 30 --rows 10", "--rows 10 are less than --workers 30: each needs at least one"),
        ("--rows 2147483647", "2000000 are the most: lower --rows or --epochs"),
        ("--protocol async --softsync-n 2", "--softsync-n belongs to --protocol softsync, not to async"),
        ("--workers 8 --softsync-n 5", "the nearest are"),
        ("--push-seconds nan", "--push-seconds nan must be at least 0 and at most 1e+06 seconds"),
        ("--bits-per-second 0", "--bits-per-second 0.0 must be at least 1 and at most 1e+15"),
        ("--workers 0", "--workers 0 must be at least 1"),
        ("--batch-size-per-worker 0", "--batch-size-per-worker 0 must be at least 1"),
        ("--workers 1 --protocol backup", "--backup-workers 1 must be less than --workers 1"),
    ],
)
def test_unusable_input_is_a_sentence_and_exit_status_2(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, error = run(words, capsys)
    assert (status, out) == (2, "")
    assert error.startswith("largebatch: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_the_table_is_printed_and_the_files_have_its_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        f"--workers 30 --softsync-n 15 --compute-time exponential:0.1 --rows 6000 --out {tmp_path / 'out'}"
    )
    status, out, error = run(words, capsys)
    assert (status, error) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:4]] == [
        "protocol", "hardsync", "15-softsync", "asynchronous",
    ]  # fmt: skip
    table = pd.read_csv(tmp_path / "out" / "simulated.csv").set_index("protocol")
    assert f"{table.loc['15-softsync', 'staleness_mean']:.2f}" in out
    counts = pd.read_csv(tmp_path / "out" / "staleness.csv")
    assert list(counts) == ["protocol", "workers", "kind", "staleness", "count"]
    pd.testing.assert_series_equal(
        counts.groupby("protocol")["count"].sum(), table["pushes"].sort_index(), check_names=False
    )
    assert {file.name for file in (tmp_path / "out" / "figures").iterdir()} == {
        "staleness-30-workers.svg", "staleness-30-workers.png",
    }  # fmt: skip


def test_a_folder_that_cannot_be_written_to_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    status, _, error = run(f"--rows 600 --protocol async --out {tmp_path / 'file'}", capsys)
    assert status == 2
    assert "can't be written to" in error


def test_a_thousand_workers_are_simulated() -> None:
    (outcome,) = simulated(SimulationSettings(batch_size_per_worker=4), workers=1000, protocol="async")
    row = outcome.row()
    assert row["pushes"] == 15_000
    assert row["staleness_mean"] == pytest.approx(999, rel=0.05)
