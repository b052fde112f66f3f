"""The image's files, read as they stand; tests/docker/prove.sh carries them out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.utils.build import exclude_paths

from largebatch.cli import doctor
from largebatch.cli.main import build_parser
from largebatch.engine.master import choose_master
from tests.docker.dockerfile import read_stages, settings_of

REPOSITORY = Path(__file__).resolve().parents[3]
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
COMPOSE = REPOSITORY / "docker" / "compose.yaml"
STAGES = read_stages(DOCKERFILE.read_text())
SETTINGS = settings_of(STAGES)


def context(root: Path) -> set[str]:
    """The files in the build context of a repository, as .dockerignore has them."""
    rules = (REPOSITORY / ".dockerignore").read_text().splitlines()
    return exclude_paths(str(root), [rule for rule in rules if rule and not rule.startswith("#")])


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the cluster."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_base_is_pinned() -> None:
    bases = {stage.base for stage in STAGES.values()} - set(STAGES)
    assert len(bases) == 1
    tag, _, digest = bases.pop().partition("@sha256:")
    assert tag.startswith("debian:bookworm-2")
    assert len(digest) == 64


def test_the_command_runs_as_an_ordinary_user() -> None:
    assert SETTINGS.entrypoint == ("largebatch",)
    assert SETTINGS.user.split(":")[0] not in ("", "0", "root")


def test_any_user_can_write_the_volumes() -> None:
    (final,) = (stage for name, stage in STAGES.items() if name not in ("base", "build"))
    (made,) = (step.text for step in final.steps if "install -d" in step.text)
    words = made.split("install -d", 1)[1].split()
    assert words[words.index("-m") + 1] == "1777"
    assert set(SETTINGS.volumes) <= set(words)


def test_health_check_is_a_command_of_the_image() -> None:
    name, *arguments = SETTINGS.healthcheck
    assert name == SETTINGS.entrypoint[0]
    assert build_parser().parse_args(arguments).command is doctor.run


def test_variables_name_volumes() -> None:
    for variable in ("LARGEBATCH_DATA", "XDG_CACHE_HOME"):
        assert SETTINGS.env[variable] in SETTINGS.volumes
    assert str(Path(SETTINGS.workdir) / "runs") in SETTINGS.volumes  # where the command puts its results


def test_what_is_copied_is_in_the_build_context() -> None:
    there = context(REPOSITORY)
    copied = [step.text.split()[:-1] for step in STAGES["build"].steps if step.word == "COPY"]
    assert copied
    for source in (source for sources in copied for source in sources):
        assert source in there


def test_nothing_else_is_in_the_build_context(tmp_path: Path) -> None:
    wanted = ("pyproject.toml", "driver/largebatch/a.py", "dml/a.dml", "scripts/constraints.txt")
    unwanted = (".git/config", ".venv/a", "runs/a/model.npz", "driver/__pycache__/a.pyc", "tests/a.py")
    for name in (*wanted, *unwanted):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {path for path in context(tmp_path) if (tmp_path / path).is_file()} == set(wanted)


def test_driver_trains_on_the_cluster_with_a_slot_for_each_worker(services: dict[str, Any]) -> None:
    options = build_parser().parse_args(services["driver"]["command"])
    assert choose_master(options.master, 4).url == "spark://master:7077"
    assert services["worker"]["command"][-1] == options.master
    assert dict(zip(*[iter(services["master"]["command"])] * 2, strict=True)) == {
        "--host": "master",
        "--port": "7077",
    }
    slots = services["worker"]["deploy"]["replicas"] * int(services["worker"]["command"][1])
    assert slots >= 4  # of `largebatch train --workers`


def test_cluster_shares_what_executors_read(services: dict[str, Any]) -> None:
    of_driver = dict(volume.split(":")[:2] for volume in services["driver"]["volumes"])
    of_worker = dict(volume.split(":")[:2] for volume in services["worker"]["volumes"])
    needed = {SETTINGS.env["XDG_CACHE_HOME"], services["driver"]["environment"]["TMPDIR"]}
    assert needed <= set(of_worker.values())
    assert of_worker.items() <= of_driver.items()


def test_cluster_is_closed_off(services: dict[str, Any]) -> None:
    networks = yaml.safe_load(COMPOSE.read_text())["networks"]
    for service in services.values():
        assert "ports" not in service
        assert service["read_only"]
        assert service["tmpfs"] == ["/tmp:exec"]  # noqa: S108 - else OpenBLAS can't be loaded, and none says so
        assert all(networks[name]["internal"] for name in service["networks"])


def test_readme_commands_exist() -> None:
    """Commands of the README that start the image's command have its options."""
    text = (REPOSITORY / "docker" / "README.md").read_text().replace("\\\n", " ")
    lines = [line.partition("#")[0] for line in text.splitlines() if line.startswith("docker ")]
    calls = [shlex.split(line) for line in lines]
    of_image = [words[words.index("largebatch") + 1 :] for words in calls if words[1] == "run"]
    of_driver = [words[words.index("driver") + 1 :] for words in calls if "run" in words[2:]]
    assert len(of_image) >= 2
    assert of_driver
    for arguments in (*of_image, *of_driver):
        build_parser().parse_args(arguments)
