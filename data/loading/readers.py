"""JSONL, CSV and Parquet files -> rows, one at a time, each knowing its place in the file."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from educe.data.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row as the file has it; `place` says which, for errors: "questions.csv, row 3"."""

    place: str
    fields: Mapping[str, Any]

    def value(self, column: str | None) -> Any:
        """What the row holds in a column, a dot reaching into a nested one; None where it has no such column."""
        return None if column is None else _value(self.fields, column)

    def text(self, column: str | None) -> str | None:
        """The value as text; None where there is none."""
        value = self.value(column)
        return None if value is None or value == "" else str(value)

    def error(self, field: str, problem: str) -> UserError:
        """The error for one field of this row."""
        return UserError(f"{self.place}, field {field!r}: {problem}")

    def require(self, field: str, value: Any) -> Any:
        """The value. UserError where it is missing or blank."""
        if value is None or not str(value).strip():
            raise self.error(field, "empty or missing; fill it in or drop the row")
        return value


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a .jsonl, .csv or .parquet file, parsed one at a time.

    UserError, in one line with the file and the line or row: unknown extension, broken JSON, text that is not UTF-8,
    rows that do not fit the header, a file without rows.
    """
    if path.suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise UserError(f"{path}: unknown extension {path.suffix!r}; use one of {known}, or bigbench:PATH/task.json")
    rows = READERS[path.suffix.lower()](path)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path}: the file holds no rows; give it at least one")
    yield first
    yield from rows


def read_text(path: Path) -> str:
    """The text of a UTF-8 file without its byte order mark. UserError names the first wrong byte, counted from 0."""
    _check_exists(path)
    try:
        return path.read_bytes().decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"{path}: no such file (from {Path.cwd()}); check the path")


def _value(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields or "." not in column:
        return fields.get(column)
    outer, _, inner = column.partition(".")
    nested = fields.get(outer)
    return _value(nested, inner) if isinstance(nested, Mapping) else None


def _read_jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(io.StringIO(read_text(path), newline="\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{place}: broken JSON at column {error.pos + 1} ({error.msg}); fix the line") from error
        if not isinstance(fields, dict):
            raise UserError(f"{place}: not a JSON object but {line.strip()[:40]!r}; write one object per line")
        yield Row(place=place, fields=fields)


def _read_csv(path: Path) -> Iterator[Row]:
    # A blank line comes as no cells at all.
    rows = filter(None, csv.reader(io.StringIO(read_text(path), newline=""), strict=True))
    number = 0
    try:
        header = next(rows, [])
        for name in header:
            if header.count(name) > 1:
                raise UserError(f"{path}: the header names column {name!r} twice; rename one")
        for number, cells in enumerate(rows, 1):
            place = f"{path}, row {number}"
            if len(cells) != len(header):
                problem = f"{len(cells)} fields, but the header has {len(header)}; quote fields with commas"
                raise UserError(f"{place}: {problem}")
            yield Row(place=place, fields=dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise UserError(f"{path}, row {number + 1}: not readable as CSV ({error}); check its quotes") from error


def _read_parquet(path: Path) -> Iterator[Row]:
    # Deferred: it takes longer to import than all of the catalog, and few tasks need it.
    import pyarrow
    from pyarrow.parquet import ParquetFile

    _check_exists(path)
    try:
        file = ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: not a Parquet file; check how it was written") from error
    with file:
        rows = (fields for batch in file.iter_batches(batch_size=1024) for fields in batch.to_pylist())
        for number, fields in enumerate(rows, 1):
            yield Row(place=f"{path}, row {number}", fields=fields)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
