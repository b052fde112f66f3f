"""Checks of what a process inherits: variables, a user, limits."""

from __future__ import annotations

import os

from largebatch.doctor.finding import Finding
from largebatch.engine.environment import unheeded
from largebatch.engine.limits import low_limits
from largebatch.engine.user import NAME, is_nameless
from largebatch.settings.execution import Execution


def check_environment() -> Finding:
    """No variable is set that has no effect on runs."""
    sentences = list(unheeded(os.environ))
    if sentences:
        return "warning", " ".join(sentences), "unset what you don't need elsewhere"
    return "ok", "nothing that runs would leave aside", ""


def check_user() -> Finding:
    """The user has a name, which Hadoop needs."""
    if is_nameless():
        found = f"user {os.getuid()} has no name here: local runs give it the name {NAME}"
        return "warning", found, "for runs on clusters, add a line for the user to /etc/passwd"
    return "ok", f"{os.getuid()} has a name", ""


def check_limits() -> Finding:
    """The system's limits leave room for a JVM with the default heap."""
    sentences = list(low_limits(Execution().memory_bytes))
    if sentences:
        return "warning", " ".join(sentences), "ask who administers this machine or container"
    return "ok", "they leave room for a JVM", ""
