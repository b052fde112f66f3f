"""Data sets in Parquet files: rows of numbers, raw bytes, or pictures as the Hugging Face hub has them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from largebatch.data.dataset import Contents, Format, Reading
from largebatch.data.decode import STARTS, decode, stack
from largebatch.data.idx import MAX_BYTES
from largebatch.data.rows import as_classes, as_rows
from largebatch.data.spool import Spool
from largebatch.data.stored import Array, Rows
from largebatch.errors import UserError
from largebatch.terminal.say import Say

FEATURES = ("image", "img", "features", "pixels", "x")  # names of columns; the first that is there counts
LABELS = ("label", "labels", "fine_label", "y", "target")
COLUMNS = {"features": FEATURES, "label": LABELS}
# By the beginning of a file's name, or else of the nearest folder's.
PARTS = {"train": "train", "test": "test", "val": "validation", "dev": "validation"}
_BATCH = 256  # rows read, or decoded, at a time


def fits(path: Path) -> bool:
    """Whether this is a Parquet file, or a folder that has some."""
    if path.is_dir():
        return next(path.rglob("*.parquet"), None) is not None
    return path.suffix.lower() == ".parquet" and path.is_file()


def read(path: Path, reading: Reading, say: Say) -> Contents:
    """The parts of a file or folder, told by how the names of files and folders begin.

    As in Spark, files without rows count for nothing, nor do names that begin with "_" or ".". Raises
    UserError for missing columns, nulls, and rows that are not all of one kind.
    """
    try:
        files = _files(path) if path.is_dir() else {"train": [path]}
        if "train" not in files:
            raise UserError(f"{path} has no file to train on, only for {' and '.join(files)}")
        names = _class_names(files["train"])
        parts = {part: _part(of_part, names, reading) for part, of_part in files.items()}
        return Contents(parts, tuple(names or _names_of_the_hub(files["train"][0])))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _files(folder: Path) -> dict[str, list[Path]]:
    """The files of each part that have rows. If none has, all of them."""
    there = [
        file
        for file in sorted(folder.rglob("*.parquet"))
        if not any(name.startswith(("_", ".")) for name in file.relative_to(folder).parts)
    ]
    files: dict[str, list[Path]] = {}
    for file in [file for file in there if pq.read_metadata(file).num_rows] or there:
        files.setdefault(_part_of(file.relative_to(folder)), []).append(file)
    return files


def _part_of(file: Path) -> str:
    for name in reversed(file.parts):
        for start, part in PARTS.items():
            if name.lower().startswith(start):
                return part
    return "train"


def _table(file: Path, *wanted: str) -> pa.Table:
    """The columns of features and labels, called so, or those of them that are wanted."""
    stored = pq.ParquetFile(file)
    there = stored.schema_arrow.names
    columns = {name: _column(there, names, file) for name, names in COLUMNS.items()}
    columns = {name: column for name, column in columns.items() if not wanted or name in wanted}
    table = _read(stored, list(columns.values()), file).rename_columns(list(columns))
    for name, column in columns.items():
        if table[name].null_count:
            raise UserError(
                f"{file} has {table[name].null_count} rows whose {column} is null: leave them out"
            )
    if not table.num_rows:
        raise UserError(f"{file} has no rows")
    return table


def _read(stored: pq.ParquetFile, columns: list[str], file: Path) -> pa.Table:
    """The columns. A small file may unfold to any size, so the sum counts before the next rows are read."""
    schema = pa.schema([stored.schema_arrow.field(name) for name in columns])
    kind = schema[0].type
    most = MAX_BYTES if _is_binary(kind) or pa.types.is_struct(kind) else 8 * MAX_BYTES  # pixels as doubles
    batches, size = [], 0
    for batch in stored.iter_batches(_BATCH, columns=columns):
        size += batch.nbytes
        if size > most:
            raise UserError(f"{file} is too large: its rows have more than {most} bytes")
        batches.append(batch.select(columns))
    return pa.Table.from_batches(batches, schema)


def _column(there: list[str], names: tuple[str, ...], file: Path) -> str:
    found = next((name for name in names if name in there), None)
    if found is None:
        raise UserError(
            f"{file} has the columns {', '.join(there)}, but none called {', '.join(names[:-1])} or "
            f"{names[-1]}: rename one"
        )
    if there.count(found) > 1:
        raise UserError(f"{file} has {there.count(found)} columns called {found}: rename all but one")
    return found


def _class_names(files: list[Path]) -> list[str]:
    """The names of the classes in order, if labels are texts; else none."""
    labels = [_plain(_table(file, "label")["label"]) for file in files]
    if not all(pa.types.is_string(y.type) or pa.types.is_large_string(y.type) for y in labels):
        return []
    return sorted({str(name) for y in labels for name in y.unique().to_pylist()})


def _names_of_the_hub(file: Path) -> list[str]:
    """Names of classes 0, 1, ... that the Hugging Face hub stores beside a column of numbers, if any."""
    schema = pq.read_schema(file)
    with contextlib.suppress(KeyError, TypeError, ValueError):  # of other programs, or none
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[_column(schema.names, LABELS, file)]["names"]
        if isinstance(names, list):
            return [str(name) for name in names]
    return []


def _plain(column: Any) -> Any:
    """A column in one piece, its values in place of entries of a dictionary."""
    whole = column.combine_chunks()
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _part(files: list[Path], names: list[str], reading: Reading) -> tuple[Rows, Array]:
    """The rows of some files, of which one at a time is in memory."""
    labels = []

    def columns() -> Iterator[tuple[Path, Any]]:
        for file in files:
            table = _table(file)
            labels.append(_labels(table, names, file))
            yield file, table["features"]

    if _has_pictures(files[0]):
        X = stack(_pictures(columns(), reading))
    else:
        X = as_rows(_together(columns()), reading.shape, f"{files[0]}: the features")
    return X, as_classes(np.concatenate(labels), len(X), f"{files[0]}: the labels")


def _labels(table: pa.Table, names: list[str], file: Path) -> Array:
    column = _plain(table["label"])
    if not names:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    numbers = {name: number for number, name in enumerate(names)}
    values = column.to_pylist()
    unknown = sorted({str(value) for value in values} - set(numbers))
    if unknown:
        raise UserError(f"{file} has the class {unknown[0]!r}, which has no training row")
    return np.array([numbers[value] for value in values])


def _together(columns: Iterator[tuple[Path, Any]]) -> Rows:
    """The numbers of files' columns, as an array (N, ...). Raises UserError if they are not alike."""
    kept, rows = Spool(), 0
    kind = shape = None
    for file, column in columns:
        shown = f"{file}: the features"
        numbers = _numbers(column, shown)
        kind, shape = kind or column.type, shape or numbers.shape[1:]
        if numbers.shape[1:] != shape:
            raise UserError(f"{shown} are {kind} of several lengths")
        if column.type != kind:
            raise UserError(
                f"{shown} are of type {column.type}, those of another file {kind}: write them alike"
            )
        kept.write(numbers)
        rows += len(numbers)
    return kept.rows((rows, *numbers.shape[1:]), numbers.dtype)


def _has_pictures(file: Path) -> bool:
    """Whether the features are pictures, as the first row tells."""
    stored = pq.ParquetFile(file)
    column = _column(stored.schema_arrow.names, FEATURES, file)
    kind = stored.schema_arrow.field(column).type
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    first = next(stored.iter_batches(1, columns=[column]), None) if _is_binary(kind) else None
    return first is not None and (first[column][0].as_py() or b"").startswith(STARTS)


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _pictures(columns: Iterable[tuple[Path, Any]], reading: Reading) -> Iterator[tuple[str, Array]]:
    """Every picture with a name to show."""
    for file, column in columns:
        number = 0
        for first in range(0, len(column), _BATCH):
            for cell in column.slice(first, _BATCH).to_pylist():
                shown = f"{file}, row {number}"
                data = cell.get("bytes") if isinstance(cell, dict) else cell
                if not data or not isinstance(data, bytes):
                    raise UserError(f"{shown} has no bytes of a picture: paths alone are not followed")
                yield shown, decode(io.BytesIO(data), shown, reading)
                number += 1


def _numbers(column: Any, shown: str) -> Array:
    """A column of bytes or of lists, which may be nested, as an array (N, ...)."""
    whole = column.combine_chunks()
    shape = [len(whole)]
    if _is_binary(whole.type):
        return _bytes(whole, shown)
    while pa.types.is_list(whole.type) or pa.types.is_large_list(whole.type) or _is_fixed(whole.type):
        inner = whole.flatten()
        per_row, rest = divmod(len(inner), len(whole)) if len(whole) else (0, 0)
        lengths = whole.value_lengths()
        if rest or lengths.unique().to_pylist() != [per_row]:
            raise UserError(f"{shown} have rows of several lengths: leave out or mend them")
        shape.append(per_row)
        whole = inner
    if len(shape) == 1 or not (pa.types.is_integer(whole.type) or pa.types.is_floating(whole.type)):
        raise UserError(f"{shown} are of type {column.type}; lists of numbers, bytes or pictures are wanted")
    if whole.null_count:
        raise UserError(f"{shown} have {whole.null_count} numbers that are null: leave out or mend them")
    if len(whole) * 8 > 8 * MAX_BYTES:
        raise UserError(f"{shown} are too large: {len(whole)} numbers, more than {MAX_BYTES}")
    return np.asarray(whole.to_numpy(zero_copy_only=False)).reshape(shape)


def _is_fixed(kind: Any) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


def _bytes(column: Any, shown: str) -> Array:
    rows = [np.frombuffer(cell, np.uint8) for cell in column.to_pylist()]
    if len({len(row) for row in rows}) > 1:
        raise UserError(f"{shown} have rows of several lengths: leave out or mend them")
    return np.stack(rows)


FORMAT = Format("Parquet", fits, read, ("resize", "grey", "shape"))
