"""The settings of a run as they are declared, for tests that go through all of them."""

from __future__ import annotations

from typing import Any

from largebatch.errors import UserError
from largebatch.settings.training import Training
from largebatch.settings.values import Setting, declared

SETTINGS = declared(Training)
CHOICES = {name: tuple(setting.rows) for name, setting in SETTINGS.items() if setting.rows}
OWNED = [name for name, setting in SETTINGS.items() if setting.of]  # by optimizers, networks, ...
FOREIGN = [  # settings, and a choice of which each is none
    (name, SETTINGS[name].of, row)
    for name in OWNED
    for row in CHOICES[SETTINGS[name].of]
    if row not in Training.owners(name)
]


def every_choice() -> list[Training]:
    """Settings with each row of each registry chosen once, the defaults last."""
    return [*(Training(**{choice: row}) for choice, rows in CHOICES.items() for row in rows), Training()]


def owning(name: str) -> dict[str, Any]:
    """The choice that makes a setting count, if it does not anyway, with workers enough for `other_value`."""
    owners = Training.owners(name)
    return {SETTINGS[name].of: owners[0], "workers": 16} if owners else {}


def other_value(setting: Setting) -> Any:
    """An allowed value that differs from what a run has without the setting; the default if there is none."""
    settled = getattr(Training(), setting.name)
    candidates = (*setting.offered, True, False, 8, 2.5, 0.25, (0.25,), (8,))
    found = (
        value for value in candidates if value not in (setting.default, settled) and _fits(setting, value)
    )
    return next(found, setting.default)


def _fits(setting: Setting, value: Any) -> bool:
    try:
        setting.check_type(value)
        setting.check(value)
    except UserError:
        return False
    return True


def assert_one_sentence(text: str) -> None:
    """Refusals are a line that the user reads behind the program's name."""
    assert text and len(text.splitlines()) == 1, text
