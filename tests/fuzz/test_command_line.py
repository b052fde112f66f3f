"""The command line: never a traceback, whatever the words. Sessions are refused before a JVM starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from largebatch import data
from largebatch.cli import doctor
from largebatch.engine import host
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.settings.execution import Execution
from largebatch.settings.simulation import SimulationSettings
from largebatch.settings.training import Training
from largebatch.settings.values import declared
from tests.support.command import call
from tests.support.fuzzing import TRAINING, examples, reads
from tests.support.samples import dataset, write_dataset
from tests.support.study_samples import finished_study

STATUSES = {0, 1, 2, 3, 130}
_SETTINGS = (Training, Execution, SimulationSettings)
_FLAGS = (
    *(one.flag for settings in _SETTINGS for one in declared(settings).values()),
    "--data-dir", "--out", "--resume", "--runs", "--only", "--jobs", "--limit-time", "--epoch", "--rows",
    "--modes", "--batch-sizes", "--peers", "--warm-up",
)  # fmt: skip
_SWITCHES = (
    "--json", "--dry-run", "--isolate", "--per-worker", "--markdown", "--deterministic",
    "--no-native-blas", "-h",
)  # fmt: skip
_COMMANDS = ("train", "sweep", "report", "compare", "simulate", "bench", "doctor", "data", "predict")
_WORDS = st.one_of(
    st.sampled_from(
        ("idx", "digits", "list", "prepare", "quick", "study", "files", "bad.toml", "missing", "lars", "8",
         "softmax", "64", "1", "0", "-1", "2", "1e30", "nan", "inf", "9" * 5000, "1" + "0" * 400 + "h", "5m",
         "1h30m", "512m", "1g", "9" * 5000 + "g", "local", "spark", f"local[{'9' * 5000}]", "spark://h:1",
         "local-cluster[1,1,9]", "0.5,0.75", "optimizer=lars", "seed=1,2", "=", "\udcff", "../x", "é", "",
         "--", "@x", "x" * 300)
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6),
)  # fmt: skip
_OPTION = st.one_of(
    st.tuples(st.sampled_from(_FLAGS), _WORDS),
    st.tuples(st.sampled_from(_SWITCHES)),
    st.tuples(_WORDS),
)
_ARGUMENTS = st.tuples(st.sampled_from(_COMMANDS) | _WORDS, st.lists(_OPTION, max_size=4)).map(
    lambda words: [words[0], *(word for option in words[1] for word in option)]
)


def _no_session(*_: object) -> NoReturn:
    raise RunError("there are no sessions here")


@pytest.fixture(scope="module", autouse=True)
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A working directory with data and a study, and nothing that reaches out of it or takes long."""
    place = tmp_path_factory.mktemp("place")
    (place / "files").mkdir()
    write_dataset(place / "files")
    finished_study(place / "study", [TRAINING])
    (place / "bad.toml").write_text("name = [")
    digits = dataclasses.replace(data.SOURCES["digits"], load=lambda *_: dataset())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setenv("LARGEBATCH_MIRROR", (place / "no mirror").as_uri())
        patch.delenv("LARGEBATCH_DATA", raising=False)
        patch.setitem(data.SOURCES, "digits", digits)
        patch.setattr(Session, "__enter__", _no_session)
        patch.setattr(host, "find_java", lambda: None)
        patch.setattr(doctor, "run", lambda options: 0)
        patch.setattr("largebatch.report.figures.draw", lambda results, cells, epochs: [])
        yield


def _call(arguments: list[str]) -> int:
    """The command's exit status."""
    done = call(arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode in STATUSES
    assert done.returncode in (0, 130) or done.stderr, "a failure says why"
    return done.returncode


@examples(100, 0.005)
@given(_ARGUMENTS)
@example(["sweep", "quick", "--dry-run", "--limit-time", "1" + "0" * 400 + "h"])
@example(["train", "--memory", "9" * 5000 + "g"])
@example(
    [
        "train",
        "--dataset",
        "idx",
        "--data-dir",
        "files",
        "--batch-size",
        "8",
        "--master",
        f"local[{'9' * 5000}]",
    ]
)
@example(["train", "--dataset", "idx", "--data-dir", "files", "--batch-size", "8", "--network", "softmax"])
@example(["report", "study", "--out", "\udcff"])
@example(["compare", "study/runs/" + TRAINING.name, "study/runs/" + TRAINING.name])
def test_command_lines(arguments: list[str]) -> None:
    reads("command line", lambda: _call(arguments))
