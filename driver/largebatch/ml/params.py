"""The Params of Estimator and model, made from the declarations of the settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from inspect import Parameter, Signature
from typing import Any, TypeVar

import numpy as np
from pyspark.ml.param import Param, Params

from largebatch.errors import UserError
from largebatch.ml.settings import PARAMS, SETTINGS, about_params, respelt
from largebatch.settings.training import Training
from largebatch.settings.values import Setting
from largebatch.terminal.say import say

UNSET = (None, ())  # defaults that stand for "not set"
NOT_OFFERED = {
    "weightCol": "an update is the plain mean over the rows of its batch; repeat rows instead",
    "mode": "take session, which chooses it",
    "dataset": "fit takes a DataFrame",
    "validationRows": "take validationIndicatorCol",
}

C = TypeVar("C", bound=type)


def with_params(without: Collection[str] = ()) -> Callable[[C], C]:
    """Gives a class of Params a Param, a setter and a getter for each setting, but for some."""

    def add(owner: C) -> C:
        for name, one in SETTINGS.items():
            if name not in without:
                setattr(owner, name, Param(Params._dummy(), name, _description(one), _converter(one)))
                suffix = name[0].upper() + name[1:]
                setattr(owner, f"set{suffix}", _setter(name))
                setattr(owner, f"get{suffix}", _getter(name))
        return owner

    return add


def _description(one: Setting) -> str:
    """What explainParams shows: several values are a list here, where the command line has them in a row."""
    text = respelt(one.description)
    if not isinstance(one.default, tuple):
        return text
    return f"{text.replace(', separated by commas', '').replace('; may be given several times', '')}; a list"


def defaults(names: Iterable[str]) -> dict[str, Any]:
    """The defaults of the Params that have one."""
    return {name: plain(SETTINGS[name].default) for name in names if SETTINGS[name].default not in UNSET}


def signature(instance: Any) -> Signature:
    """What `help` shows of the constructor: all Params of a new instance as keywords, with their defaults."""
    values = {param.name: value for param, value in instance._defaultParamMap.items()}
    keywords = [
        Parameter(param.name, Parameter.KEYWORD_ONLY, default=values.get(param.name))
        for param in instance.params
    ]
    return Signature([Parameter("self", Parameter.POSITIONAL_ONLY), *keywords])


def plain(value: Any) -> Any:
    """A value of Python, as JSON has it: numbers of NumPy are unwrapped, sequences become lists."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def given(instance: Any, training: Training) -> dict[str, Any]:
    """The settings of a training as values of the Params that an instance has."""
    values = {name: getattr(training, one.name) for name, one in PARAMS[Training].items()}
    return {
        name: plain(value)
        for name, value in values.items()
        if value not in UNSET and instance.hasParam(name) and training.belongs(PARAMS[Training][name].name)
    }


def thresholds(instance: Any, classes: int) -> tuple[float, ...]:
    """The Param thresholds; empty if it is not set. Raises UserError for other values than Spark's."""
    found = tuple(instance.getThresholds()) if instance.isDefined(instance.thresholds) else ()
    if found and len(found) != classes:
        raise UserError(f"thresholds has {len(found)} numbers, there are {classes} classes")
    if any(not value >= 0 for value in found) or found.count(0.0) > 1:
        raise UserError(f"thresholds {list(found)} must be 0 or more, and at most one of them 0")
    return found


def check_names(instance: Any, names: Iterable[str]) -> None:
    """Raises TypeError for names that are no Params."""
    for name in names:
        if name in NOT_OFFERED:
            raise TypeError(f"{type(instance).__name__} has no Param {name}: {NOT_OFFERED[name]}")
        if not instance.hasParam(name):
            raise TypeError(f"{type(instance).__name__} has no Param {name}; explainParams() lists all")


def restore(instance: Any, metadata: dict[str, Any]) -> None:
    """Set the Params of saved metadata. Those that no longer exist are skipped with a remark."""
    unknown = []
    for name, value in metadata["defaultParamMap"].items():
        if instance.hasParam(name):
            instance._setDefault(**{name: value})
    for name, value in metadata["paramMap"].items():
        if instance.hasParam(name):
            instance._set(**{name: value})
        else:
            unknown.append(name)
    if unknown:
        say(f"{metadata['uid']} was saved with Params that this version does not have: {', '.join(unknown)}")


def _converter(one: Setting) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        value = plain(value)
        checked = tuple(value) if isinstance(value, list) else value
        with about_params():
            try:
                one.check_type(checked)
            except UserError as error:  # it begins with the name in snake case
                raise UserError(f"{one.flag}{str(error).removeprefix(one.name)}") from error
            one.check(checked)
        return value

    return convert


def _setter(name: str) -> Callable[[Any, Any], Any]:
    def set_param(self: Any, value: Any) -> Any:
        if value is None:
            self.clear(self.getParam(name))
            return self
        return self._set(**{name: value})

    set_param.__doc__ = f"Set the Param {name}; None takes it back."
    return set_param


def _getter(name: str) -> Callable[[Any], Any]:
    def get_param(self: Any) -> Any:
        param = self.getParam(name)
        return self.getOrDefault(param) if self.isDefined(param) else None

    get_param.__doc__ = f"The Param {name}; None if it is not set."
    return get_param
