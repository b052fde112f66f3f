"""One pass over a DataFrame that counts, before any row moves: whether a network can be trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BooleanType, NumericType

from largebatch.errors import UserError
from largebatch.ml.columns import EIGHT_BITS, UNDEFINED, WITH_ALPHA, Features, check_type, named
from largebatch.ml.settings import MOST_CLASSES


@dataclass(frozen=True)
class Columns:
    """The columns that fit reads; `validation` may be None."""

    features: Features
    label: str
    validation: str | None

    @classmethod
    def of(cls, dataset: DataFrame, features: str, label: str, validation: str | None) -> Columns:
        """Raises UserError for a column that is missing or of another type."""
        if validation:
            wanted = "boolean is wanted: true marks a row for validation"
            check_type(dataset, "validationIndicatorCol", validation, BooleanType, wanted)
        wanted = "numbers 0, 1, 2 ... are wanted: take StringIndexer for texts, cast('int') for booleans"
        check_type(dataset, "labelCol", label, NumericType, wanted)
        return cls(Features.of(dataset, features), label, validation or None)

    def select(self, dataset: DataFrame, numbers: Any) -> DataFrame:
        """The columns features, label and validation (false without such a column)."""
        validation = named(self.validation) if self.validation else F.lit(False)
        label = named(self.label).cast("double")
        return dataset.select(numbers.alias("features"), label.alias("label"), validation.alias("validation"))


@dataclass(frozen=True)
class Survey:
    """What a DataFrame holds: rows, and how many of them for validation; numbers a row; classes."""

    rows: int
    validation: int
    width: int
    image: tuple[int, int, int] | None  # of Spark's images
    classes: int


def survey(dataset: DataFrame, columns: Columns, classes: int | None) -> Survey:
    """Count. Raises UserError, with numbers, for a DataFrame that can't be trained on."""
    label = named(columns.label).cast("double")
    validation = named(columns.validation) if columns.validation else F.lit(False)
    features = columns.features
    mode = features.dimension("mode")
    counts = {
        "null features": _count(features.numbers.isNull()),
        "null labels": _count(label.isNull()),
        "nulls in " + str(columns.validation): _count(validation.isNull()),
        "labels that are no whole numbers": _count(F.isnan(label) | (label != F.floor(label))),
        "files that are no images (read with the option dropInvalid)": _count(mode == UNDEFINED),
        "images with an alpha channel (convert them to RGB)": _count(mode == WITH_ALPHA),
        "images that are not of 8 bits": _count(~mode.isin(*EIGHT_BITS, WITH_ALPHA, UNDEFINED)),
    }
    training = ~validation
    totals = {
        "rows": F.count(F.lit(1)),
        "training": _count(training),
        "low": F.min(label), "high": F.max(label),
        "least": F.min(F.when(training, label)), "most": F.max(F.when(training, label)),
        "narrow": F.min(features.width), "wide": F.max(features.width),
    }  # fmt: skip
    for name in ("nChannels", "height", "width"):
        totals |= {f"least {name}": F.min(features.dimension(name)), name: F.max(features.dimension(name))}
    found = dataset.agg(*(one.alias(name) for name, one in (counts | totals).items())).first().asDict()
    _check_rows(found, list(counts), columns)
    _check_sizes(found, features)
    image = (found["nChannels"], found["height"], found["width"]) if features.kind == "image" else None
    many = _classes(found, columns.label, classes or _of_metadata(dataset, columns.label))
    return Survey(found["rows"], found["rows"] - found["training"], found["wide"], image, many)


def _count(condition: Any) -> Any:
    return F.coalesce(F.sum(condition.cast("long")), F.lit(0))


def _check_rows(found: dict[str, Any], counts: list[str], columns: Columns) -> None:
    if not found["rows"]:
        raise UserError("the DataFrame has no rows")
    for name in counts:
        if found[name]:
            raise UserError(
                f"{found[name]} of {found['rows']} rows have {name} "
                f"(featuresCol {columns.features.column!r}, labelCol {columns.label!r}): filter or mend them"
            )
    if not found["training"]:
        raise UserError(f"{columns.validation} is true in all {found['rows']} rows: none is left to train on")


def _check_sizes(found: dict[str, Any], features: Features) -> None:
    if features.kind == "image":
        ranges = [(found[f"least {name}"], found[name]) for name in ("nChannels", "height", "width")]
        if any(low != high for low, high in ranges):
            shown = ", ".join(f"{low} to {high}" for low, high in ranges)
            raise UserError(
                f"featuresCol {features.column!r} has images of several sizes (channels, height, width: "
                f"{shown}): bring them to one size"
            )
    if found["narrow"] != found["wide"] or not found["wide"]:
        raise UserError(
            f"featuresCol {features.column!r} has rows of {found['narrow']} to {found['wide']} numbers: "
            "all must have equally many, at least 1"
        )


def _classes(found: dict[str, Any], label: str, classes: int | None) -> int:
    low, high = int(found["low"]), int(found["high"])
    many = classes or high + 1
    last = min(many, MOST_CLASSES) - 1
    if low < 0 or high > last:
        raise UserError(
            f"labelCol {label!r} has labels {low} to {high}; with {last + 1} classes they must be 0 to "
            f"{last}: take StringIndexer, or set numClasses"
        )
    if not classes and low > 0:
        raise UserError(
            f"labelCol {label!r} has labels {low} to {high}; they must begin at 0: take StringIndexer, or "
            f"set numClasses={high + 1} if class 0 has no rows"
        )
    if found["least"] == found["most"]:
        raise UserError(f"all training rows are of class {int(found['least'])}: there is nothing to learn")
    return many


def _of_metadata(dataset: DataFrame, label: str) -> int | None:
    """The number of classes that StringIndexer and others have noted for the column."""
    values = dataset.schema[label].metadata.get("ml_attr", {}).get("vals")
    return len(values) if values and len(values) > 1 else None
