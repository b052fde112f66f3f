"""What a check finds out."""

from __future__ import annotations

from typing import Literal

Status = Literal["ok", "warning", "failed"]
Finding = tuple[Status, str, str]  # status, what was found, how to mend it
