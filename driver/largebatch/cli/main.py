"""The command `largebatch`: reads the command line, calls the rest, turns failures into exit statuses."""

from __future__ import annotations

import argparse
import io
import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import largebatch
from largebatch.errors import RunError, UserError
from largebatch.settings.config import Execution, Training
from largebatch.settings.options import (
    add_settings,
    given,
    grouped,
    local_path,
    positive,
    seconds,
    values_of_settings,
)
from largebatch.terminal.say import say

RUNS = Path("runs")
BENCH_EXECUTION = ("master", "memory", "conf", "secure", "cluster_timeout")
INTERRUPTED = 130  # what shells report for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 failed, 2 unusable input, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names are printed as the bytes they are
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        status = _carry_out(arguments)
    except UserError as error:
        say(f"largebatch: {error}")
        status = 2
    except RunError as error:
        say(f"largebatch: {error}")
        status = 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # that is a reader, such as `head`, who has had enough
            say(f"largebatch: {error}")
        status = 1
    except KeyboardInterrupt:
        say("largebatch: interrupted; `largebatch train --resume FOLDER` goes on from the last epoch")
        status = INTERRUPTED
    _leave_out_broken_streams()
    sys.exit(status)


def _leave_out_broken_streams() -> None:
    """What could not be written would be written at exit again, fail again, and change the exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:  # it is, where a process is started without such a channel
                stream.flush()
        except OSError:
            setattr(sys, name, None)


def _carry_out(arguments: Sequence[str] | None) -> int:
    """The command that the arguments ask for; what it prints has been written when this returns or raises."""
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    finally:
        print(end="", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="largebatch", description="Large-batch training of neural networks on Apache SystemDS and Spark."
    )
    parser.add_argument("--version", action="version", version=largebatch.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_train, _add_sweep, _add_report, _add_compare, _add_bench, _add_doctor, _add_data, _add_predict,
    ):  # fmt: skip
        add(commands)
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=run)
    return parser


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=local_path, metavar="DIR", help="folder of the data set's files")


# ---- train ----


def _add_train(commands: Any) -> None:
    parser = _command(commands, "train", _train, "Train a network; results go into a folder of their own.")
    _add_data_dir(parser)
    add_settings(parser, Training)
    add_settings(parser, Execution)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=local_path, metavar="DIR", help="folder of the run (default: runs/NAME)")
    where.add_argument("--resume", type=local_path, metavar="RUN", help="go on with the run in this folder")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def _train(options: argparse.Namespace) -> int:
    from largebatch.engine.java import find_java
    from largebatch.engine.spark import system_ds_jar
    from largebatch.records.run_folder import RunFolder
    from largebatch.runs import preflight
    from largebatch.runs.job import load_data, train
    from largebatch.terminal.table import format_results

    training, execution = _settings(options)
    dataset = load_data(training, options.data_dir, say)
    for remark in preflight.check(training, execution, dataset):
        say(remark)
    find_java(), system_ds_jar()  # without them no run could begin
    if options.resume:
        folder = RunFolder(options.resume)
        folder.check_data(dataset)
    else:
        folder = RunFolder.create(options.out or _new_folder(training.name), training, execution, dataset)
    say(f"Run folder: {folder.path}")
    result = train(training, execution, folder, dataset)
    print(json.dumps(result) if options.json else format_results([result]), flush=True)
    return 0 if result["status"] == "finished" else 1


def _settings(options: argparse.Namespace) -> tuple[Training, Execution]:
    """From the command line, or from the folder to resume, whose Execution may be overridden."""
    from largebatch.records.run_folder import RunFolder

    if not options.resume:
        return Training(**given(options, Training)), Execution().updated(given(options, Execution))
    changed = given(options, Training)
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise UserError(f"--resume takes its settings from {options.resume}: leave out {flags}")
    training, execution = RunFolder(options.resume).settings()
    return training, execution.updated(given(options, Execution))


def _new_folder(name: str) -> Path:
    """runs/NAME, or with the first number behind it that is free."""
    path, number = RUNS / name, 2
    while path.exists():
        path, number = RUNS / f"{name}-{number}", number + 1
    return path


# ---- sweep ----


def _add_sweep(commands: Any) -> None:
    from largebatch.settings.study import shipped

    parser = _command(
        commands,
        "sweep",
        _sweep,
        "Carry out a study: all its runs, or those that are not finished yet. Exit status: 0 all are done "
        "(diverging is a result), 1 some failed, 3 the time limit came first.",
    )
    parser.add_argument("study", metavar="STUDY", help=f"a TOML file, or one of {', '.join(shipped())}")
    _add_data_dir(parser)
    parser.add_argument(
        "--out", type=local_path, metavar="DIR", help="folder of the study (default: runs/STUDY)"
    )
    parser.add_argument(
        "--runs",
        type=local_path,
        metavar="DIR",
        help="folder of the runs; studies may share it (default: OUT/runs)",
    )
    parser.add_argument("--dry-run", action="store_true", help="list the runs and estimate the time")
    parser.add_argument(
        "--only",
        type=values_of_settings,
        action="extend",
        default=[],
        metavar="SETTING=VALUE,...",
        help="runs with these values only, e.g. optimizer=lars,batch_size=64,128",
    )
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="sessions side by side")
    parser.add_argument(
        "--limit-time", type=seconds, metavar="TIME", help="begin no epoch that would end later, e.g. 1h30m"
    )
    parser.add_argument("--isolate", action="store_true", help="give every run a session of its own")
    add_settings(parser, Execution)


def _sweep(options: argparse.Namespace) -> int:
    from largebatch.settings import study
    from largebatch.studies import command as sweep_command
    from largebatch.studies.sweep import Limits

    wishes = sweep_command.Wishes(
        study=options.study,
        out=options.out or RUNS / study.load(options.study).name,
        runs=options.runs,
        data_dir=options.data_dir,
        only=grouped(options.only),
        execution=given(options, Execution),
        limits=Limits(options.jobs, options.limit_time, options.isolate),
    )
    if options.dry_run:
        print(sweep_command.dry_run(wishes, say))
        return 0
    try:
        return sweep_command.sweep(wishes, say, print)
    except KeyboardInterrupt:
        say("largebatch: interrupted; the same command goes on from the last epoch")
        return INTERRUPTED


# ---- report, compare ----


def _add_report(commands: Any) -> None:
    parser = _command(
        commands,
        "report",
        _report,
        "Write a study's tables, figures and page, from its files alone; a sweep may still be running.",
    )
    parser.add_argument("study", type=Path, metavar="DIR", help="folder of a study")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write there (default: the study's folder)")
    parser.add_argument(
        "--epoch", type=positive, metavar="N", help="as if all runs had stopped after N epochs"
    )
    parser.add_argument(
        "--per-worker", action="store_true", help="read the paper's batch size as that of one worker"
    )


def _report(options: argparse.Namespace) -> int:
    from largebatch.report.write import report

    written = report(options.study, options.out, options.epoch, per_worker=options.per_worker)
    for problem in written.problems:
        say(problem)
    print(f"{written.text}\n\n{written.page}")
    return 0


def _add_compare(commands: Any) -> None:
    parser = _command(commands, "compare", _compare, "Tell what differs between two runs, or two studies.")
    parser.add_argument("a", type=Path, metavar="A", help="folder of a run or a study")
    parser.add_argument("b", type=Path, metavar="B", help="folder of another of the same kind")
    parser.add_argument("--json", action="store_true", help="print the differences as one JSON object")


def _compare(options: argparse.Namespace) -> int:
    from largebatch.report.compare import compare

    found = compare(options.a, options.b)
    print(json.dumps(found.to_mapping(), indent=2) if options.json else found.text())
    return 0


# ---- doctor ----


def _add_doctor(commands: Any) -> None:
    parser = _command(commands, "doctor", _doctor, "Check what a run needs.")
    _add_data_dir(parser)
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="workers wanted (default: 4)")


def _doctor(options: argparse.Namespace) -> int:
    from largebatch.doctor import checks as doctor
    from largebatch.doctor.smoke import smoke

    checks = doctor.check_all(options.workers, options.data_dir, smoke)
    print(doctor.format_table(checks))
    return doctor.exit_status(checks)


# ---- bench ----


def _add_bench(commands: Any) -> None:
    parser = _command(commands, "bench", _bench, "Time training on this machine, beside its peers.")
    _add_data_dir(parser)
    parser.add_argument("--dataset", default="mnist", help="data set (default: mnist)")
    parser.add_argument("--rows", type=int, metavar="N", help="training images (default: all)")
    parser.add_argument("--modes", type=_names, default=["local", "spark"], metavar="MODE,...")
    parser.add_argument("--batch-sizes", type=_sizes, default=[2048, 32000], metavar="SIZE,...")
    parser.add_argument(
        "--peers", type=_names, default=[], metavar="PEER,...", help="torch, upstream (default: none)"
    )
    parser.add_argument(
        "--epochs", type=int, default=3, metavar="N",
        help="epochs timed, one of each contestant in turn, the second of a run (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", type=int, default=2, metavar="N", help="rounds of epochs before them (default: 2)"
    )
    add_settings(parser, Execution, only=BENCH_EXECUTION)
    parser.add_argument(
        "--formulations",
        action="store_true",
        help="time single parts of a layer in DML instead, each in several ways",
    )
    parser.add_argument(
        "--breakdown", action="store_true", help="say instead where the time of a warm epoch goes"
    )
    parser.add_argument(
        "--scaling",
        action="store_true",
        help="say instead, for each of --workers in Spark mode, what an update takes and what travels for it",
    )
    parser.add_argument(
        "--workers", type=_sizes, default=[4], metavar="N,...", help="numbers of workers (default: 4)"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print all numbers as JSON")
    shown.add_argument("--markdown", action="store_true", help="print the table as Markdown")


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _sizes(text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        message = f"{text!r} has to be whole numbers separated by commas"
        raise argparse.ArgumentTypeError(message) from None


def _bench(options: argparse.Namespace) -> int:
    from largebatch.bench import command, formulations
    from largebatch.bench.peers import PEERS
    from largebatch.bench.timing import Plan
    from largebatch.settings.registry import MODES
    from largebatch.terminal.table import align, markdown

    execution = Execution().updated(given(options, Execution))
    if options.formulations:
        print(align(formulations.rows(formulations.compare(execution.updated({"mode": "local"})))))
        return 0
    for flag, given_names, known in (("modes", options.modes, MODES), ("peers", options.peers, PEERS)):
        for name in given_names:
            if name not in known:
                raise UserError(f"--{flag} {name} is unknown; there are {', '.join(known)}")
    if options.epochs < 1 or options.warm_up < 0:
        raise UserError("--epochs has to be at least 1, --warm-up at least 0")
    if options.rows is not None and options.rows < 1:
        raise UserError("--rows has to be at least 1")
    wishes = command.Wishes(
        modes=options.modes,
        batch_sizes=options.batch_sizes,
        peers=options.peers,
        plan=Plan(options.warm_up, options.epochs),
        execution=execution,
        rows=options.rows,
        dataset=options.dataset,
        data_dir=options.data_dir,
        workers=options.workers,
    )
    if options.breakdown or options.scaling:
        tables = command.scalings(wishes, say) if options.scaling else command.breakdowns(wishes, say)
        for title, table in tables:
            print(f"{title}\n\n{markdown(table) if options.markdown else align(table)}\n")
        return 0
    timed = command.bench(wishes, say)
    if options.json:
        print(command.as_json(timed))
    elif options.markdown:
        print(command.as_markdown(timed, shlex.join(["largebatch", *sys.argv[1:]])), end="")
    else:
        print(command.as_text(timed))
    return 0


# ---- data ----


def _add_data(commands: Any) -> None:
    parser = _command(commands, "data", _data_list, "List and prepare data sets.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _command(actions, "list", _data_list, "List the data sets and where they are.")
    prepare = _command(actions, "prepare", _data_prepare, "Get a data set and convert it for SystemDS.")
    prepare.add_argument("name", metavar="NAME", help="data set")
    _add_data_dir(prepare)


def _data_list(options: argparse.Namespace) -> int:
    from largebatch import data

    for entry in data.catalog():
        print(f"{entry.name:8}{entry.title:22}{entry.where}\n{'':8}{entry.how}")
    return 0


def _data_prepare(options: argparse.Namespace) -> int:
    from largebatch import data
    from largebatch.runs.job import prepared

    say(f"{options.name} is at {data.prepare(options.name, options.data_dir, say)}")
    dataset = data.load(options.name, options.data_dir, report=say)
    print(prepared(dataset, Execution(mode="local"), workers=1).folder)
    return 0


# ---- predict ----


def _add_predict(commands: Any) -> None:
    parser = _command(commands, "predict", _predict, "Apply a trained model to images; prints CSV.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "images", type=Path, metavar="IMAGES", help="IDX or .npy file, PNG file, or folder of PNG files"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of standard output")


def _predict(options: argparse.Namespace) -> int:
    from largebatch.models.predict import predict

    predictions = predict(options.run, options.images, say)
    predictions.to_csv(options.out or sys.stdout, index=False)
    return 0
