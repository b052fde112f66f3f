"""The two kinds of failure a user can meet, and their exit statuses."""

from __future__ import annotations


class UserError(Exception):
    """Input that cannot be used. One sentence: what, where, how to mend it. Exit status 2."""


class RunError(Exception):
    """A run, download or check that failed although the input was fine. Exit status 1."""
