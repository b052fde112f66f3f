"""`largebatch --print-completion SHELL`: a script by which a shell completes commands, options and paths."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")
HELP = (
    "print a script with which a shell completes arguments of largebatch; "
    'in bash: eval "$(largebatch --print-completion bash)"'
)
FOLDERS = ("DIR", "RUN", "A", "B")  # metavars of arguments that name a folder
FILES = ("FILE", "IMAGES")


def add(parser: argparse.ArgumentParser) -> None:
    """The option, for the parser of the whole command line."""
    parser.add_argument("--print-completion", action=_Print, choices=SHELLS, metavar="SHELL", help=HELP)


class _Print(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        print(script(parser, str(values)))
        parser.exit()


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for bash, zsh or tcsh."""
    import shtab

    from largebatch.data import SOURCES
    from largebatch.studies.library import shipped

    named = {"STUDY": shipped(), "DATASET": list(SOURCES)}  # metavars of what has a name, or is a file
    for action in _actions(parser):
        if action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # shtab looks for it there
        elif action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in named:
            action.complete = _completer(action.metavar.lower())  # type: ignore[attr-defined]
    functions = (_function(shell, metavar.lower(), names) for metavar, names in named.items())
    return shtab.complete(parser, shell, preamble="\n".join(functions))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


# By "_file" in a function's name, shtab knows that it completes file names.
_FUNCTIONS = {
    "bash": '_largebatch_{kind}_files() {{ compgen -W "{lines}" -- "$1"; compgen -f -- "$1"; }}',
    "zsh": "_largebatch_{kind}_files() {{ _alternative '{kind}:{kind}:({names})' 'files:file:_files' }}",
    "tcsh": "",
}


def _completer(kind: str) -> dict[str, str]:
    return {"bash": f"_largebatch_{kind}_files", "zsh": f"_largebatch_{kind}_files", "tcsh": "f"}


def _function(shell: str, kind: str, names: Sequence[str]) -> str:
    """Completes names that come with the package, and files."""
    # Older versions of shtab call the function while only newlines separate words.
    return _FUNCTIONS[shell].format(kind=kind, names=" ".join(names), lines="\n".join(names))
