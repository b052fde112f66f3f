"""A driver whose memory SystemDS takes to be too small for the training data.

Argument: a folder for the results. Prints what it found, as one JSON object.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from largebatch.data import Dataset
from largebatch.data.dataset import PreparedData
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS, find_java
from largebatch.engine.live import LiveSession
from largebatch.errors import RunError
from largebatch.files.matrices import read_matrix
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import train
from largebatch.runs.prepare import prepared_folder
from largebatch.runs.program import train_arguments
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training

OUT = Path(sys.argv[1])
TRAINING = Training(dataset="idx", network="softmax", batch_size=1000, epochs=1, workers=2)
SMALL = 10 * 2**20  # bytes, of which SystemDS plans with 70 %
CONF = {
    "spark.default.parallelism": "1",  # so that all blocks of a row are in one partition
    "spark.driver.extraJavaOptions": " ".join(JVM_FLAGS),
    "spark.driver.memory": "600m",
    "spark.jars": str(system_ds_jar()),
    "spark.ps.io.serverThreads": "10",
    "spark.ui.enabled": "false",
}


def made_up() -> Dataset:
    """Images of 501 pixels, which can't be packed; the first one tells the class."""
    X = np.random.default_rng(1).integers(0, 256, (2000, 3, 167), np.uint8)
    return Dataset.from_arrays("idx", "made up", train_images=X, train_labels=X[:, 0, 0] // 128)


def planned_for_spark(spark: SparkSession, program: str, arguments: dict[str, Any]) -> str:
    """The errors with which a program ends if SystemDS may plan Spark operations for it; else nothing."""
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    api = jvm.org.apache.sysds.api.mlcontext
    context = api.MLContext(spark._jsparkSession)
    context.setExecutionType(api.MLContext.ExecutionType.DRIVER_AND_SPARK)
    script = api.ScriptFactory.dmlFromFile(program)
    for name, value in arguments.items():
        getattr(script, "in")(f"${name}", value)
    try:
        context.execute(script)
    except Py4JJavaError as error:
        errors, cause = [], error.java_exception
        while cause is not None:
            errors.append(cause.toString())
            cause = cause.getCause()
        return "\n".join(errors)
    return ""


def training(spark: SparkSession, name: str, placement: str = "driver") -> dict[str, Any]:
    """How a training ends, how many checkpoints it has written, and the weights of the last one."""
    wanted, dataset = dataclasses.replace(TRAINING, data_placement=placement), made_up()
    folder = RunFolder.create(OUT / name, wanted, Execution(), dataset)
    try:
        ended = str(train(wanted, Execution(), folder, dataset, LiveSession(spark)).status)
    except RunError as error:
        ended = str(error)
    written = list(folder.path.glob("checkpoints/*"))
    weights = [float(number) for path in written for number in read_matrix(path / "parameters")[:, 0]]
    return {"ended": ended, "checkpoints": len(written), "weights": weights}


def main() -> None:
    os.environ["JAVA_HOME"] = str(find_java().home)
    builder = SparkSession.builder.master("local[2]")
    for name, value in CONF.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    analyzer = spark.sparkContext._jvm.org.apache.sysds.utils.stats.InfrastructureAnalyzer
    enough = analyzer.getLocalMaxMemory()
    found: dict[str, Any] = {"large": training(spark, "large")}  # it also prepares the data
    found["large, on executors"] = training(spark, "large-shards", "executors")
    analyzer.setLocalMaxMemory(SMALL)
    found["small"] = training(spark, "small")
    found["small, on executors"] = training(spark, "small-shards", "executors")
    planned_for_spark(spark, "mixed.dml", {"out": str(OUT / "mixed")})
    found["mixed"] = float((OUT / "mixed").read_text())
    dataset = made_up()
    data = PreparedData(prepared_folder(dataset), dataset.images, tuple(dataset.parts))
    arguments = train_arguments(TRAINING, "spark", data, OUT / "plain", None)
    found["planned for Spark"] = planned_for_spark(spark, "dml/train.dml", arguments)
    found["planned for Spark, checkpoints"] = len(list(OUT.glob("plain/checkpoints/*")))
    analyzer.setLocalMaxMemory(enough)
    spark.stop()
    print(json.dumps(found))


main()
