"""A user's program with a SparkSession of its own, in which sessions run: some to their end, others not.

Arguments: a folder of IDX files, a folder for the results. Prints what it found, as one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from largebatch.data import Dataset, load
from largebatch.engine.host import Host
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS, find_java
from largebatch.engine.live import LiveSession
from largebatch.engine.own import OWN_JVM
from largebatch.engine.session import Session
from largebatch.engine.stop import Stop, StoppedError
from largebatch.errors import RunError, UserError
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import train
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

DATA, OUT = Path(sys.argv[1]), Path(sys.argv[2])
TRAINING = Training(dataset="idx", network="softmax", batch_size=400, epochs=2, workers=4)
STUCK = Path(__file__).with_name("stuck.dml")
OF_ALL = {
    "spark.driver.extraJavaOptions": " ".join(JVM_FLAGS),
    "spark.driver.memory": "1g",
    "spark.jars": str(system_ds_jar()),
    "spark.ui.enabled": "false",
}


def build(master: str, **settings: str) -> SparkSession:
    builder = SparkSession.builder.master(master)
    for name, value in {**OF_ALL, **settings}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def state(spark: SparkSession) -> dict[str, Any]:
    """What a session must leave as it was."""
    context = spark.sparkContext
    return {
        "answer": spark.range(1000).selectExpr("sum(id)").first()[0],
        "application": context.applicationId,
        "cached": len(context._jsc.getPersistentRDDs()),
        "conf": sorted(context.getConf().getAll()),
        "hadoop": sorted(dict(context._jsc.hadoopConfiguration().getPropsWithPrefix("")).items()),
        "jobs": list(context.statusTracker().getActiveJobsIds()),
        "output": context._jvm.java.lang.System.out.hashCode(),
        "sql": sorted((row.key, row.value) for row in spark.sql("SET").collect()),
    }


@contextlib.contextmanager
def session(
    spark: SparkSession, workers: int = 4, stop: Stop | None = None, **execution: Any
) -> Iterator[Session]:
    with Session(Execution(**execution), workers, OUT / "log.txt", stop, LiveSession(spark)) as opened:
        yield opened


def refusal(spark: SparkSession, workers: int = 4, **execution: Any) -> str:
    try:
        with session(spark, workers, **execution):
            return "it was not refused"
    except UserError as error:
        return str(error)


def trained(name: str, dataset: Dataset, host: Host) -> str:
    execution = Execution(memory="1g") if host.starts_jvm else Execution()
    folder = RunFolder.create(OUT / name, TRAINING, execution, dataset)
    return str(train(TRAINING, execution, folder, dataset, host).status)


def failure(spark: SparkSession, program: str) -> str:
    with session(spark) as opened:
        try:
            opened.run(program, {})
        except RunError as error:
            return str(error).partition(";")[0]
    return "it did not fail"


def death(spark: SparkSession) -> str:
    """The failure of a session whose process is killed."""
    try:
        with session(spark) as opened:
            os.kill(opened.process_group, signal.SIGKILL)
            opened.run("smoke.dml", {})
    except RunError as error:
        return str(error).partition(";")[0]
    return "it did not fail"


def statuses_after_stop(spark: SparkSession) -> list[str]:
    """How the Spark jobs of a stuck training ended when its session was stopped."""
    jobs = spark.sparkContext.statusTracker()
    running: list[int] = []
    stop, over = Stop(), threading.Event()

    def stop_once_jobs_run() -> None:
        while not running and not over.wait(0.1):
            running.extend(jobs.getActiveJobsIds())
        stop.set()

    watcher = threading.Thread(target=stop_once_jobs_run)
    watcher.start()
    try:
        with session(spark, stop=stop) as opened:
            opened.run(str(STUCK), {})
    except StoppedError:
        return [jobs.getJobInfo(job).status for job in running]
    finally:
        over.set()
        watcher.join()
    return []


def main() -> None:
    os.environ["JAVA_HOME"] = str(find_java().home)
    dataset = load("idx", DATA, say=lambda line: None)
    lacking = build("local[2]", **{"spark.speculation": "true"})
    found: dict[str, Any] = {"refusals": [refusal(lacking)]}
    lacking.stop()
    found["refusals"].append(refusal(lacking))
    spark = build("local[4]", **{"spark.speculation": "false", "spark.ps.io.serverThreads": "10"})
    found["refusals"] += [refusal(spark, 8), refusal(spark, memory="1g"), refusal(spark, mode="local")]
    before = state(spark)
    found["live"] = trained("live", dataset, LiveSession(spark))
    found["failure"] = failure(spark, str(STUCK.with_name("stop.dml")))
    found["statuses"] = statuses_after_stop(spark)
    found["death"] = death(spark)
    found["again"] = trained("again", dataset, LiveSession(spark))
    found["own"] = trained("own", dataset, OWN_JVM)
    after = state(spark)
    found["changed"] = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    spark.sparkContext._jvm.java.lang.System.out.println("printed by the JVM")
    spark.stop()
    print(json.dumps(found))


main()
