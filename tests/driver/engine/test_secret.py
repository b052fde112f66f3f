"""The secret of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.engine.secret import SECRET_FILE, shared_secret
from largebatch.errors import UserError
from largebatch.settings.execution import Execution


def test_the_secret_of_a_standalone_cluster_comes_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = Execution(secure=True)
    monkeypatch.delenv(SECRET_FILE, raising=False)
    with pytest.raises(UserError, match=rf"--secure on spark://h:1 takes .* name it by \${SECRET_FILE}"):
        shared_secret(execution, "spark://h:1")
    monkeypatch.setenv(SECRET_FILE, str(tmp_path / "missing"))
    with pytest.raises(UserError, match=rf"{SECRET_FILE} names a file that can't be read"):
        shared_secret(execution, "spark://h:1")
    (tmp_path / "secret").write_text("xyz\n")
    monkeypatch.setenv(SECRET_FILE, str(tmp_path / "secret"))
    assert shared_secret(execution, "spark://h:1") == "xyz"
    assert shared_secret(Execution(), "spark://h:1") is None
    for master in ("local", "local[4]", "yarn", "k8s://https://h:1"):
        assert shared_secret(execution, master) is None, "Spark makes one itself"
    made = {shared_secret(execution, "local-cluster[4,1,1024]") for _ in range(2)}
    assert len(made) == 2 and None not in made
