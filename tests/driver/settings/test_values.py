"""Declarations of settings: what every one must say, and what is derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.ranges import Allowed, Choice, Real, Whole
from largebatch.settings.training import Training
from largebatch.settings.values import NotPassed, Setting, Settings, declared, setting
from tests.support.settings import CHOICES, FOREIGN, OWNED, SETTINGS, assert_one_sentence, owning

DECLARED = [
    pytest.param(one, id=name)
    for settings in (Training, Execution)
    for name, one in declared(settings).items()
]
every_setting = pytest.mark.parametrize("one", DECLARED)


# ---- what every declaration says ----


@every_setting
def test_every_setting_is_described(one: Setting) -> None:
    assert one.description
    assert not one.description.endswith(".")


@every_setting
def test_every_default_is_allowed(one: Setting) -> None:
    one.check_type(one.default)
    one.check(one.default)


@every_setting
def test_every_setting_is_an_argument_of_train_or_says_why_not(one: Setting) -> None:
    value = one.default if one.default is not None else 0.5
    assert one.dml.reason if isinstance(one.dml, NotPassed) else one.arguments(value)


def test_no_two_settings_give_the_same_argument() -> None:
    values = Training().to_mapping()
    names = [name for one in SETTINGS.values() for name in one.arguments(values[one.name])]
    assert len(names) == len(set(names))


@every_setting
def test_every_setting_belongs_to_someone(one: Setting) -> None:
    assert not one.of or Training.owners(one.name), f"no row of {one.of} lists {one.name}"


@pytest.mark.parametrize(("choice", "row"), [(choice, row) for choice in CHOICES for row in CHOICES[choice]])
def test_rows_list_settings_of_their_kind(choice: str, row: str) -> None:
    listed = SETTINGS[choice].rows[row].settings
    assert {SETTINGS[name].of for name in listed} <= {choice}
    assert len(listed) == len(set(listed))


def test_what_is_chosen_by_name_is_known() -> None:
    assert set(CHOICES) == {"network", "optimizer", "schedule", "rate_rule", "protocol", "data_placement"}


# ---- whose settings are ----


@pytest.mark.parametrize(("name", "choice", "row"), FOREIGN)
def test_a_setting_is_refused_where_it_is_foreign(name: str, choice: str, row: str) -> None:
    given = {choice: row, name: SETTINGS[name].default}
    with pytest.raises(UserError) as refusal:
        Training.from_given(given)
    text = str(refusal.value)
    assert text.startswith(f"{SETTINGS[name].flag} belongs to {SETTINGS[choice].flag} ")
    assert text.endswith(f", not to {row}: leave it out, or choose another {SETTINGS[choice].flag}")
    assert_one_sentence(text)


@pytest.mark.parametrize(("name", "choice", "row"), FOREIGN)
def test_files_of_runs_may_hold_settings_that_do_not_count(name: str, choice: str, row: str) -> None:
    training = Training.from_mapping({choice: row, name: SETTINGS[name].default})
    assert not training.belongs(name)
    assert training.dml_arguments().keys().isdisjoint(SETTINGS[name].arguments(SETTINGS[name].default))


@pytest.mark.parametrize("name", OWNED)
def test_a_setting_is_taken_by_those_to_whom_it_belongs(name: str) -> None:
    for owner in Training.owners(name):
        given = {SETTINGS[name].of: owner, name: SETTINGS[name].default}
        assert Training.from_given(given) == Training(**given)


@every_setting
def test_settings_of_no_choice_belong_to_every_run(one: Setting) -> None:
    settings: Settings = Training(**owning(one.name)) if one.name in SETTINGS else Execution()
    assert settings.belongs(one.name)
    assert settings.foreign(one.name) == ""


# ---- a family of settings, from its declaration ----


@dataclass(frozen=True)
class Dish:
    settings: tuple[str, ...] = ()


DISHES = {"soup": Dish(("salt",)), "cake": Dish(("sugar",)), "bread": Dish(("salt", "sugar")), "ice": Dish()}


@dataclass(frozen=True)
class DishSettings(Settings):
    dish: str = setting("soup", "dish", Choice(DISHES))
    salt: float = setting(1.0, "grams of salt", Real(low=0), of="dish")
    sugar: int = setting(2, "spoons", Whole(low=0), of="dish", dml=lambda n: {"grams": 5 * n, "spoons": n})
    pans: int = setting(1, "pans", Whole(low=1), dml=NotPassed("the cook has them"))


def test_arguments_are_those_that_count_in_the_types_that_are_declared() -> None:
    assert DishSettings(salt=2).dml_arguments() == {"dish": "soup", "salt": 2.0}
    assert isinstance(DishSettings(salt=2).dml_arguments()["salt"], float)
    assert DishSettings("cake", sugar=3).dml_arguments() == {"dish": "cake", "grams": 15, "spoons": 3}
    assert DishSettings("bread").dml_arguments(["dish", "sugar"]) == {
        "dish": "bread",
        "grams": 10,
        "spoons": 2,
    }


def test_a_refusal_names_all_to_whom_a_setting_belongs() -> None:
    with pytest.raises(UserError) as refusal:
        DishSettings.from_given({"dish": "ice", "pans": 2, "sugar": 1})
    assert str(refusal.value) == (
        "--sugar belongs to --dish cake or bread, not to ice: leave it out, or choose another --dish"
    )


def test_every_field_is_checked() -> None:
    for values in ({"dish": "pie"}, {"salt": -1}, {"sugar": -1}, {"pans": 0}):
        with pytest.raises(UserError, match=rf"^--{next(iter(values))} "):
            DishSettings(**values)


# ---- ranges ----

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("allowed", "good", "bad", "words"),
    [
        (Whole(low=2), [2, 2**31 - 1], [1, -5], "must be at least 2"),
        (Whole(low=2), [2], [2**31, 10**400], "must be at most 2147483647"),
        (Whole(2, 4), [2, 3, 4], [1, 5], "must be from 2 to 4"),
        (Real(low=0), [0, 1e300], [-1e-9, NAN, INF, -INF, 10**400], "must be finite, 0 or more"),
        (Real(above=0), [1e-9, 1e300], [0, NAN, INF, 10**400], "must be finite, above 0"),
        (Real(low=0, below=1), [0, 0.5], [1, -1, NAN, INF], "must be at least 0 and below 1"),
        (Real(above=0, below=1), [0.5], [0, 1, NAN], "must be above 0 and below 1"),
        (Real(above=0, high=9, unit="seconds"), [9], [0, 9.5], "must be above 0 and at most 9 seconds"),
        (Choice(("a", "b")), ["a", "b"], ["c"], "is unknown; choose one of a, b"),
    ],
)
def test_ranges(allowed: Allowed, good: list[Any], bad: list[Any], words: str) -> None:
    assert [allowed(value) for value in good] == [None] * len(good)
    assert [allowed(value) for value in bad] == [f"{value!r} {words}" for value in bad]
