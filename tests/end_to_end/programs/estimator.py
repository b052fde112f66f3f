"""A program under spark-submit, with a SparkSession of its own, that fits in all three ways.

Its cluster is local-cluster: each executor is a process. Prints what it found, as one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from typing import Any

from pyspark.sql import SparkSession
from sklearn.datasets import load_digits

from largebatch.errors import RunError
from largebatch.ml import LargeBatchClassifier

GROUP = "largebatch"  # of the Spark jobs of a fit in this session
KILLS, PAUSE_S = 5, 10.0


def workers_at_work(spark: SparkSession) -> int:
    """How many tasks are at work in the last stage of a job of the fit, which is that of the workers."""
    tracker = spark.sparkContext.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(GROUP)]
    stages = [tracker.getStageInfo(max(job.stageIds)) for job in jobs if job]
    return sum(stage.numActiveTasks for stage in stages if stage)


def kill_executors(spark: SparkSession, over: threading.Event) -> None:
    """One as soon as each of the two has a worker, and another one later if Spark could do without it."""
    pattern = f"CoarseGrainedExecutorBackend.*{spark.sparkContext.applicationId}"
    for _ in range(KILLS):
        while workers_at_work(spark) < 2 and not over.wait(0.1):
            pass
        if over.is_set():
            return
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=True)  # noqa: S607
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
        over.wait(PAUSE_S)


def failure(spark: SparkSession, table: Any, settings: dict[str, Any]) -> str:
    """What a fit says whose executor is killed."""
    over = threading.Event()
    killer = threading.Thread(target=kill_executors, args=(spark, over))
    killer.start()
    try:
        LargeBatchClassifier(**settings | {"session": "shared", "epochs": 1000}).fit(table)
    except RunError as error:
        return str(error)
    finally:
        over.set()
        killer.join()
    return "it did not fail"


def main() -> None:
    spark = SparkSession.builder.getOrCreate()
    digits = load_digits(n_class=3)
    rows = [(x, float(y)) for x, y in zip(digits.data.tolist(), digits.target.tolist(), strict=True)]
    table = spark.createDataFrame(rows, ["features", "label"])
    settings = {
        "network": "softmax", "optimizer": "adam", "learningRate": 0.05,
        "batchSize": 64, "epochs": 1, "numWorkers": 2,
        "verbose": False, "pixelScale": 16,
    }  # fmt: skip
    found: dict[str, Any] = {"failure": failure(spark, table, settings), "rows": table.count(), "arrays": {}}
    for more in ({"session": "shared"}, {"session": "own", "driverMemory": "1g"}, {"driverMemory": "1g"}):
        model = LargeBatchClassifier(**settings | more).fit(table)
        found["arrays"][more.get("session", "local")] = model.arrays["fc.weight"].tolist()
        right = model.transform(table).filter("prediction = label").count()
        found["accuracy"] = right / len(rows)
    spark.stop()
    print(json.dumps(found))


main()
