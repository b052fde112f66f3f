"""Every verdict on the paper's claims, both ways, on made-up tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from largebatch.report import claims
from largebatch.report.claims import (
    NOT_MEASURED,
    NOT_REPRODUCED,
    PARTLY,
    REPRODUCED,
    Claim,
    Statement,
    judge,
    pairs,
)
from largebatch.report.tables import Line

SGD, LARS = "SGD with momentum", "LARS"
# Test accuracy as the paper's figure 2 goes, and the generalization error of its figure 4.
PAPER = {
    SGD: {64: 0.99, 1024: 0.985, 8000: 0.92, 16000: 0.75, 28000: 0.39, 32000: 0.30},
    LARS: {64: 0.99, 1024: 0.985, 8000: 0.93, 16000: 0.90, 28000: 0.60, 32000: 0.50},
}
GAPS = {
    SGD: {64: 0.002, 1024: 0.002, 8000: 0.01, 16000: 0.05, 28000: 0.08, 32000: 0.10},
    LARS: {64: 0.002, 1024: 0.002, 8000: 0.01, 16000: 0.02, 28000: 0.03, 32000: -0.03},
}
Accuracies = Mapping[str, Mapping[int, float]]


def table(test: Accuracies, gaps: Accuracies = GAPS) -> pd.DataFrame:
    """Cells as tables.cells makes them."""
    return pd.DataFrame(
        [
            {
                "line": line,
                "batch_size": size,
                "names": (f"{line}-{size}-1", f"{line}-{size}-2"),
                "test_accuracy": value,
                "train_accuracy": value + gaps[line][size],
                "generalization_error": gaps[line][size],
            }
            for line, values in test.items()
            for size, value in values.items()
        ],
        columns=[
            "line",
            "batch_size",
            "names",
            "test_accuracy",
            "train_accuracy",
            "generalization_error",
        ],
    )


def changed(line: str, **values: float | None) -> Accuracies:
    """The paper's accuracies with others for a line: at_1024=0.9; None takes a batch size out."""
    sizes = {int(name.removeprefix("at_")): value for name, value in values.items()}
    new = {size: value for size, value in {**PAPER[line], **sizes}.items() if value is not None}
    return {**PAPER, line: dict(sorted(new.items()))}


def claim(number: int, cells: pd.DataFrame) -> Claim:
    return judge(cells, SGD, LARS)[number - 1]


def holds(number: int, cells: pd.DataFrame) -> list[bool | None]:
    return [statement.holds for statement in claim(number, cells).statements]


def test_the_papers_own_numbers_reproduce_it() -> None:
    found = judge(table(PAPER), SGD, LARS)
    assert [(c.number, c.verdict) for c in found] == [(n, REPRODUCED) for n in range(1, 8)]


def test_without_runs_nothing_is_measured() -> None:
    found = judge(table({}), SGD, LARS)
    assert [c.verdict for c in found] == [NOT_MEASURED] * 7
    assert not [run for c in found for statement in c.statements for run in statement.runs]


FAILING = [  # claim, changed accuracies, which statements then hold
    (1, changed(SGD, at_1024=0.979), [False, True]),
    (1, changed(LARS, at_64=0.97), [True, False]),
    (2, changed(SGD, at_8000=0.90), [False, True]),
    (2, changed(LARS, at_1024=0.80), [True, False]),
    (3, changed(SGD, at_16000=0.83), [False, True]),
    (3, changed(LARS, at_16000=0.79), [True, False]),
    (3, changed(SGD, at_28000=0.75, at_32000=0.74), [False, False]),
    (4, changed(SGD, at_32000=0.40), [False, True]),
    (4, changed(LARS, at_28000=0.55), [True, False]),
    (5, changed(SGD, at_32000=0.35), [False, True, True]),
    (5, changed(LARS, at_32000=0.56), [True, False, True]),
    (5, changed(LARS, at_32000=0.305), [True, True, False]),
    (6, changed(LARS, at_16000=0.78), [False]),
]


@pytest.mark.parametrize(("number", "accuracies", "expected"), FAILING)
def test_a_statement_that_fails(number: int, accuracies: Accuracies, expected: list[bool]) -> None:
    cells = table(accuracies)
    assert holds(number, cells) == expected
    assert claim(number, cells).verdict == (PARTLY if any(expected) else NOT_REPRODUCED)


@pytest.mark.parametrize(
    ("line", "gaps", "expected"),
    [
        (SGD, {16000: 0.019}, [False, False]),  # LARS' 0.02 is then more than half of it
        (SGD, {16000: 0.009}, [False, False]),  # too small to be told from none
        (SGD, {16000: -0.05}, [False, False]),
        (LARS, {16000: 0.026}, [True, False]),
        (LARS, {16000: -0.026}, [True, False]),  # the size counts, not the sign
        (LARS, {16000: 0.025}, [True, True]),
    ],
)
def test_generalization_error(line: str, gaps: dict[int, float], expected: list[bool]) -> None:
    assert holds(7, table(PAPER, {**GAPS, line: {**GAPS[line], **gaps}})) == expected


MISSING = [  # claim, a batch size that it needs, verdict without it
    (1, SGD, 1024),
    (2, LARS, 8000),
    (3, SGD, 8000),
    (3, LARS, 16000),
    (3, SGD, 32000),
    (3, LARS, 28000),
    (4, LARS, 28000),
    (5, SGD, 28000),
    (5, LARS, 32000),
    (6, SGD, 16000),
    (6, LARS, 32000),
    (7, SGD, 8000),
    (7, LARS, 16000),
    (7, SGD, 32000),
]


@pytest.mark.parametrize(("number", "line", "size"), MISSING)
def test_a_claim_is_not_measured_while_a_batch_size_lacks_a_result(number: int, line: str, size: int) -> None:
    found = claim(number, table(changed(line, **{f"at_{size}": None})))
    assert found.verdict == NOT_MEASURED
    title = line.split(maxsplit=1)[0]
    assert f"no result of {title} at {size}" in "; ".join(s.measured for s in found.statements)


def test_a_refutation_needs_no_other_batch_size() -> None:
    cells = table({SGD: {512: 0.9}, LARS: {512: 0.99}}, {SGD: {512: 0.0}, LARS: {512: 0.0}})
    assert holds(1, cells) == [False, None]
    assert claim(1, cells).verdict == NOT_REPRODUCED
    assert claim(2, cells).verdict == NOT_REPRODUCED  # 90% is not above 90%
    assert claim(6, cells).verdict == NOT_MEASURED


def test_numbers_are_quoted_with_the_runs_they_come_from() -> None:
    first, second = claim(4, table(changed(SGD, at_28000=0.45))).statements
    assert first == Statement(
        "SGD: below 40% at every batch size from 28000",
        "30.00% at 32000 to 45.00% at 28000; holds at 1 of 2 batch sizes",
        False,
        (f"{SGD}-28000-1", f"{SGD}-28000-2", f"{SGD}-32000-1", f"{SGD}-32000-2"),
    )
    assert second.measured == "60.00% at 28000"


def test_the_fall_per_doubling_names_both_its_ends() -> None:
    falls = claim(3, table(changed(SGD, at_28000=None, at_32000=0.42))).statements[0]
    assert falls.measured == "-25.00 points at 32000 to -17.00 points at 16000"
    assert falls.runs[0] == f"{SGD}-8000-1"


def test_every_word_has_its_number() -> None:
    text = " ".join(number for _, number, _ in claims.WORDS)
    assert text == (
        "98% or more 10 points or more per doubling of the batch 5 points or more 1 point or more at most 50%"
    )


# ---- which lines are compared ----


def line(optimizer: str, **settings: float) -> Line:
    return Line(f"{optimizer} {settings}", optimizer, settings)


def test_lines_are_compared_where_what_they_share_is_equal() -> None:
    lines = [line(o, epochs=n) for o in ("sgd_momentum", "lars") for n in (5, 20)]
    assert [(a.settings, b.settings) for a, b in pairs(lines)] == [
        ({"epochs": n}, {"epochs": n}) for n in (5, 20)
    ]


def test_learning_rates_of_different_optimizers_need_not_be_equal() -> None:
    lines = [
        line("sgd_momentum", learning_rate=0.01),
        line("lars", learning_rate=0.01),
        line("lars", learning_rate=1.0),
        line("sgd", learning_rate=0.01),
    ]
    assert [(a.optimizer, b.settings["learning_rate"]) for a, b in pairs(lines)] == [
        ("sgd_momentum", 0.01),
        ("sgd_momentum", 1.0),
    ]


def test_a_study_of_one_optimizer_has_nothing_to_compare() -> None:
    assert pairs([line("lars"), line("sgd")]) == []
