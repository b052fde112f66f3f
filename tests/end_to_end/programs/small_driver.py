"""A driver whose memory SystemDS takes to be too small for the training data, so that it moves them to Spark.

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
from pyspark.sql import SparkSession

from largebatch.data import Dataset
from largebatch.engine.jar import system_ds_jar
from largebatch.engine.java import JVM_FLAGS, find_java
from largebatch.engine.live import LiveSession
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.files.matrices import read_matrix
from largebatch.records.run_folder import RunFolder
from largebatch.runs.job import train
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


def mixed(spark: SparkSession) -> str:
    """What paramserv makes of such data."""
    notes: list[str] = []
    with Session(Execution(), 2, OUT / "log.txt", host=LiveSession(spark)) as session:
        program = Path(__file__).with_name("mixed.dml")
        session.run(str(program), {}, single_node=False, on_line=notes.append)
    return notes[0]


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
    found["mixed"] = mixed(spark)
    found["small"] = training(spark, "small")
    found["small, on executors"] = training(spark, "small-shards", "executors")
    analyzer.setLocalMaxMemory(enough)
    spark.stop()
    print(json.dumps(found))


main()
