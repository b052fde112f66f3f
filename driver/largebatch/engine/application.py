"""Starting a Spark application, and waiting for its slots."""

from __future__ import annotations

from collections.abc import Mapping

from largebatch.engine.conf import systemds_conf
from largebatch.engine.host import Opening
from largebatch.engine.master import in_process, reach
from largebatch.engine.secret import shared_secret
from largebatch.engine.versions import SPARK
from largebatch.errors import RunError
from largebatch.terminal.say import say

MASTER_S = 20.0  # for Spark's master to come up


def reach_master(opening: Opening, master: str) -> None:
    """Raises RunError if a standalone cluster's master does not answer in time."""
    reach(master, min(MASTER_S, opening.execution.cluster_timeout))


def start_application(opening: Opening, master: str, spark_conf: Mapping[str, str]) -> None:
    """Start an application with these settings in the JVM. Raises RunError if that fails."""
    execution, site = opening.execution, opening.site
    cluster = not in_process(master)
    try:
        opening.request(
            "start",
            execution.cluster_timeout if cluster else execution.stall_timeout,
            spark_conf=dict(spark_conf),
            systemds_conf=systemds_conf(site, elsewhere=cluster),
            blas=str(site.blas) if site.blas and cluster else None,
            secret=shared_secret(execution, master),
        )
    except RunError as error:
        if not cluster:
            raise
        raise RunError(
            f"{master} did not take the application: see that it runs Spark {SPARK}, and that --secure "
            f"and the secret are as on the cluster ({error})"
        ) from error


def wait_for_slots(opening: Opening, master: str) -> None:
    """Return when all workers can run at once. Raises RunError after the cluster's time; else at once."""
    seconds = 0.0 if in_process(master) else opening.execution.cluster_timeout
    patience = seconds + opening.execution.stall_timeout
    opening.request("wait_for_slots", patience, _note, wanted=opening.workers, seconds=seconds)


def _note(line: str) -> None:
    say(line.removeprefix("note "))
