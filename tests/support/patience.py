"""How long tests wait for anything: a busy or slow machine is no fault of what is tested.

Ten times what the slowest command takes on an idle machine. Less than a session's own limit of 600 s: what
would wait for that one, or for ever, is found.
"""

from __future__ import annotations

import math

TIMEOUT_S = 300.0


def limit(seconds: float) -> int:
    """A time limit for a command that a test waits out: three times what took `seconds` just now."""
    return max(20, math.ceil(3 * seconds))
