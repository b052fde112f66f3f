"""Sessions that start a JVM of their own."""

from __future__ import annotations

import os
from pathlib import Path

from largebatch.engine.application import reach_master, start_application, wait_for_slots
from largebatch.engine.conf import spark_conf
from largebatch.engine.host import Host, Opening
from largebatch.engine.java import find_java
from largebatch.engine.master import in_process
from largebatch.settings.execution import Execution

# Notebooks of pyspark, and programs under spark-submit, have these for a JVM that is not ours.
OF_ANOTHER_JVM = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "PYSPARK_SUBMIT_ARGS")


class OwnJvm(Host):
    """A JVM that starts with the session, and ends with it."""

    starts_jvm = True
    can_restart = True

    def environment(self) -> dict[str, str]:
        """That of this process, with Java 17, and without another JVM's variables. Raises UserError."""
        ours = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER_JVM}
        return ours | {"JAVA_HOME": str(find_java().home)}

    def programs(self, dml: Path) -> Path:
        """The folder itself, as seen from the JVM's working directory, which is its parent."""
        return Path(dml.name)

    def start(self, opening: Opening) -> None:
        """Start the JVM and a Spark application. Raises RunError or UserError if that fails."""
        execution = opening.execution
        conf = spark_conf(execution, opening.workers, opening.site)
        master = conf["spark.master"]
        reach_master(opening, master)
        opening.request("launch", execution.stall_timeout, spark_conf=conf)
        start_application(opening, master, conf)
        if execution.mode == "spark" and not in_process(master):
            wait_for_slots(opening, master)

    def more_memory(self, execution: Execution) -> str:
        """The option for it."""
        return f"raise --memory (now {execution.memory})"


OWN_JVM = OwnJvm()
