"""How long tests wait. A busy machine is no fault of what is tested, so it may take many times as long as an
idle one; what would wait for a session's own limit of 600 s, or for ever, is still found.
"""

from __future__ import annotations

TIMEOUT_S = 900.0  # for a command: one that hangs fails its test instead of stopping all
PROMPT_S = 120.0  # for what takes a second or two on an idle machine
