"""Packages that only an extra of the installation brings."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from largebatch.errors import UserError


def need(module: str, extra: str) -> ModuleType:
    """The module. Raises UserError, with the extra that brings it, if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UserError(
            f"{package} is missing ({error}): pip install 'largebatch[{extra}]', or pip install {package}"
        ) from error
