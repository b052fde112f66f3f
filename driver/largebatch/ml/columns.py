"""The columns of a DataFrame: what types are taken, and the expressions by which they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql.types import ArrayType, BinaryType, NumericType, StructType

from largebatch.errors import UserError

BYTE_SCALE = 255.0
_IMAGE = {"height", "width", "nChannels", "mode", "data"}  # fields of Spark's images
EIGHT_BITS = (0, 16)  # OpenCV's types of images with one and three channels of bytes
WITH_ALPHA, UNDEFINED = 24, -1  # with four channels; what Spark writes for files that are no images


def check_frame(dataset: Any) -> None:
    """Raises UserError for anything but a DataFrame of a SparkSession that runs."""
    if not hasattr(dataset, "sparkSession"):
        kind = f"{type(dataset).__module__}.{type(dataset).__name__}".removeprefix("builtins.")
        raise UserError(f"a DataFrame of Spark is wanted, not {kind}: make one by spark.createDataFrame")
    context = getattr(dataset.sparkSession, "_sc", None)  # Spark Connect has none
    if context is not None and context._jsc is None:
        raise UserError("the SparkSession of the DataFrame was stopped: make both again")


def field(dataset: DataFrame, column: str, role: str) -> Any:
    """A column's entry in the schema. Raises UserError if there is no such column."""
    many = dataset.columns.count(column)
    if not many:
        has = ", ".join(dataset.columns)
        raise UserError(f"{role} {column!r} is no column of the DataFrame, which has {has}")
    if many > 1:
        raise UserError(
            f"{role} {column!r} is the name of {many} columns of the DataFrame: rename or drop some"
        )
    return dataset.schema[column]


def named(column: str) -> Any:
    """The column of a name, whatever characters are in it."""
    quoted = column.replace("`", "``")
    return F.col(f"`{quoted}`")


def check_outputs(dataset: DataFrame, stage: Any) -> None:
    """Raises UserError if the DataFrame has a column that a stage would append, or two get one name."""
    names = [stage.getRawPredictionCol(), stage.getProbabilityCol(), stage.getPredictionCol()]
    there = [*dataset.columns]
    for name in filter(None, names):
        if name in there:
            raise UserError(f"the DataFrame has a column {name!r} already: drop it, or choose another name")
        there.append(name)


def check_type(dataset: DataFrame, role: str, column: str, kind: type, wanted: str) -> None:
    """Raises UserError if a column is missing or of another type; `wanted` says what it should hold."""
    found = field(dataset, column, role).dataType
    if not isinstance(found, kind):
        raise UserError(f"{role} {column!r} is of type {found.simpleString()}; {wanted}")


@dataclass(frozen=True)
class Features:
    """The features of a DataFrame: a column, and its kind: vector, array, binary or image."""

    column: str
    kind: str

    @classmethod
    def of(cls, dataset: DataFrame, column: str) -> Features:
        """Raises UserError if the column is missing or of a type that is not taken."""
        kind = field(dataset, column, "featuresCol").dataType
        if isinstance(kind, BinaryType):
            return cls(column, "binary")
        if isinstance(kind, ArrayType) and isinstance(kind.elementType, NumericType):
            return cls(column, "array")
        if isinstance(kind, VectorUDT):
            return cls(column, "vector")
        if isinstance(kind, StructType) and set(kind.fieldNames()) >= _IMAGE:
            return cls(column, "image")
        if type(kind).__module__.startswith("pyspark.mllib"):
            raise UserError(
                f"featuresCol {column!r} has vectors of pyspark.mllib: convert them by "
                "MLUtils.convertVectorColumnsToML of pyspark.mllib.util"
            )
        raise UserError(
            f"featuresCol {column!r} is of type {kind.simpleString()}; it must be a vector, an array of "
            "numbers, binary, or an image of Spark: put several columns together by VectorAssembler"
        )

    @property
    def scale(self) -> float:
        """What the numbers are divided by unless pixelScale is set."""
        return BYTE_SCALE if self.kind in ("binary", "image") else 1.0

    def order(self, layout: str) -> str:
        """The order of an image's numbers, as largebatch.ml.rows.channels_first takes it."""
        return "bgr" if self.kind == "image" else layout

    @property
    def numbers(self) -> Any:
        """What executors get: bytes, or an array of doubles; null for null features."""
        column = named(self.column)
        if self.kind == "vector":  # vector_to_array fails on null
            return F.when(column.isNotNull(), vector_to_array(column, "float64"))
        if self.kind == "image":
            return column["data"]
        return column if self.kind == "binary" else column.cast("array<double>")

    def sized(self, image: tuple[int, int, int]) -> Any:
        """The same; null for Spark's images of another size."""
        if self.kind != "image":
            return self.numbers
        column = named(self.column)
        C, H, W = image
        fits = (column["nChannels"] == C) & (column["height"] == H) & (column["width"] == W)
        return F.when(fits, self.numbers)

    @property
    def width(self) -> Any:
        """How many numbers a row has."""
        return F.length(self.numbers) if self.kind in ("binary", "image") else F.size(self.numbers)

    def dimension(self, name: str) -> Any:
        """A field of Spark's images, such as height; null for other kinds."""
        return named(self.column)[name] if self.kind == "image" else F.lit(None).cast("int")
