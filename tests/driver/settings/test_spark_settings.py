"""Settings of Spark that a user gives: what is refused, what comes first, what is added."""

from __future__ import annotations

import pytest

from largebatch.errors import UserError
from largebatch.settings.spark import REFUSED, is_secret, merged, parse


def test_settings_are_split_at_the_first_equals_sign_and_the_last_one_counts() -> None:
    assert parse(["spark.a=b=c", "spark.d=", "spark.a= x "]) == {"spark.a": " x ", "spark.d": ""}
    assert parse([]) == {}


@pytest.mark.parametrize("entry", ["", "spark.x", "=1", "spark.=1", "spark=1", "sparks.x=1", "spark.a b=1"])
def test_what_is_no_setting_of_spark_is_refused(entry: str) -> None:
    with pytest.raises(UserError, match="must be KEY=VALUE with a key of Spark"):
        parse([entry])


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_break_a_run_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UserError) as refusal:
        parse([f"{name}=1"])
    assert str(refusal.value) == f"--conf {name} can't be set: {REFUSED[name]}"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("spark.authenticate.secret", True),
        ("spark.hadoop.fs.s3a.secret.key", True),
        ("spark.hadoop.fs.s3a.access.key", True),
        ("spark.ssl.keyPassword", True),
        ("spark.kubernetes.authenticate.submission.oauthToken", True),
        ("spark.kubernetes.authenticate.submission.oauthTokenFile", False),
        ("spark.authenticate", False),
        ("spark.executor.memory", False),
    ],
)
def test_secrets_are_known_by_their_names_and_refused(name: str, secret: bool) -> None:
    assert is_secret(name) == secret
    if secret:
        with pytest.raises(UserError, match=f"--conf {name} would be written down with the run") as refusal:
            parse([f"{name}=hidden"])
        assert "hidden" not in str(refusal.value)
    else:
        parse([f"{name}=x"])


def test_theirs_come_before_ours_but_lists_are_added_to() -> None:
    ours = {"spark.jars": "a", "spark.x": "1", "spark.driver.extraJavaOptions": "-A"}
    theirs = {"spark.jars": "b,c", "spark.x": "2", "spark.driver.extraClassPath": "/d"}
    assert merged(ours, theirs) == {
        "spark.jars": "a,b,c",
        "spark.x": "2",
        "spark.driver.extraJavaOptions": "-A",
        "spark.driver.extraClassPath": "/d",
    }
