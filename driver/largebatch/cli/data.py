"""`largebatch data`: list and prepare data sets."""

from __future__ import annotations

import argparse

from largebatch.cli.commands import Commands, add_command, add_data_dir
from largebatch.cli.parsing import add_settings, given
from largebatch.cli.status import DONE
from largebatch.settings.execution import Execution
from largebatch.settings.training import DataSettings
from largebatch.terminal.say import say


def add(commands: Commands) -> None:
    """The command and its options."""
    parser = add_command(commands, "data", _list, "List and prepare data sets.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add_command(actions, "list", _list, "List the data sets and where they are.")
    prepare = add_command(
        actions, "prepare", _prepare, "Download a data set where necessary, and convert it for SystemDS."
    )
    prepare.add_argument("name", metavar="DATASET", help="data set: a name, or the path of a file or folder")
    add_data_dir(prepare)
    add_settings(prepare, DataSettings, ("resize", "grey", "image_shape"))


def _list(options: argparse.Namespace) -> int:
    from largebatch import data

    entries = data.catalog()
    for problem in dict.fromkeys(entry.problem for entry in entries if entry.problem):
        say(problem)
    for entry in entries:
        print(f"{entry.name:16}{entry.title:24}{entry.where}\n{'':16}{entry.how}")
    return DONE


def _prepare(options: argparse.Namespace) -> int:
    from largebatch import data
    from largebatch.runs.prepare import prepare_alone

    wanted = DataSettings(dataset=options.name, **given(options, DataSettings))
    say(f"{options.name} is at {data.obtain(wanted.dataset, options.data_dir, say)}")
    dataset = data.load(wanted.dataset, options.data_dir, reading=wanted.reading, say=say)
    print(prepare_alone(dataset, Execution(mode="local"), workers=1).folder)
    return DONE
