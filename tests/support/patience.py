"""How long tests wait for anything: a busy or slow machine is no fault of what is tested.

Ten times what the slowest command takes on an idle machine. Less than a session's own limit of 600 s: what
would wait for that one, or for ever, is found.
"""

from __future__ import annotations

TIMEOUT_S = 300.0
