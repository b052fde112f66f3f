"""`largebatch bench`: how fast training is on this machine."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from largebatch.cli.commands import Commands, add_command, add_data_dir
from largebatch.cli.parsing import add_settings, given, values_of_settings, variants, whole_number
from largebatch.cli.status import DONE
from largebatch.errors import UserError
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.settings.values import flag
from largebatch.terminal.say import say

if TYPE_CHECKING:
    from largebatch.bench.command import BenchRequest
    from largebatch.bench.timing import Timed

BENCH_EXECUTION = ("master", "memory", "conf", "secure", "cluster_timeout")
_DATA = ("data_dir", "dataset", "network", "pad_to", "rows", "batch_sizes", "vary", "workers")
UNUSED = {  # options that count for nothing where something else is measured instead
    "formulations": (*_DATA, "epochs", "warm_up", "modes", "peers", "master", "json", "markdown"),
    "breakdown": ("peers", "json"),
    "scaling": ("modes", "peers", "json"),
}


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(
        commands,
        "bench",
        run,
        "Measure the speed of training on this machine, also beside other implementations.",
    )
    add_data_dir(parser)
    parser.add_argument("--dataset", default="mnist", help="data set (default: mnist)")
    parser.add_argument(
        "--network",
        type=_names,
        default=["lenet"],
        metavar="NETWORK,...",
        help="networks to measure, one after the other (default: lenet)",
    )
    parser.add_argument(
        "--rows", type=whole_number, metavar="N", help="images of each part, at most (default: all)"
    )
    parser.add_argument(
        "--modes",
        type=_names,
        default=["local", "spark"],
        metavar="MODE,...",
        help="modes to measure (default: local,spark)",
    )
    parser.add_argument(
        "--batch-sizes",
        type=_sizes,
        default=[2048, 32000],
        metavar="SIZE,...",
        help="batch sizes to measure (default: 2048,32000)",
    )
    parser.add_argument(
        "--vary",
        type=values_of_settings,
        action="extend",
        default=[],
        metavar="SETTING=VALUE,...",
        help="settings to measure every value of, e.g. optimizer=lars,lamb (default: optimizer=sgd_momentum)",
    )
    parser.add_argument(
        "--peers",
        type=_names,
        default=[],
        metavar="PEER,...",
        help="other implementations to measure: torch, upstream (default: none)",
    )
    parser.add_argument(
        "--epochs", type=whole_number, default=3, metavar="N",
        help="timed epochs, each the second epoch of a run; all take turns (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up",
        type=whole_number,
        default=2,
        metavar="N",
        help="rounds of epochs before the timed ones (default: 2)",
    )
    add_settings(parser, Training, only=("pad_to",))
    add_settings(parser, Execution, only=BENCH_EXECUTION)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--formulations",
        action="store_true",
        help="instead, time parts of a layer in several formulations in DML",
    )
    instead.add_argument(
        "--breakdown", action="store_true", help="instead, show how a warm epoch's time is spent"
    )
    instead.add_argument(
        "--scaling",
        action="store_true",
        help="instead, show time and traffic of an update in Spark mode, for each of --workers",
    )
    parser.add_argument(
        "--workers", type=_sizes, default=[4], metavar="N,...", help="numbers of workers (default: 4)"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print all numbers as JSON")
    shown.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.set_defaults(default_of=parser.get_default)


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} must be names separated by commas")
    return names


def _sizes(text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        message = f"{text!r} must be whole numbers separated by commas"
        raise argparse.ArgumentTypeError(message) from None


def run(options: argparse.Namespace) -> int:
    """Measure what the options ask for, and print it."""
    from largebatch.bench import command, formulations
    from largebatch.terminal.table import align

    _refuse_unused(options)
    if options.formulations:
        execution = Execution().updated(given(options, Execution) | {"mode": "local"})
        print(align(formulations.rows(formulations.compare(execution))))
        return DONE
    requests = {network: _request(options, network) for network in options.network}
    if options.breakdown or options.scaling:
        tables = command.scalings if options.scaling else command.breakdowns
        for request in requests.values():
            _print_tables(tables(request, say), options.markdown)
    else:
        _print_timed({network: command.bench(request, say) for network, request in requests.items()}, options)
    return DONE


def _refuse_unused(options: argparse.Namespace) -> None:
    """Raises UserError for an option that would count for nothing."""
    for instead, names in UNUSED.items():
        for name in names:
            if getattr(options, instead) and getattr(options, name) != options.default_of(name):
                raise UserError(f"{flag(name)} counts for nothing with --{instead}: leave it out")


def _request(options: argparse.Namespace, network: str) -> BenchRequest:
    from largebatch.bench.command import BenchRequest
    from largebatch.bench.timing import Rounds

    return BenchRequest(
        modes=options.modes,
        batch_sizes=options.batch_sizes,
        peers=options.peers,
        rounds=Rounds(options.warm_up, options.epochs),
        execution=Execution().updated(given(options, Execution)),
        rows=options.rows,
        network=network,
        dataset=options.dataset,
        data_dir=options.data_dir,
        workers=options.workers,
        variants=variants(options.vary),
        pad_to=options.pad_to or Training.pad_to,
    )


def _print_tables(tables: Iterable[tuple[str, list[list[str]]]], as_markdown: bool) -> None:
    from largebatch.terminal.table import align, markdown

    for title, table in tables:
        print(f"{title}\n\n{markdown(table) if as_markdown else align(table)}\n")


def _print_timed(timed: Mapping[str, Sequence[Timed]], options: argparse.Namespace) -> None:
    from largebatch.bench import tables

    if options.json:
        print(tables.as_json(timed))
    elif options.markdown:
        print(tables.as_markdown(timed, shlex.join(["largebatch", *sys.argv[1:]])), end="")
    else:
        print(tables.as_text(timed))
