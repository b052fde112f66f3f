"""Fixtures shared by all tests, and how tests are chosen, ordered and reported."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from largebatch.engine.openblas import better_kernels
from tests.support.command import Run, run
from tests.support.java import options
from tests.support.samples import write_bars

# A busy machine is no fault of what is tested, and a change is judged by the same examples as the one before.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("steady")

os.environ.setdefault("JAVA_TOOL_OPTIONS", options())
# A JVM that no session has started computes with the kernels of those that one has, to the last bit.
os.environ.update(better_kernels(os.environ))

# Folders whose tests share a JVM: they run in one process. Elsewhere the tests of a file do.
SHARING = ("tests/dml/",)


class FailuresAtOnce:
    """Reports a failure when it happens: nobody sees the summary of a run that is stopped from outside."""

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal out the tests by what shares a JVM."""
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((folder for folder in SHARING if file.startswith(folder)), file)

    return Sharing(config, log)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pass a fault's texts on to the report. Files with a JVM come first: both processes end together."""
    for item in items:
        mark = item.get_closest_marker("faults")
        if mark is not None:
            texts = dict(mark.kwargs)
            if not texts.pop("quick"):
                item.add_marker(pytest.mark.slow)
            item.user_properties.extend(texts.items())
    with_jvm = {item.path for item in items if item.get_closest_marker("systemds")}
    items.sort(key=lambda item: item.path not in with_jvm)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """Folder of the four MNIST files, gzipped, named by $LARGEBATCH_TEST_MNIST."""
    folder = os.environ.get("LARGEBATCH_TEST_MNIST")
    if not folder:
        pytest.skip("$LARGEBATCH_TEST_MNIST does not name a folder with the four MNIST files")
    return Path(folder)


@pytest.fixture(scope="session")
def fashion_mnist_dir() -> Path:
    """Folder of the four files of Fashion-MNIST, gzipped, named by $LARGEBATCH_TEST_FASHION_MNIST."""
    folder = os.environ.get("LARGEBATCH_TEST_FASHION_MNIST")
    if not folder:
        pytest.skip("$LARGEBATCH_TEST_FASHION_MNIST does not name a folder with the four Fashion-MNIST files")
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
