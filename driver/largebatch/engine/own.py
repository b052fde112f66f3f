"""Sessions that start a JVM of their own."""

from __future__ import annotations

import os
from pathlib import Path

from largebatch.engine.application import reach_master, start_application, wait_for_slots
from largebatch.engine.conf import spark_conf
from largebatch.engine.environment import of_session, unheeded
from largebatch.engine.host import Host, Opening
from largebatch.engine.java import find_java
from largebatch.engine.limits import low_limits
from largebatch.engine.master import in_process, is_here
from largebatch.engine.site_settings import executor_settings
from largebatch.engine.user import is_nameless
from largebatch.settings.execution import Execution


class OwnJvm(Host):
    """A JVM that starts with the session, and ends with it."""

    starts_jvm = True
    can_restart = True

    def remarks(self, execution: Execution) -> list[str]:
        """Variables that have no effect on the JVM, and limits that it may reach. Raises UserError."""
        return [*unheeded(os.environ), *low_limits(execution.memory_bytes)]

    def environment(self, execution: Execution) -> dict[str, str]:
        """That of this process as `of_session` cleans it, with Java 17. Raises UserError."""
        loopback = is_here(execution.master or "local")
        cleaned = of_session(os.environ, loopback=loopback, nameless=is_nameless())
        return cleaned | {"JAVA_HOME": str(find_java().home)}

    def programs(self, dml: Path) -> Path:
        """The folder itself, as seen from the JVM's working directory, which is its parent."""
        return Path(dml.name)

    def start(self, opening: Opening) -> None:
        """Start the JVM and a Spark application. Raises RunError or UserError if that fails."""
        execution = opening.execution
        of_site = executor_settings(os.environ)
        conf = spark_conf(execution, opening.workers, opening.site, of_site=of_site)
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
