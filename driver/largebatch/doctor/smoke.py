"""A small DML program, for `largebatch doctor`."""

from __future__ import annotations

from pathlib import Path

from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.places import temporary_directory
from largebatch.settings.execution import Execution


def smoke() -> None:
    """Run dml/smoke.dml in a session of its own. Raises RunError or UserError with the cause."""
    with temporary_directory() as folder:
        log = Path(folder) / "log.txt"
        answers: list[str] = []
        try:
            with Session(Execution(memory="1g", stall_timeout=60), workers=1, log=log) as session:
                session.run("smoke.dml", {}, on_line=answers.append)
        except RunError as error:
            raise RunError(str(error).partition("; see ")[0]) from error  # the log goes with its folder
    if answers != ["smoke 30.0"]:
        raise RunError(f"dml/smoke.dml answered {answers} for 1 + 4 + 9 + 16")
