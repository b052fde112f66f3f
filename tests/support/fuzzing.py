"""What all fuzz tests share: changed and made-up input, and the promise that every reader has to keep."""

from __future__ import annotations

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from largebatch.errors import RunError, UserError
from largebatch.settings.training import Training

EXAMPLES = int(os.environ.get("LARGEBATCH_FUZZ_EXAMPLES", "0"))  # 0: few, as a part of the other tests
SLOWEST_S = 30.0  # of this process' CPU time: an input that takes longer has found something
MIB = 2**20
TRAINING = Training(dataset="idx", network="softmax", batch_size=8, epochs=2)

inputs: Counter[str] = Counter()
refused: Counter[str] = Counter()
slowest: defaultdict[str, float] = defaultdict(float)


def examples(usual: int, share: float = 1.0) -> settings:
    """A number of inputs for a property: `usual`, or its share of all that are asked for."""
    return settings(
        max_examples=max(1, round(EXAMPLES * share)) if EXAMPLES else usual,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,  # reads() has a limit of its own
        suppress_health_check=list(HealthCheck),
    )


def reads(reader: str, read: Callable[[], object]) -> object:
    """What a reader returns, or None if it refuses the input by UserError or RunError, and nothing else."""
    begun = time.process_time()
    inputs[reader] += 1
    try:
        return read()
    except (UserError, RunError) as error:
        assert str(error), "a refusal says why"
        refused[reader] += 1
        return None
    finally:
        took = time.process_time() - begun
        slowest[reader] = max(slowest[reader], took)
        assert took < SLOWEST_S


# ---- bytes ----

_CHUNKS = st.sampled_from(
    (b"", b"\0", b"\xff\xff\xff\xff", b"\x7f", b"[" * 5000, b"{", b'"', b"\n", b",", b"-1", b"NaN", b"1e999",
     b"9" * 5000, b"null", b"\\ud800", b"\xed\xa0\x80", b"../", b"<script>", b"\r\n", b"\t", b"A" * 70000)
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A sound file with bytes that were replaced, inserted, removed or repeated, and perhaps cut short."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        # Beginnings matter most: one change in two is in the first bytes.
        start = draw(st.one_of(st.integers(0, 40), st.integers(0, len(data))))
        length = draw(st.integers(0, 8))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data[start : start + length] = draw(st.binary(max_size=8))
        elif kind == 1:
            data[start : start + length] = draw(_CHUNKS)
        elif kind == 2:
            data[start:start] = data[start : start + 8 * length]
        else:
            del data[start:]
    return bytes(data)


# ---- values, as JSON and TOML have them ----

_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.sampled_from(
        ("", "../../x", "/etc", "a\0b", "\ud800", "\udcff", "x" * 5000, "<script>alert(1)</script>", "]]>",
         '"><img onerror=alert(1)>', "=1+1", "$(id)", "line\nbreak", "°·‡", "spark", "lars", "finished")
    ),
)  # fmt: skip
_NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.sampled_from((2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, 5e-324, 0.5, -0.0)),
    st.sampled_from((float("nan"), float("inf"), float("-inf"))),
)
_LEAVES = st.one_of(_TEXTS, _NUMBERS, st.booleans(), st.none())
VALUES = st.one_of(
    _LEAVES, st.lists(_LEAVES, max_size=3), st.dictionaries(_TEXTS, _LEAVES, max_size=3)
)  # fmt: skip


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a structure there are values, from the outside to the inside."""
    found = [before]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += places(item, (*before, key))
    return found


@st.composite
def changed(draw: st.DrawFn, text: str) -> Any:
    """The value in a sound JSON text, with others in some places, and perhaps without some keys."""
    value = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(value)[1:] or [("",)]))
        parent = value
        for key in way:
            parent = parent[key]
        if not isinstance(parent, (dict, list)) or parent == []:
            continue
        if isinstance(parent, dict) and draw(st.integers(0, 4)) == 0:
            parent.pop(last, None)
        else:
            parent[last] = draw(VALUES)
    return value


@st.composite
def json_files(draw: st.DrawFn, text: str) -> bytes:
    """A JSON file that is sound, or wrong in its values, or in its bytes."""
    if draw(st.booleans()):
        return draw(mutated((text.encode(),)))
    return json.dumps(draw(changed(text))).encode()
