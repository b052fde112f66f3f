"""The summary: what single seeds say of a claim, and the sentences."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from largebatch.records.reading import read_study
from largebatch.report import summary, tables
from largebatch.report.write import report
from largebatch.settings.training import Training
from tests.support.study_samples import study


def test_batch_sizes_of_one_worker(tmp_path: Path) -> None:
    folder = study(
        tmp_path, *(Training(optimizer=o, batch_size=4096, epochs=3) for o in ("sgd_momentum", "lars"))
    )
    record = read_study(folder)
    results = tables.results(record)
    (as_global,), (per_worker,) = (
        summary.compare_with_paper(record, results, per_worker=reading) for reading in (False, True)
    )
    assert "no result of SGD at 1024" in as_global.claims[0].statements[0].measured
    assert " at 1024" in per_worker.claims[0].statements[0].measured
    assert "no result" not in per_worker.claims[0].statements[0].measured


def with_seeds(folder: Path, at_32000: dict[str, dict[int, float]]) -> tuple[summary.Comparison, str]:
    """The claims on three seeds that have 90% at 28000, and at 32000 by optimizer and seed what is told."""
    keys = [
        (optimizer, size, seed) for optimizer in at_32000 for size in (28000, 32000) for seed in (1, 2, 3)
    ]
    folder = study(folder, *(Training(optimizer=o, batch_size=b, seed=s, epochs=1) for o, b, s in keys))
    results = tables.results(read_study(folder))
    of_run = {key: at_32000[key[0]].get(key[2]) if key[1] == 32000 else 0.9 for key in keys}
    rows = zip(results["optimizer"], results["batch_size"], results["seed"], strict=True)
    results = results.assign(test_accuracy=[of_run[row] for row in rows]).dropna(subset="test_accuracy")
    (comparison,) = summary.compare_with_paper(read_study(folder), results)
    return comparison, summary.sentences(results, tables.cells(results), [comparison])[-1]


def test_what_single_seeds_say_of_a_claim(tmp_path: Path) -> None:
    lars_is_behind_with_3 = {
        "sgd_momentum": {1: 0.40, 2: 0.40, 3: 0.60}, "lars": {1: 0.50, 2: 0.45, 3: 0.55}
    }  # fmt: skip
    comparison, sentence = with_seeds(tmp_path, lars_is_behind_with_3)
    claim = comparison.claims[4]
    assert claim.verdict == "reproduced"
    assert claim.of_seeds == ((1, "reproduced"), (2, "reproduced"), (3, "partly reproduced"))
    assert claim.seeds == "seeds 1, 2 alone: the same; seed 3 alone: partly reproduced"
    assert sentence.endswith(" Single seeds give other verdicts on claim 5.")


def test_seeds_that_agree(tmp_path: Path) -> None:
    comparison, sentence = with_seeds(
        tmp_path, {"sgd_momentum": dict.fromkeys((1, 2, 3), 0.4), "lars": dict.fromkeys((1, 2, 3), 0.5)}
    )
    assert comparison.claims[4].seeds == "seeds 1, 2, 3 alone: the same"
    assert "ingle seeds" not in sentence


def test_a_seed_that_lacks_a_run_has_no_verdict_of_its_own(tmp_path: Path) -> None:
    sgd = dict.fromkeys((1, 2, 3), 0.4)
    for index, (lars, seeds) in enumerate((({1: 0.5, 2: 0.5}, "seeds 1, 2 alone: the same"), ({1: 0.5}, ""))):
        comparison, _ = with_seeds(tmp_path / str(index), {"sgd_momentum": sgd, "lars": lars})
        assert comparison.claims[4].seeds == seeds
        assert comparison.claims[0].seeds == ""


@pytest.mark.parametrize("settings", [{"dataset": "digits"}, {"network": "softmax"}])
@pytest.mark.usefixtures("undrawn")
def test_the_claims_are_about_lenet_on_mnist(tmp_path: Path, settings: dict[str, object]) -> None:
    trainings = [
        Training.from_mapping({"optimizer": optimizer, "batch_size": 1024, "epochs": 2, **settings})
        for optimizer in ("sgd_momentum", "lars")
    ]
    written = report(study(tmp_path, *trainings))
    assert "claims" not in written.text
    assert "Not measured: the claims are about LeNet on MNIST" in written.page.read_text()


# ---- sentences ----


@pytest.mark.parametrize(
    ("wanted", "text"),
    [([1, 2, 4, 8], "1 to 8"), ([1, 2, 8], "1, 2, 8"), ([1, 2, 4], "1 to 4"), ([8], "8"), ([], "")],
)
def test_sizes(wanted: list[int], text: str) -> None:
    assert summary.sizes(wanted, [1, 2, 4, 8]) == text


def sentences(accuracies: dict[str, dict[int, float]], **settings: str) -> str:
    """The summary for made-up test accuracies, without the first sentence."""
    rows = [
        {
            "name": f"{line}-{size}",
            "line": line,
            "optimizer": line,
            "batch_size": size,
            "status": "finished",
            "test_accuracy": value,
            "train_accuracy": value,
            "generalization_error": 0.0,
            "median_epoch_seconds": 1.0,
            **settings,
        }
        for line, values in accuracies.items()
        for size, value in values.items()
    ]
    results = pd.DataFrame(rows)
    return "\n".join(summary.sentences(results, tables.cells(results), [])[1:])


def test_how_far_the_batch_can_grow() -> None:
    text = sentences({"A": {8: 0.95, 16: 0.90, 32: 0.89, 64: 0.91}, "B": {8: 0.5}, "C": {8: 0.99, 16: 0.98}})
    assert (
        "A keeps a test accuracy of 90% or more up to batch size 16 (90.00%) and falls below it at "
        "batch size 32 (89.00%)." in text
    )
    assert "B: test accuracy is below 90% already at batch size 8 (50.00%)." in text
    assert "C keeps a test accuracy of 90% or more up to batch size 16 (98.00%), the largest that has" in text


def test_runs_whose_workers_held_the_rows_are_told_of() -> None:
    words = "In 1 of 1 runs the workers held the rows"
    assert words in sentences({"A": {8: 0.95}}, data_placement="executors")
    assert words not in sentences({"A": {8: 0.95}}, data_placement="driver")


def test_where_lines_cross() -> None:
    text = sentences({"A": {8: 0.95, 16: 0.93, 32: 0.80}, "B": {8: 0.93, 16: 0.935, 32: 0.89, 64: 0.5}})
    assert "A has a higher test accuracy than B at batch size 8, by 2.0 points; B has a higher " in text
    assert "B has a higher test accuracy than A at batch size 32, by 9.0 points; A and B are less " in text
    assert "A and B are less than 1 point apart at 16." in text
    assert "at batch size 8 to 32, by 4.0 points at 16." in sentences(
        {"A": {8: 0.95, 16: 0.94, 32: 0.93}, "B": dict.fromkeys((8, 16, 32), 0.90) | {8: 0.93}}
    )
    assert "Best test accuracy: 95.00%, by A at batch size 8." in text
    assert "A and B have no batch size in common yet." in sentences({"A": {8: 0.9}, "B": {16: 0.9}})
