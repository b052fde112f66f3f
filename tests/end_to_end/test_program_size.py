"""What workers parse at every call does not grow with the optimizers and networks that there are.

SystemDS sends workers the program that it has compiled, and they parse it anew. Its size is what SystemDS
itself counts: no time is measured.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS, find_java
from largebatch.files.places import dml_root
from tests.support.harness import write_matrix
from tests.support.images import part
from tests.support.patience import TIMEOUT_S

MORE = 10
KINDS = {"optimizers": ("optimizer", "adam"), "networks": ("network", "mlp")}  # and which is copied


def program(root: Path, more: int = 0) -> Path:
    """A copy of the program with so many optimizers and networks more."""
    shutil.copytree(dml_root() / "dml", root / "dml")
    for folder, (kind, name) in KINDS.items():
        home = root / "dml" / folder
        text = (home / "by_name.dml").read_text()
        lines = rf'source\(.*/{name}\.dml"\).*\n|  else if \(\${kind} == "{name}"\)\n.*\n'
        for i in range(more):
            new = f"{name}{i}"
            shutil.copy(home / f"{name}.dml", home / f"{new}.dml")
            found = re.findall(lines, text)
            assert len(found) >= 3
            for line in found:
                added = line.replace(name, new)
                text = text.replace(line, added + line if i % 2 else line + added)
        (home / "by_name.dml").write_text(text)
    return root


def compiled(root: Path) -> tuple[int, set[str]]:
    """How many instructions SystemDS makes of a training in a copy of the program, and its functions."""
    arguments: dict[str, object] = {
        "out": root / "out", "mode": "LOCAL", "network": "mlp", "optimizer": "adam", "schedule": "constant",
        "learning_rate": 0.01, "batch_size": 16, "workers": 2, "epochs": 1,
        "height": 8, "width": 8, "classes": 4,
    }  # fmt: skip
    for name, rows in (("train", 40), ("test", 12)):
        made = part(rows, (64,), "uint8", 1)
        for matrix, values in (("images", made.X), ("labels", made.y[:, None] + 1)):
            write_matrix(root / f"{name}_{matrix}", values)
            arguments[f"{name}_{matrix}"] = root / f"{name}_{matrix}"
    command: list[str | Path] = [find_java().home / "bin" / "java", *JVM_FLAGS, "-Xmx400m"]
    command += ["-cp", system_ds_jar(), "org.apache.sysds.api.DMLScript", "-f", "dml/train.dml"]
    command += ["-exec", "singlenode", "-explain", "runtime", "-nvargs"]
    command += [f"{name}={value}" for name, value in arguments.items()]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    size = re.search(r"^PROGRAM \( size CP/\w+ = (\d+)/0 \)$", run.stdout, re.MULTILINE)
    assert size, run.stdout[:2000]
    return int(size[1]), set(re.findall(r"^-+FUNCTION (\S+)", run.stdout, re.MULTILINE))


@pytest.mark.slow
@pytest.mark.systemds
def test_optimizers_and_networks_that_are_not_chosen_add_nothing_to_the_compiled_program(
    tmp_path: Path,
) -> None:
    size, functions = compiled(program(tmp_path / "plain"))
    assert any("adam.dml::step" in name for name in functions) and size > 1000
    assert compiled(program(tmp_path / "more", MORE)) == (size, functions)
