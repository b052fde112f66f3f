"""Epochs of checkouts, modes or settings of Spark beside each other, where a machine's speed drifts.

python scripts/compare_epochs.py . ../other
python scripts/compare_epochs.py --heap 8g . ".|spark|spark.driver.extraJavaOptions=-XX:+UseParallelGC"

A contestant is CHECKOUT[|MODE[|SETTING;SETTING...]]. Each contestant has a session of its own, which stays
open, and takes its turn in every round with one run. The time of a run is the mean of its epochs without the
first, if there are more. CPU time and page faults are those of the whole run, evaluation included: they tell
more than seconds where other programs use the cores. Ratios are to the first contestant, medians of the
rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from largebatch.bench.timing import Sitting, shortened
from largebatch.data import load
from largebatch.errors import RunError, UserError
from largebatch.runs.prepare import prepare
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

SCRIPT = Path("scripts") / "compare_epochs.py"  # of every checkout; it starts the checkout's contestant
READY = "ready"  # the line of a contestant whose session has begun


@dataclass(frozen=True)
class Contestant:
    """A checkout of this project, `spark` or `local`, and settings of Spark."""

    checkout: Path
    mode: str
    settings: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Contestant:
        """From CHECKOUT[|MODE[|SETTING;SETTING...]]."""
        checkout, mode, settings, *_ = [*text.split("|"), "", ""]
        return cls(Path(checkout).resolve(), mode or "spark", tuple(filter(None, settings.split(";"))))


@dataclass(frozen=True)
class Run:
    """Seconds of its epochs; CPU seconds and page faults of the session's processes meanwhile."""

    epochs: tuple[float, ...]
    user: float
    system: float
    faults: int

    @property
    def seconds(self) -> float:
        """Mean of an epoch, without the first if there are more."""
        return statistics.mean(self.epochs[1:] or self.epochs)

    @property
    def cpu(self) -> float:
        """User and system CPU seconds."""
        return self.user + self.system


def usage(process_group: int) -> tuple[float, float, int]:
    """User and system CPU seconds and minor page faults of a group's live processes."""
    user = system = faults = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has just ended
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[2]) == process_group:
                user, system, faults = (
                    user + int(fields[11]),
                    system + int(fields[12]),
                    faults + int(fields[7]),
                )
    ticks = os.sysconf("SC_CLK_TCK")
    return user / ticks, system / ticks, faults


def serve(contestant: Contestant, options: argparse.Namespace) -> None:
    """Train whenever a line comes in, and answer with the times of the run."""
    training = Training(batch_size=options.batch_size, epochs=options.epochs)
    execution = Execution(mode=contestant.mode, memory=options.heap, conf=contestant.settings)
    with Sitting(execution, shortened(load(options.dataset, options.data_dir), options.rows)) as sitting:
        session = sitting.session(contestant.mode, training.workers)
        prepare(sitting.dataset, session)
        print(READY, flush=True)
        for _ in sys.stdin:
            before = usage(session.process_group)
            epochs = sitting.train(training, contestant.mode)
            user, system, faults = (b - a for a, b in zip(before, usage(session.process_group), strict=True))
            run = Run(tuple(epoch.seconds for epoch in epochs), user, system, int(faults))
            print(json.dumps(asdict(run)), flush=True)


@contextlib.contextmanager
def started(text: str) -> Iterator[subprocess.Popen[str]]:
    """A process that serves, with script and modules of the contestant's checkout, once it is ready."""
    checkout = Contestant.parse(text).checkout
    process = subprocess.Popen(
        [sys.executable, checkout / SCRIPT, *sys.argv[1:], "--serve", text],
        env={**os.environ, "PYTHONPATH": str(checkout / "driver")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        answer(process)
        yield process  # ends with its input


def answer(process: subprocess.Popen[str]) -> str:
    """The next line of a contestant. Ends the program if there is none: the contestant has printed why."""
    assert process.stdout  # noqa: S101 - a pipe
    line = process.stdout.readline()
    if not line:
        sys.exit(1)
    return line


def turn(process: subprocess.Popen[str]) -> Run:
    """A run of a contestant."""
    assert process.stdin  # noqa: S101 - a pipe
    process.stdin.write("\n")
    process.stdin.flush()
    values = json.loads(answer(process))
    return Run(**{**values, "epochs": tuple(values["epochs"])})


def summary(names: Sequence[str], runs: Sequence[Sequence[Run]]) -> list[str]:
    """A line for each contestant: medians of its runs, and ratios to the first one."""
    lines = []
    for name, own in zip(names, runs, strict=True):
        seconds, cpu = (
            statistics.median(getattr(a, what) / getattr(b, what) for a, b in zip(own, runs[0], strict=True))
            for what in ("seconds", "cpu")
        )
        lines.append(
            f"{name}: epoch {statistics.median(run.seconds for run in own):.2f} s, ratio {seconds:.2f}; "
            f"CPU of a run {statistics.median(run.cpu for run in own):.1f} s, ratio {cpu:.2f}"
        )
    return lines


def compare(options: argparse.Namespace) -> None:
    """Have all take turns; print the times of each run, then the summary."""
    runs: list[list[Run]] = [[] for _ in options.contestants]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(started(text)) for text in options.contestants]
        for number in range(options.warm_up + options.rounds):
            order = range(len(processes))
            for i in order if number % 2 == 0 else reversed(order):
                run = turn(processes[i])
                print(f"round {number + 1}, {options.contestants[i]}: {run}", flush=True)
                if number >= options.warm_up:
                    runs[i].append(run)
    print("\n".join(summary(options.contestants, runs)))


def main() -> None:
    """Compare the contestants of the command line, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("contestants", nargs="+", metavar="CHECKOUT[|MODE[|SETTINGS]]")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--rows", type=int, default=60000)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=2, help="of a run (default: 2)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2, help="rounds before them (default: 2)")
    parser.add_argument("--heap", default="4g", help="of each session (default: 4g)")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.serve:
        compare(options)
        return
    try:
        serve(Contestant.parse(options.serve), options)
    except (UserError, RunError) as error:
        sys.exit(f"{options.serve}: {error}")
