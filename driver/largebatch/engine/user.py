"""The user that this process runs as. In containers it often has a number, but no name."""

from __future__ import annotations

import os
import pwd

NAME = "largebatch"  # of a user without a name, for Spark and Hadoop, which need one


def is_nameless() -> bool:
    """Whether the system has no name for this user."""
    try:
        return not pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return True
