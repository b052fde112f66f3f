"""Fixtures shared by all tests."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.command import Run, run
from tests.support.samples import write_bars

# A busy machine is no fault of what is tested, and a change is judged by the same examples as the one before.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-faults", action="store_true", help="also the fault tests that are not quick")


class FailuresAtOnce:
    """Tells a failure when it happens: of a run that is stopped from outside, nobody sees the summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            cause = crash.message.partition("\n")[0] if crash else report.longreprtext
            self._terminal.write_line(f"\n{report.nodeid}, {report.when}: {cause}")


@pytest.hookimpl(trylast=True)  # the terminal must be there
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None:  # the processes of pytest-xdist have none
        config.pluginmanager.register(FailuresAtOnce(terminal))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand what is said of a fault on to the report; leave the slower faults to scripts/reliability.sh."""
    left_out = []
    for item in items:
        mark = item.get_closest_marker("faults")
        if mark is not None:
            texts = dict(mark.kwargs)
            if not texts.pop("quick") and not config.getoption("--all-faults"):
                left_out.append(item)
            item.user_properties.extend(texts.items())
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """Folder of the four MNIST files, gzipped, named by $LARGEBATCH_TEST_MNIST."""
    folder = os.environ.get("LARGEBATCH_TEST_MNIST")
    if not folder:
        pytest.skip("$LARGEBATCH_TEST_MNIST does not name a folder with the four MNIST files")
    return Path(folder)


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty cache of the program, and no data set or mirror named by the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    for variable in ("LARGEBATCH_DATA", "LARGEBATCH_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "xdg" / "largebatch"


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2002 training images of 16 x 16 (not a multiple of 4 workers), in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("data") / 'bars, it\'s "quoted" and spaced'
    folder.mkdir()
    return write_bars(folder, 2002, 16, 5)


@pytest.fixture
def largebatch(tmp_path: Path) -> Run:
    """Calls the command in a process of its own, in an empty working directory."""
    return functools.partial(run, tmp_path)
