"""Studies as TOML files: which runs a file asks for, and what is refused with its line."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from largebatch.data import SOURCES
from largebatch.errors import UserError
from largebatch.settings.study import Study, run_name
from largebatch.settings.training import Training
from largebatch.studies.parser import MAX_RUNS, parse

HEAD = 'name = "small"\n'  # line 1


def study(*lines: str) -> Study:
    return parse(HEAD + "\n".join(lines), "small.toml")


# ---- grids ----


def test_a_grid_is_every_combination_of_its_values_and_what_is_fixed() -> None:
    runs = study(
        "[fixed]",
        "epochs = 3",
        "[[grid]]",
        'optimizer = ["sgd", "lars"]',
        "batch_size = [128, 64]",
        "seed = 7",
    ).runs
    assert [(r.batch_size, r.optimizer) for r in runs] == [
        (64, "sgd"),
        (64, "lars"),
        (128, "sgd"),
        (128, "lars"),
    ]
    assert {(r.epochs, r.seed, r.workers) for r in runs} == {(3, 7, 4)}


def test_learning_rates_default_to_the_optimizers_own() -> None:
    runs = study("[[grid]]", 'optimizer = ["sgd_momentum", "lars"]').runs
    assert [run.learning_rate for run in runs] == [0.01, 1.0]


def test_grids_add_up_in_an_order_that_suits_sessions_and_comparison() -> None:
    runs = study(
        "[[grid]]", "batch_size = [1024, 64]", "seed = [1, 2]", 'optimizer = ["sgd", "lars"]',
        "[[grid]]", "batch_size = 256", "workers = 2",
    ).runs  # fmt: skip
    assert [(r.workers, r.batch_size, r.seed, r.optimizer) for r in runs] == [
        (2, 256, 1, "lars"),
        *((4, size, seed, o) for size in (64, 1024) for seed in (1, 2) for o in ("sgd", "lars")),
    ]


def test_a_setting_that_is_a_list_itself_varies_by_a_list_of_lists() -> None:
    one = study("[[grid]]", 'schedule = "multi_step"', "milestones = [0.2, 0.6]")
    two = study("[[grid]]", 'schedule = "multi_step"', "milestones = [[0.2, 0.6], [0.5]]")
    assert [run.milestones for run in one.runs] == [(0.2, 0.6)]
    assert [run.milestones for run in two.runs] == [(0.2, 0.6), (0.5,)]
    assert two.varied == ["milestones"]


def test_what_varies_is_what_differs_between_runs() -> None:
    varied = study("[[grid]]", 'optimizer = ["sgd", "sgd_momentum"]', "seed = [1, 2]", "epochs = [5]").varied
    assert varied == ["optimizer", "seed"], "their default learning rates are equal"


def test_texts_and_execution_are_those_of_the_file() -> None:
    small = parse(
        'name = "a-b.1"\ntitle = "T"\ndescription = """\none\n  two"""\nfallback = "digits"\n'
        '[execution]\nmode = "local"\n[[grid]]\n',
        "small.toml",
    )
    assert (small.name, small.title, small.description) == ("a-b.1", "T", "one two")
    assert (small.fallback, small.execution, small.runs) == ("digits", {"mode": "local"}, (Training(),))
    assert [run.dataset for run in small.on("digits").runs] == ["digits"]
    assert study("[[grid]]").title == "small"


def test_what_is_fixed_may_count_for_some_of_the_runs_only() -> None:
    runs = study("[fixed]", "momentum = 0.5", "[[grid]]", 'optimizer = ["sgd", "lars"]').runs
    assert [(run.optimizer, run.momentum) for run in runs] == [("sgd", 0.5), ("lars", 0.5)]
    assert [run.belongs("momentum") for run in runs] == [False, True]
    assert run_name(runs[0]) == "mnist-lenet-sgd-b1024-e10-s1-92774424", "names stay as they are"


def test_each_grid_has_settings_of_its_own() -> None:
    runs = study(
        "[[grid]]", 'optimizer = "lars"', "trust_coefficient = [0.001, 0.01]", "[[grid]]", 'optimizer = "sgd"'
    ).runs  # fmt: skip
    assert [(run.optimizer, run.trust_coefficient) for run in runs] == [
        ("lars", 0.001), ("lars", 0.01), ("sgd", 0.001),
    ]  # fmt: skip


VALUES: dict[str, list[Any]] = {
    "optimizer": ["sgd", "sgd_momentum", "lars"],
    "batch_size": [4, 64, 1000, 60000],
    "seed": [0, 1, 2**31 - 1],
    "learning_rate": [0.5, 1, 1e-3],
    "adapt_biases": [True, False],
    "scope": ["layer", "parameter"],
    "warmup_epochs": [0.5, 1, 0],
}


@st.composite
def grids(draw: st.DrawFn) -> dict[str, list[Any]]:
    names = draw(st.sets(st.sampled_from(sorted(VALUES))))
    grid = {n: draw(st.lists(st.sampled_from(VALUES[n]), min_size=1, unique=True)) for n in sorted(names)}
    assume(math.prod(map(len, grid.values())) <= MAX_RUNS)
    return grid


def toml(grid: dict[str, list[Any]]) -> str:
    """JSON's lists of numbers, texts, true and false are TOML's too."""
    return "[[grid]]\n" + "\n".join(f"{name} = {json.dumps(values)}" for name, values in grid.items())


@given(grids())
def test_runs_are_those_of_nested_loops_and_have_names_of_their_own(grid: dict[str, list[Any]]) -> None:
    runs = study(toml(grid)).runs
    wanted = [Training(**dict(zip(grid, v, strict=True))) for v in itertools.product(*grid.values())]
    assert len(runs) == len(wanted)
    assert set(runs) == set(wanted)
    assert len({run_name(run) for run in runs}) == len(set(wanted))
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", run_name(run)) for run in runs)


# ---- refusals ----

GRID = "[[grid]]"


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["colour = 1", GRID], 2, "unknown field colour; there are name, title, "),
        (["title = 3", GRID], 2, "title must be a text in quotes"),
        (['fallback = "cifar"', GRID], 2, f"fallback must be one of {', '.join(SOURCES)}"),
        (['fallback = "digits"', GRID, 'dataset = ["mnist", "idx"]'], 2, "a fallback is for studies of one"),
        ([""], 1, "a study needs at least one table [[grid]]"),
        (["", "[grid]", "seed = 1"], 3, "a study needs at least one table [[grid]]"),
        (["grid = []"], 2, "a study needs at least one table [[grid]]"),
        (["grid = [1]"], 2, "a study needs at least one table [[grid]]"),
        (["fixed = 3", GRID], 2, "fixed must be a table: [fixed]"),
        (["[[fixed]]", "epochs = 3", GRID], 2, "fixed must be a table: [fixed]"),
        (["[fixed]", "", "epoch = 3", GRID], 4, "unknown setting epoch; there are dataset, "),
        (["[fixed]", "epochs = 'ten'", GRID], 3, "epochs = 'ten' must be a whole number"),
        (["[fixed]", "epochs = [1, 2]", GRID], 3, "epochs = [1, 2] must be a whole number"),
        (["[fixed]", "epochs = true", GRID], 3, "epochs = True must be a whole number"),
        (["[fixed]", "mode = 'local'", GRID], 3, "mode is a setting of [execution]: put it there"),
        (["[execution]", "modus = 'local'", GRID], 3, "unknown setting modus; there are mode, master, "),
        (["[execution]", "mode = 'mesos'", GRID], 3, "mode 'mesos' is unknown; choose one of spark, local"),
        (["[execution]", "memory = 6", GRID], 3, "memory = 6 must be a text in quotes"),
        (["[execution]", "conf = 'spark.a=1'", GRID], 3, "conf = 'spark.a=1' must be a list of texts"),
        (["[execution]", "", "conf = ['a=1']", GRID], 4, "conf 'a=1' must be KEY=VALUE with a key of "),
        (["[execution]", 'memory = "6"', GRID], 3, "memory '6' must be a number with m or g"),
        ([GRID, "", "# a remark", "batch = 3"], 5, "unknown setting batch; there are dataset, "),
        ([GRID, "seed = 1", "[[grid]]", "sed = 2"], 5, "unknown setting sed"),
        ([GRID, "seed = []"], 3, "seed has no values"),
        ([GRID, "seed = [1, 1.5]"], 3, "seed = 1.5 must be a whole number"),
        ([GRID, "seed = -1"], 3, "seed -1 must be from 0 to 2147483647"),
        (["[fixed]", "seed = 1", GRID, "seed = [1, 2]"], 5, "seed is in [fixed] too"),
        ([GRID, "batch_size = [64, 66]"], 3, "batch_size 66 is not a multiple of workers 4"),
        ([GRID, "workers = 3", "batch_size = [63,\n 64]"], 4, "batch_size 64 is not a multiple of workers 3"),
        (["[fixed]", "workers = 3", GRID], 3, "batch_size 1024 is not a multiple of workers 3"),
        (["[fixed]", "epochs = 2", GRID, "warmup_epochs = [1, 3]"], 5, "warmup_epochs 3 is more than"),
        ([GRID, 'optimizer = ["lars", "adamax"]'], 3, "optimizer 'adamax' is unknown; choose one of sgd, "),
        ([GRID, 'dataset = "a b"'], 3, "dataset 'a b' must be letters, digits, "),
        ([GRID, 'dataset = "cifar"'], 3, "there is no data set 'cifar'; there are mnist, "),
        (["[fixed]", 'dataset = "cifar"', GRID], 3, "there is no data set 'cifar'"),
        ([GRID, "seed = [1, 2]", GRID, "seed = [2, 3]"], 4, "the run mnist-lenet-lars-b1024-e10-s2 is asked"),
        ([GRID, "seed = [3, 3]"], 2, "the run mnist-lenet-lars-b1024-e10-s3 is asked for twice"),
        ([GRID, "learning_rate = [1, 1.0]"], 2, "is asked for twice"),
        ([GRID, f"seed = {list(range(MAX_RUNS + 1))}"], 2, "this makes 1001 runs; 1000 are the most"),
        ([GRID, f"seed = {list(range(999))}", GRID, f"workers=2\nseed = {[1, 2]}"], 4, "makes 1001 runs"),
        (
            [GRID, 'optimizer = ["lars", "sgd"]', "trust_coefficient = 0.01"], 4,
            "trust_coefficient belongs to optimizer lars, not to sgd: leave it out, or put it into a "
            "[[grid]] of its own",
        ),
        ([GRID, "seed = [1, 2]", "power = 1"], 4, "power belongs to schedule polynomial, not to"),
        (
            ["[fixed]", "network = 'softmax'", "", "padding = 'valid'", GRID], 5,
            Training(network="softmax").foreign("padding").replace("--", "") + ": leave it out",
        ),
        (["[fixed]", "momentum = 0.5", GRID, "optimizer = 'sgd'"], 3, "momentum belongs to optimizer sgd_"),
        (["fixed.epochs = 0", GRID], 2, "epochs 0 must be at least 1"),
        (["grid = [{seed = 1}, {seed = -1}]"], 2, "seed -1 must be from 0"),
        (['title = """\n[fixed]\nepochs = 3"""', "[fixed]", "epochs = 0", GRID], 6, "epochs 0 must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_sentence_with_its_line(
    lines: list[str], line: int, words: str
) -> None:
    with pytest.raises(UserError) as refusal:
        study(*lines)
    message = str(refusal.value)
    assert message.startswith(f"small.toml, line {line}: ")
    assert words in message
    assert "--" not in message, "a file has no flags"
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", ".hidden", "a b", "ä", "x" * 65])
def test_names_that_are_no_folder_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"small\.toml, line 2: name .* must be letters, digits"):
        parse(f"# a remark\nname = {json.dumps(name)}\n[[grid]]\n", "small.toml")


def test_a_study_without_a_name_is_refused() -> None:
    with pytest.raises(UserError, match=r"small\.toml, line 1: name '' must be"):
        parse("[[grid]]\n", "small.toml")


def test_errors_of_syntax_have_their_line_too() -> None:
    with pytest.raises(UserError, match=r"small\.toml is not TOML: .*line 3"):
        study("[[grid]]", "seed = ?")
    with pytest.raises(UserError, match=r"line 3.*; the line has '“' in it: type a plain quote or space"):
        study("[[grid]]", "seed = “1”")  # of a word processor


@pytest.mark.parametrize("name", ["batch_size", "epochs", "workers", "micro_batch"])
def test_numbers_that_no_machine_counts_to_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"line 2: {name} {'9' * 18} must be at most 2147483647"):
        parse(f"name = 'a'\nfixed.{name} = {'9' * 18}\n[[grid]]\nseed = 1\n", "study")
