"""`largebatch train`: one run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from largebatch.cli.commands import RUNS, Commands, add_command, add_data_dir, add_track, tracking
from largebatch.cli.parsing import add_settings, given, local_path
from largebatch.cli.status import DONE, FAILED, INTERRUPTED
from largebatch.engine.host import Host
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "train", run, "Train a network. The results go into a new folder.")
    add_data_dir(parser)
    add_settings(parser, Training)
    add_settings(parser, Execution)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=local_path, metavar="DIR", help="folder of the run (default: runs/NAME)")
    where.add_argument("--resume", type=local_path, metavar="RUN", help="continue the run in this folder")
    add_track(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Train, print the result."""
    from largebatch.records.result import Status
    from largebatch.records.run_folder import RunFolder
    from largebatch.runs import preflight
    from largebatch.runs.job import load_data, train
    from largebatch.runs.placement import settled
    from largebatch.terminal.table import format_results, format_targets

    training, execution = _settings(options)
    data_dir = options.data_dir or (RunFolder(options.resume).data_dir() if options.resume else None)
    dataset = load_data(training, data_dir, say)
    training = settled(training, execution, dataset, options.host)
    host: Host = options.host
    host.check_options(given(options, Execution))
    for remark in preflight.check(training, execution, dataset, host=host):
        say(remark)
    host.require_tools()
    if options.resume:
        folder = RunFolder(options.resume)
        folder.check_data(dataset)
    else:
        path = options.out or _new_folder(training.name)
        folder = RunFolder.create(path, training, execution, dataset, data_dir)
    say(f"Run folder: {folder.path}")
    try:
        with tracking(options, folder.path):
            result = train(training, execution, folder, dataset, host)
    except KeyboardInterrupt:
        say(f"largebatch: interrupted; `largebatch train --resume {folder.path}` goes on from the last epoch")
        return INTERRUPTED
    values = result.to_mapping()
    if options.json:
        print(json.dumps(values), flush=True)
    else:
        tables = [format_results([values]), *([format_targets(result.targets)] if result.targets else [])]
        print("\n\n".join(tables), flush=True)
    return DONE if result.status == Status.FINISHED else FAILED


def _settings(options: argparse.Namespace) -> tuple[Training, Execution]:
    """From the command line, or from the folder to resume. The command line may override its Execution."""
    from largebatch.records.run_folder import RunFolder

    if not options.resume:
        return Training.from_given(given(options, Training)), Execution().updated(given(options, Execution))
    changed = given(options, Training)
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise UserError(f"--resume takes its settings from {options.resume}: leave out {flags}")
    training, execution = RunFolder(options.resume).settings()
    return training, execution.updated(given(options, Execution))


def _new_folder(name: str) -> Path:
    """runs/NAME, or runs/NAME-N with the first number N that is free."""
    path, number = RUNS / name, 2
    while path.exists():
        path, number = RUNS / f"{name}-{number}", number + 1
    return path
