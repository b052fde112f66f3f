"""Where keys and tables stand in a TOML file."""

from __future__ import annotations

from largebatch.studies.toml_lines import locate


def test_quotes_in_comments_start_no_string() -> None:
    lines = locate('name = "a" # \\"""\nx = \'"""\'\n[fixed]\nepochs = 1\n' + '# \\"""' * 4000)
    assert lines.places == {
        ("", 0, "name"): 1,
        ("", 0, "x"): 2,
        ("fixed", 0, ""): 3,
        ("fixed", 0, "epochs"): 4,
    }
