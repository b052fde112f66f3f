"""Data sets in Parquet files: rows of numbers, raw bytes, or pictures as the Hugging Face hub has them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from largebatch.data.dataset import Format, Parts, Reading
from largebatch.data.decode import STARTS, decode, stack
from largebatch.data.idx import MAX_BYTES
from largebatch.data.rows import as_classes, as_rows
from largebatch.data.stored import Array, Rows
from largebatch.errors import UserError
from largebatch.terminal.say import Say

FEATURES = ("image", "img", "features", "pixels", "x")  # names of columns; the first that is there counts
LABELS = ("label", "labels", "fine_label", "y", "target")
PARTS = {"test": "test", "val": "validation", "dev": "validation"}  # by the beginning of a file's name
_BATCH = 256  # rows read, or decoded, at a time


def fits(path: Path) -> bool:
    """Whether this is a Parquet file, or a folder that has some."""
    if path.is_dir():
        return next(path.rglob("*.parquet"), None) is not None
    return path.suffix.lower() == ".parquet" and path.is_file()


def read(path: Path, reading: Reading, say: Say) -> Parts:
    """The parts of a file or folder. Files whose names begin with test or val are not for training.

    Raises UserError for missing columns, nulls, and rows that are not all of one kind.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
        part = next((part for start, part in PARTS.items() if file.name.startswith(start)), "train")
        files.setdefault(part if path.is_dir() else "train", []).append(file)
    if "train" not in files:
        raise UserError(f"{path} has no file to train on, only for {' and '.join(files)}")
    try:
        tables = {part: [_table(file) for file in of_part] for part, of_part in files.items()}
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    names = _class_names(tables, say)
    return {part: _part(of_part, names, reading, files[part][0]) for part, of_part in tables.items()}


def _table(file: Path) -> pa.Table:
    """The columns of features and labels, called so."""
    stored = pq.ParquetFile(file)
    there = stored.schema_arrow.names
    features, label = (_column(there, names, file) for names in (FEATURES, LABELS))
    table = _read(stored, [features, label], file).rename_columns(["features", "label"])
    for name, column in (("features", features), ("label", label)):
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


def _class_names(tables: dict[str, list[pa.Table]], say: Say) -> list[str]:
    """The names of the classes in order, if labels are texts; else none."""
    labels = [_plain(table["label"]) for table in tables["train"]]
    if not all(pa.types.is_string(y.type) or pa.types.is_large_string(y.type) for y in labels):
        return []
    names = sorted({str(name) for y in labels for name in y.unique().to_pylist()})
    say(f"{len(names)} classes, numbered from 0: {', '.join(names)}")
    return names


def _plain(column: Any) -> Any:
    """A column in one piece, its values in place of entries of a dictionary."""
    whole = column.combine_chunks()
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _part(tables: list[pa.Table], names: list[str], reading: Reading, file: Path) -> tuple[Rows, Array]:
    X = _features(tables, reading, file)
    y = np.concatenate([_labels(table, names, file) for table in tables])
    return X, as_classes(y, len(X), f"{file}: the labels")


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


def _features(tables: list[pa.Table], reading: Reading, file: Path) -> Rows:
    kind = tables[0]["features"].type
    shown = f"{file}: the features"
    if _has_pictures(tables[0]["features"]):
        return stack(_pictures(tables, reading, file))
    arrays = [_numbers(table["features"], shown) for table in tables]
    if len({array.shape[1:] for array in arrays}) > 1:
        raise UserError(f"{shown} are {kind} of several lengths")
    if len({table["features"].type for table in tables}) > 1:
        raise UserError(f"{shown} are of type {kind}, those of another file are not: write them alike")
    return as_rows(np.concatenate(arrays), reading.shape, shown)


def _has_pictures(column: Any) -> bool:
    kind = column.type
    if pa.types.is_struct(kind):
        return True
    return _is_binary(kind) and column[0].as_py().startswith(STARTS)


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _pictures(tables: list[pa.Table], reading: Reading, file: Path) -> Iterator[tuple[str, Array]]:
    """Every picture with a name to show."""
    number = 0
    for table in tables:
        for batch in table.to_batches(max_chunksize=_BATCH):
            for cell in batch.column("features").to_pylist():
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
