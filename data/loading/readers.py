"""JSONL, CSV and Parquet files -> rows, one at a time, each knowing its place in the file."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from educe.data.errors import UserError

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row as the file has it; `place` says which, for errors: "questions.csv, row 3"."""

    place: str
    fields: Mapping[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a .jsonl, .csv or .parquet file (a folder on disk is not a file), read as they are asked for.

    UserError, in one line with the file and the line or row: unknown extension, broken JSON, text that is not UTF-8,
    rows that do not fit the header, a file without rows.
    """
    check_file(path)
    count = 0
    for row in READERS[path.suffix.lower()](path):
        count += 1
        yield row
    if not count:
        raise UserError(f"{path}: the file holds no rows; give it at least one")


def check_file(path: Path) -> None:
    """UserError where no file is there or its extension is unknown; reads nothing."""
    if path.suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise UserError(f"{path}: unknown extension {path.suffix!r}; use one of {known}, or bigbench:PATH/task.json")
    check_exists(path)


def check_exists(path: Path) -> None:
    """UserError where the path is not a file."""
    if not path.is_file():
        raise UserError(f"{path}: no such file (from {Path.cwd()}); check the path")


def encoding_error(path: Path, position: int) -> UserError:
    """The error for a file in another encoding; `position` is the offending byte's, from 0."""
    return UserError(f"{path}: byte {position} is not UTF-8; save the file as UTF-8")


def _read_jsonl(path: Path) -> Iterator[Row]:
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and line.startswith(_BOM):
                start, line = len(_BOM), line.removeprefix(_BOM)
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise encoding_error(path, start + error.start) from error
            start += len(line)
            if text.strip():
                yield _json_row(f"{path}, line {number}", text)


def _json_row(place: str, text: str) -> Row:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: broken JSON at column {error.pos + 1} ({error.msg}); mend the line") from error
    if not isinstance(fields, dict):
        raise UserError(f"{place}: not a JSON object but {text.strip()[:40]!r}; write one object per line")
    return Row(place=place, fields=fields)


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        number = 0
        try:
            header = next(lines, [])
            _check_header(path, header)
            for cells in lines:
                # csv gives a blank line as no cells at all.
                if not cells:
                    continue
                number += 1
                yield _csv_row(f"{path}, row {number}", header, cells)
        except UnicodeDecodeError as error:
            # The stream decodes in blocks: only the whole file gives the byte's position.
            raise encoding_error(path, _first_bad_byte(path)) from error
        except csv.Error as error:
            raise UserError(f"{path}, row {number + 1}: not readable as CSV ({error}); check its quotes") from error


def _check_header(path: Path, header: list[str]) -> None:
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: the header names column {twice!r} twice; rename one")


def _csv_row(place: str, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise UserError(f"{place}: {len(cells)} fields, but the header has {len(header)}; quote fields with commas")
    return Row(place=place, fields=dict(zip(header, cells, strict=True)))


def _first_bad_byte(path: Path) -> int:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError(f"{path} changed while it was read")


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: not a Parquet file; check how it was written") from error
    with file:
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for fields in batch.to_pylist():
                number += 1
                yield Row(place=f"{path}, row {number}", fields=fields)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
