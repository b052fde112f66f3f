"""Saved models: metadata as Spark has them, arrays and history as Parquet, and a checksum. No pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReader, MLWriter

import largebatch
from largebatch.data.dataset import Images
from largebatch.errors import UserError
from largebatch.files.matrices import Matrix
from largebatch.ml.params import restore
from largebatch.ml.trained import Trained
from largebatch.models.model import Model
from largebatch.settings.training import Training
from largebatch.settings.values import declared
from largebatch.terminal.say import say

FORMAT = 3  # since 2 the checksum is also over the description, since 3 large arrays are in pieces
PIECE = 2**25  # bytes of an array in a row of the table: Spark refuses tasks of 128 MB
_ARRAYS = "position int, name string, rows long, columns long, data binary"


class Writer(MLWriter):
    """Writes a model."""

    def __init__(self, instance: Any, trained: Trained) -> None:
        super().__init__()
        self._instance = instance
        self._trained = trained

    def saveImpl(self, path: str) -> None:  # noqa: N802 - Spark's name
        """Write metadata, data and history. Raises UserError if that can't be done."""
        with saving(path):
            self._save(path, classic(self.sparkSession))

    def _save(self, path: str, spark: Any) -> None:
        model, history = self._trained.model, self._trained.history
        arrays = [
            (position, name, *piece.shape, bytearray(piece.astype("<f8").tobytes()))
            for position, (name, piece) in enumerate(pieces(model.arrays))
        ]
        described = {
            "format": FORMAT,
            "version": largebatch.__version__,
            "training": model.training.to_mapping(),
            "images": asdict(model.images),
            "pixelScale": self._trained.scale,
            "imageLayout": self._trained.layout,
        }
        described["sha256"] = checksum(arrays, described)
        DefaultParamsWriter.saveMetadata(self._instance, path, spark.sparkContext, {"largebatch": described})
        slices = -(-sum(len(data) for *_, data in arrays) // PIECE)
        table = spark.createDataFrame(spark.sparkContext.parallelize(arrays, max(1, slices)), _ARRAYS)
        table.write.parquet(f"{path}/data")
        if len(history):
            rows = [tuple(map(float, row)) for row in history.to_numpy()]
            schema = ", ".join(f"`{name}` double" for name in history)
            spark.createDataFrame(rows, schema).coalesce(1).write.parquet(f"{path}/history")


class Reader(MLReader):
    """Reads a model."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._kind = kind

    def load(self, path: str) -> Any:
        """The model. Raises UserError if there is none, or if its files were changed."""
        spark = classic(self.sparkSession)
        metadata = load_metadata(path, spark.sparkContext, self._kind)
        try:
            described = metadata["largebatch"]
            if described["format"] > FORMAT:
                raise UserError(
                    f"it was saved by largebatch {described['version']}: install that or a newer one"
                )
            rows = [tuple(row) for row in spark.read.parquet(f"{path}/data").orderBy("position").collect()]
            if checksum(rows, described) != described["sha256"]:
                raise ValueError("its checksum differs")
            trained = _trained(described, rows, self._history(path))
        except UserError as error:
            raise UserError(f"the model in {path} can't be used: {error}") from error
        except Exception as error:  # of Spark, Hadoop, Parquet, and of values of any kind
            raise UserError(
                f"the model in {path} is damaged: save it again ({_first_line(error)})"
            ) from error
        instance = self._kind(trained)
        instance._resetUid(metadata["uid"])
        restore(instance, metadata)
        return instance

    def _history(self, path: str) -> pd.DataFrame:
        files = self.sc._jvm.org.apache.hadoop.fs.Path(f"{path}/history")
        if not files.getFileSystem(self.sc._jsc.hadoopConfiguration()).exists(files):
            return pd.DataFrame()
        table = self.sparkSession.read.parquet(f"{path}/history")
        history = pd.DataFrame(
            [tuple(row) for row in table.orderBy("epoch").collect()], columns=table.columns
        )
        counts = dict.fromkeys(("epoch", "updates", "examples"), "int64")
        return history.astype(counts)


def pieces(arrays: Mapping[str, Matrix]) -> Iterator[tuple[str, Matrix]]:
    """Each array with its name, in blocks of rows of about PIECE bytes."""
    for name, array in arrays.items():
        rows = max(1, PIECE // max(1, array[:1].nbytes))
        for first in range(0, len(array), rows):
            yield name, array[first : first + rows]


def _trained(described: dict[str, Any], rows: list[tuple[Any, ...]], history: pd.DataFrame) -> Trained:
    parts: dict[str, list[Matrix]] = {}
    for _, name, height, width, data in rows:
        parts.setdefault(name, []).append(np.frombuffer(data, "<f8").reshape(height, width))
    arrays = {name: np.concatenate(blocks).astype(np.float64) for name, blocks in parts.items()}
    training = described["training"]
    unknown = sorted(set(training) - set(declared(Training)))
    if unknown:
        say(f"the model was saved with settings that this version does not have: {', '.join(unknown)}")
    known = {name: value for name, value in training.items() if name not in unknown}
    model = Model(Training.from_mapping(known), Images(**described["images"]), arrays)
    return Trained(model, float(described["pixelScale"]), str(described["imageLayout"]), history)


def checksum(rows: Iterable[tuple[Any, ...]], described: dict[str, Any]) -> str:
    """SHA-256 (hex) over the description without it, and position, name, shape and bytes of each array."""
    digest = hashlib.sha256()
    if described["format"] > 1:
        description = {name: value for name, value in described.items() if name != "sha256"}
        digest.update(json.dumps(description, sort_keys=True).encode())
    for position, name, height, width, data in rows:
        digest.update(f"{position} {name} {height} {width}\n".encode() + bytes(data))
    return digest.hexdigest()


def classic(spark: Any) -> Any:
    """The SparkSession. Raises UserError for one of Spark Connect, which can't save models."""
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise UserError(
            "a model is saved and loaded by a SparkSession with a JVM, not by one of Spark Connect"
        )
    return spark


class ParamsWriter(DefaultParamsWriter):
    """Writes an Estimator."""

    def saveImpl(self, path: str) -> None:  # noqa: N802 - Spark's name
        """Write the Params. Raises UserError if that can't be done."""
        with saving(path):
            super().saveImpl(path)


@contextmanager
def saving(path: str) -> Iterator[None]:
    """Errors of Spark and Hadoop about a path to write are raised as UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if "already exists" in str(error):
            raise UserError(
                f"{path} is there already: name another, or replace it by write().overwrite().save(path)"
            ) from error
        raise UserError(f"{path} can't be written: {_first_line(error)}") from error


def load_metadata(path: str, context: Any, kind: type) -> dict[str, Any]:
    """Saved metadata of an Estimator or model. Raises UserError if there are no such ones."""
    wanted = f"{kind.__module__}.{kind.__name__}"
    try:
        metadata: dict[str, Any] = DefaultParamsReader.loadMetadata(path, context)
        found = metadata["class"]
        if not isinstance(metadata["uid"], str):
            raise ValueError("its uid is no text")
        if not all(isinstance(metadata[name], dict) for name in ("paramMap", "defaultParamMap")):
            raise ValueError("its Params are no JSON object")
    except Exception as error:  # of Hadoop, Spark, and of JSON
        raise UserError(f"{path} holds no saved {kind.__name__}: {_first_line(error)}") from error
    if found != wanted:
        raise UserError(f"{path} holds a {found}, not a {kind.__name__}")
    return metadata


def _first_line(error: Exception) -> str:
    from largebatch.engine.failures import root_cause

    return root_cause(error)
