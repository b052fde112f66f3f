"""Made-up sessions for tests of the driver: no JVM, epochs are files written at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.stop import Stop, StoppedError
from largebatch.errors import RunError
from largebatch.runs import job
from largebatch.settings.execution import Execution
from tests.support.harness import write_matrix
from tests.support.study_samples import epoch_row

Row = Callable[[dict[str, Any], int], list[float]]  # the metrics of an epoch
Act = Callable[["FakeSession", int, int], None]  # session, batch size, epoch


@dataclass
class Stage:
    """What made-up sessions do, and what they have done."""

    act: Act = lambda session, batch_size, epoch: None
    row: Row = lambda arguments, epoch: epoch_row(epoch)
    columns: tuple[str, ...] = ()  # of the rows; without them those of older versions
    fail_to_start: int = 0
    began: list[int] = field(default_factory=list)  # for how many workers each session was
    trained: list[tuple[int, str, int, int]] = field(default_factory=list)  # session, optimizer, batch, epoch
    ended: list[tuple[int, str | None]] = field(default_factory=list)  # session, and the error that ended it
    converted: list[str] = field(default_factory=list)
    evaluated: list[int] = field(default_factory=list)  # the updates of snapshots
    running: int = 0
    most_running: int = 0


class FakeSession:
    """Behaves as engine.Session where jobs and sweeps look."""

    stage: Stage

    def __init__(
        self, execution: Execution, workers: int, log: Path, stop: Stop | None = None, host: Host = OWN_JVM
    ) -> None:
        self.workers = workers
        self.stop = stop
        self.dml = Path("/nonexistent")

    def __enter__(self) -> FakeSession:
        if self.stage.fail_to_start:
            self.stage.fail_to_start -= 1
            raise RunError("the JVM does not start")
        self.number = len(self.stage.began)
        self.stage.began.append(self.workers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.stage.ended.append((self.number, kind.__name__ if kind else None))

    @contextmanager
    def logging_to(self, log: Path) -> Iterator[None]:
        yield

    def convert(self, array_file: Path, out: Path) -> None:
        self.stage.converted.append(out.name)
        out.write_text("")

    def run(self, program: str, arguments: dict[str, Any], **options: Any) -> None:
        if program == "evaluate.dml":
            self.stage.evaluated.append(int(Path(arguments["weights"]).parent.name))
            options["on_line"](f"evaluated {0.5} {min(1.0, self.stage.evaluated[-1] / 20)}")
            return
        self.stage.running += 1
        self.stage.most_running = max(self.stage.running, self.stage.most_running)
        try:
            self._train(arguments, options["on_line"])
        finally:
            self.stage.running -= 1

    def _train(self, arguments: dict[str, Any], on_line: Callable[[str], None]) -> None:
        out = Path(arguments["out"])
        write_matrix(out / "shapes", [[16, 3], [1, 3]])
        done = int(Path(arguments["resume"]).name) if arguments["resume"] else 0
        for epoch in range(done + 1, arguments["until"] + 1):
            if self.stop is not None and self.stop.is_set():
                raise StoppedError
            self.stage.act(self, arguments["batch_size"], epoch)
            state = out / "checkpoints" / str(epoch)
            state.mkdir(parents=True, exist_ok=True)
            write_matrix(state / "parameters", [[epoch]] * 51)
            write_matrix(state / "metrics", [self.stage.row(arguments, e) for e in range(1, epoch + 1)])
            if self.stage.columns:
                (out / "columns").write_text(",".join(self.stage.columns))
            self._leave_snapshots(out, 5 * epoch, arguments["evaluate_every"])
            self.stage.trained.append((self.number, arguments["optimizer"], arguments["batch_size"], epoch))
            on_line(f"epoch {epoch}")

    def _leave_snapshots(self, out: Path, updates: int, every: int) -> None:
        """Those of an epoch of five updates."""
        for update in range(updates - 4, updates + 1):
            if every and update % every == 0:
                (out / "snapshots" / str(update) / "weights").mkdir(parents=True, exist_ok=True)


def set_up(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A new stage for all sessions; nothing asks for Java's version."""
    FakeSession.stage = Stage()
    monkeypatch.setattr(job, "versions", lambda execution, session: {"dml_sha256": "0"})
    return FakeSession.stage


def let_epochs_take(
    seconds: float,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    clock_of: str = "largebatch.studies.sweep.time",
) -> None:
    """Have a sweep's clock, or another one, move by so much with each epoch, and stand still otherwise."""
    now = [0.0]
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: now[0])})
    monkeypatch.setattr(clock_of, clock)

    def act(session: FakeSession, batch_size: int, epoch: int) -> None:
        now[0] += seconds

    stage.act = act
