"""What a site says of executors, read as Spark reads it."""

from __future__ import annotations

from pathlib import Path

from largebatch.engine.site_settings import executor_settings

FILE = """
# spark.executor.memory 9g
! spark.executor.cores 9
  spark.executor.memory   2g
spark.task.cpus = 2
spark.executor.cores:4
spark.executor.memoryOverhead 1g
spark.eventLog.enabled true
nonsense
"""


def test_settings_come_from_the_file_first_and_then_from_variables(tmp_path: Path) -> None:
    variables = {"SPARK_EXECUTOR_MEMORY": "3g", "SPARK_EXECUTOR_CORES": "8", "SPARK_CONF_DIR": str(tmp_path)}
    of_variables = {"spark.executor.memory": "3g", "spark.executor.cores": "8"}
    assert executor_settings(variables) == of_variables, "there is no file"
    file = tmp_path / "spark-defaults.conf"
    file.write_text("spark.executor.memory 2g")
    assert executor_settings(variables) == of_variables | {"spark.executor.memory": "2g"}
    file.write_text(FILE)
    expected = {"spark.executor.memory": "2g", "spark.task.cpus": "2", "spark.executor.cores": "4"}
    assert executor_settings(variables) == expected


def test_the_folder_is_the_one_where_spark_looks(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "spark-defaults.conf").write_text("spark.executor.memory 2g")
    assert executor_settings({"SPARK_HOME": str(tmp_path)}) == {"spark.executor.memory": "2g"}
    assert executor_settings({"SPARK_HOME": str(tmp_path), "SPARK_CONF_DIR": "/nowhere"}) == {}
