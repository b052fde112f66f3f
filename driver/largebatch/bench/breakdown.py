"""Parts of a warm epoch's time, from SystemDS' statistics of its instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from largebatch.bench.timing import Epoch, Rounds, Sitting
from largebatch.data import Dataset
from largebatch.errors import RunError
from largebatch.runs.prepare import prepare
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

THREADS, WALL = "thread-seconds", "seconds"

# SystemDS' instructions, by part. Functions are left out: they contain instructions.
INSTRUCTIONS = {
    "convolution, forward": ("conv2d", "conv2d_bias_add"),
    "convolution, backward": ("conv2d_backward_filter", "conv2d_backward_data"),
    "pooling": ("relu_maxpooling", "maxpooling", "maxpooling_backward", "relu_maxpooling_backward"),
    "matrix products (fully connected, gather)": ("ba+*", "pmm", "tsmm"),
    "cell by cell": (
        "+", "-", "*", "/", ">", "<", "==", "max", "min", "exp", "log", "^2", "*2", "+*", "-*",
    ),
    "sums and maxima": ("uak+", "uack+", "uark+", "uarmax", "uarimax", "uasqk+", "uacsqk+", "tak+*"),
    "slices, shapes, copies": ("rightIndex", "leftIndex", "r'", "rshape", "rbind", "append", "rexpand"),
    "variables": ("createvar", "rmvar", "cpvar", "mvvar", "assignvar", "castdts", "castdtm"),
}  # fmt: skip

# Lines of the statistics that are no instructions, with the kind of their seconds.
LINES = {
    "update by the server": ("Paramserv model update time", WALL),
    "requests to the server": ("Paramserv RPC request time", THREADS),
    "compilation of blocks again": ("HOP DAGs recompile time", THREADS),
    "buffers written to disk": ("Cache times (ACQr/m, RLS, EXP)", THREADS),
    "garbage collection": ("Total JVM GC time", WALL),
    "JIT compilers": ("Total JIT compile time", THREADS),
}
OUTSIDE = "outside of the parameter server (gather, folding)"


@dataclass(frozen=True)
class Share:
    """Seconds of a part of an epoch. `kind`: elapsed seconds, or the sum over parallel threads."""

    part: str
    seconds: float
    kind: str


def breakdown(training: Training, execution: Execution, dataset: Dataset, rounds: Rounds) -> list[Share]:
    """Means over the epochs of `rounds` after those that warm up. Raises RunError if training fails."""
    with Sitting(execution, dataset) as sitting:
        session = sitting.session(execution.mode, training.workers)
        prepare(dataset, session)
        if rounds.warm_up:
            sitting.train(replace(training, epochs=rounds.warm_up), execution.mode)
        log = sitting.folder / "statistics.txt"
        with session.logging_to(log):
            training = replace(training, epochs=rounds.epochs)
            epochs = sitting.train(training, execution.mode, statistics=True)
        return shares(log.read_text(), epochs)


def shares(statistics: str, epochs: Sequence[Epoch]) -> list[Share]:
    """The parts of a mean epoch. Raises RunError without statistics."""
    seconds = sum(epoch.seconds for epoch in epochs)
    evaluation = sum(epoch.evaluation or 0.0 for epoch in epochs)
    instructions = instruction_seconds(statistics)
    found = [Share("training", seconds, WALL), Share("evaluation", evaluation, WALL)]
    inside = _line(statistics, "Paramserv total execution time")
    found.append(Share(OUTSIDE, max(0.0, seconds + evaluation - inside), WALL))
    for part, names in INSTRUCTIONS.items():
        found.append(Share(part, sum(instructions.get(name, 0.0) for name in names), THREADS))
    found += [Share(part, _line(statistics, title), kind) for part, (title, kind) in LINES.items()]
    return [Share(share.part, share.seconds / len(epochs), share.kind) for share in found]


def instruction_seconds(statistics: str) -> Mapping[str, float]:
    """Thread-seconds by instruction, from the table of heavy hitters. Raises RunError without one."""
    _, title, table = statistics.partition("Heavy hitter instructions:")
    if not title:
        raise RunError("SystemDS printed no statistics")
    lines = re.findall(r"^\s*\d+\s+(\S+)\s+([\d.,]+)\s+\d+\s*$", table, re.MULTILINE)
    return {name: float(seconds.replace(",", "")) for name, seconds in lines}


def _line(statistics: str, title: str) -> float:
    """The last number of a line such as "Paramserv model update time: 0.000/0.223 secs."; else 0."""
    line = re.search(rf"^{re.escape(title)}:.*?([\d.]+) secs?\.$", statistics, re.MULTILINE)
    return float(line[1]) if line else 0.0


def rows(found: list[Share]) -> list[list[str]]:
    """The table, headings first."""
    return [
        ["part of an epoch", "s", "of"], *([one.part, f"{one.seconds:.2f}", one.kind] for one in found)
    ]  # fmt: skip
