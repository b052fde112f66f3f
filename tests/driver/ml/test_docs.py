"""The page about the Estimator: its table of the Params that no run has is that of the declarations."""

from __future__ import annotations

from largebatch.ml.params import plain
from largebatch.ml.settings import FitSettings, param_name, respelt
from largebatch.settings.values import Setting, declared
from tests.support.contributing import REPOSITORY


def row(one: Setting) -> str:
    default = "" if one.default in (None, ()) else f"`{plain(one.default)}`"
    return f"| `{param_name(one.name)}` | {default} | {respelt(one.description)} |"


def test_the_table_of_params_is_that_of_the_declarations() -> None:
    page = (REPOSITORY / "docs" / "estimator.md").read_text()
    rows = page.partition("| Param | default | |\n| --- | --- | --- |\n")[2].splitlines()
    assert rows == [row(one) for one in declared(FitSettings).values()]
