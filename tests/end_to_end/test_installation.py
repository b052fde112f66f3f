"""The program as it is handed over: the wheel, and the flags of its JVMs for spark-submit."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from largebatch.engine.conf import EXECUTOR_FLAGS
from tests.support.command import train_arguments
from tests.support.patience import TIMEOUT_S

ROOT = Path(__file__).parents[2]


def test_properties_file_holds_the_flags_of_all_jvms() -> None:
    text = (ROOT / "dml" / "spark.conf").read_text()
    for side in ("driver", "executor"):
        line = next(ln for ln in text.splitlines() if ln.startswith(f"spark.{side}.extraJavaOptions"))
        assert tuple(line.split()[1:]) == EXECUTOR_FLAGS


@pytest.mark.systemds
@pytest.mark.slow
def test_the_wheel_trains_from_another_folder(bars: Path, tmp_path: Path) -> None:
    """Its requirements are those of this environment: to install a second Spark takes minutes."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def call(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    call(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "wheels", str(ROOT))
    (wheel,) = (tmp_path / "wheels").glob("largebatch-*.whl")
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel))
    call(python, "-m", "pip", "check")
    assert str(tmp_path) in call(python, "-c", "import largebatch; print(largebatch.__file__)")
    command = str(tmp_path / "venv" / "bin" / "largebatch")
    more = ("--mode", "local", "--epochs", "1", "--json")
    result = json.loads(call(command, *train_arguments(bars, "run", *more)))
    assert result["status"] == "finished"
    assert "56 runs: 56 new" in call(command, "sweep", "paper", "--dry-run")
