"""The secret with which the parts of a Spark cluster authenticate each other."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from largebatch.engine.master import in_process
from largebatch.errors import UserError
from largebatch.settings.execution import Execution

SECRET_FILE = "LARGEBATCH_SPARK_SECRET_FILE"  # noqa: S105 - the variable that names the file


def shared_secret(execution: Execution, master: str) -> str | None:
    """The cluster's secret; None without --secure, and where Spark makes one itself.

    A standalone cluster's secret is read from the file that $LARGEBATCH_SPARK_SECRET_FILE names. Raises
    UserError if there is none.
    """
    if not execution.secure or in_process(master) or re.match(r"yarn$|k8s://", master):
        return None
    if master.startswith("local-cluster"):
        return secrets.token_hex(32)
    name = os.environ.get(SECRET_FILE, "")
    try:
        secret = Path(name).read_text().strip() if name else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"${SECRET_FILE} names a file that can't be read: {error}") from error
    if not secret:
        raise UserError(
            f"--secure on {master} takes the cluster's secret (its spark.authenticate.secret) from a file: "
            f"name it by ${SECRET_FILE}"
        )
    return secret
