"""Studies in TOML."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from largebatch.settings.study import run_name
from largebatch.studies.library import MAX_BYTES, SHIPPED
from largebatch.studies.parser import parse
from largebatch.studies.toml_lines import locate
from largebatch.studies.tune.plan import Plan
from largebatch.tuning.select import Curve
from tests.support.fuzzing import VALUES, changed, examples, mutated, reads

SOUND = tuple((SHIPPED / f"{name}.toml").read_bytes() for name in ("quick", "paper-longer", "fair"))
MODEL = json.dumps(
    {
        "name": "a", "title": "b", "description": "c", "fallback": "digits",
        "fixed": {
            "epochs": 2, "learning_rate": 0.5, "scope": "layer",
            "schedule": "multi_step", "milestones": [0.5],
        },
        "execution": {"mode": "local", "memory": "1g", "stall_timeout": 3.5, "master": "local[2]"},
        "grid": [{"optimizer": ["lars", "sgd"], "batch_size": [64, 128], "seed": [1]}, {"workers": 2}],
    }
)  # fmt: skip

TUNING = json.dumps(
    {
        "name": "a", "fixed": {"epochs": 4, "schedule": "polynomial"},
        "grid": [{"optimizer": ["lars", "sgd"], "batch_size": [64, 128]}],
        "tune": {
            "trials": 4, "validation_rows": 100, "seeds": 2, "sequence": 1, "updates": 8,
            "promote_after": [0.25, 0.5], "promote_share": 0.5,
        },
        "space": {
            "lars": {
                "learning_rate": {"low": 0.1, "high": 10.0, "scale": "log"},
                "one_minus_momentum": {"low": 0.01, "high": 0.5}, "weight_decay": {"values": [0.0, 0.1]},
            }
        },
    }
)  # fmt: skip


def _value(value: Any) -> str:
    """TOML of a value; what TOML does not have is written as JSON would."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def _toml(document: Any) -> str:
    if not isinstance(document, dict):
        return _value(document)
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in document.items())


def _study(text: str) -> None:
    study = parse(text, "study.toml")
    assert len({run_name(run) for run in study.runs}) == len(study.runs)
    for name in (study.name, *map(run_name, study.runs)):
        assert "/" not in name and "\0" not in name and name.strip(".")
    if study.tuning is not None:
        Plan(study, study.tuning, lambda run: 60000, study.tuning.settings.trials or 2).cells(
            lambda run: Curve()
        )


@examples(60, 0.01)
@given(mutated(SOUND))
def test_damaged_studies(content: bytes) -> None:
    reads("study, bytes", lambda: _study(content.decode(errors="replace")))


@examples(200, 0.03)
@given(
    changed(MODEL).map(_toml)
    | changed(TUNING).map(_toml)
    | st.dictionaries(st.text(max_size=4), VALUES, max_size=4).map(_toml)
)
@example(f"name = 'a'\n[[grid]]\nbatch_size = 0x{'f' * 5000}\n")
@example(f"name = 'a'\n[[grid]]\nmicro_batch = {'9' * 300}\n")
@example(f"name = 'a'\n[[grid]]\nseed = {'9' * 5000}\n")
@example(f"name = {'[' * 5000}")
@example(f"name = {'{a=' * 1000}")
@example("a." * 2000 + "b = 1")
def test_made_up_studies(text: str) -> None:
    reads("study, values", lambda: _study(text))


@examples(100, 0.02)
@given(mutated(SOUND))
@example(b'# \\"""' * (MAX_BYTES // 6))
def test_places_of_keys(content: bytes) -> None:
    text = content.decode(errors="replace")
    lines = text.count("\n") + 1
    places = reads("lines of TOML", lambda: locate(text).places)
    assert isinstance(places, dict)
    assert all(1 <= line <= lines for line in places.values())
