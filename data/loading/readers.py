"""JSONL, JSON, CSV and Parquet files -> rows, one at a time, each knowing its place in the file."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from educe.data.errors import UserError, reason_of
from educe.data.parquet import open_parquet, text_sizes
from educe.data.untrusted import open_regular, parse_json, read_json, read_text

# A line holds one question. A file of rows may be as long as it is.
MAX_LINE_BYTES = 16 << 20
# Of the texts of a Parquet file, which may hold a text once and name it in each row.
MAX_TEXT_BYTES = 1 << 30
# A question has some tens, with its choices.
MAX_COLUMNS = 2000
# Where a JSON file that is a mapping has its rows.
_LISTS = ("examples", "data", "rows", "questions")
# What has one way of being text: numbers, and dates.
_WRITTEN = (int, float, Decimal, date, time, timedelta)


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
        return None if value is None or value == "" else self.written(str(column), value)

    def written(self, field: str, value: Any) -> str:
        """The value of a field as text. UserError where it is none: a list, a mapping, bytes, NaN."""
        if isinstance(value, str):
            return value
        if isinstance(value, bytes):
            raise self.error(field, f"bytes that are not UTF-8 ({value[:8]!r}); store text")
        if not isinstance(value, _WRITTEN) or (isinstance(value, float) and not math.isfinite(value)):
            shown = value if isinstance(value, float) else f"a {type(value).__name__}"
            raise self.error(field, f"{shown} is not text; name a column with one text or number in each row")
        return str(value)

    def error(self, field: str, problem: str) -> UserError:
        """The error for one field of this row."""
        return UserError(f"{self.place}, field {field!r}: {problem}")

    def require(self, field: str, value: Any) -> Any:
        """The value. UserError where it is missing or blank."""
        if value is None or (isinstance(value, str) and not value.strip()):
            raise self.error(field, "empty or missing; fill it in or drop the row")
        return value


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a .jsonl, .json, .csv or .parquet file; all but .json parsed one at a time.

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
    _check_columns(path, list(first.fields))
    yield first
    yield from rows


def _value(fields: Mapping[str, Any], column: str) -> Any:
    if column in fields or "." not in column:
        return fields.get(column)
    outer, _, inner = column.partition(".")
    nested = fields.get(outer)
    return _value(nested, inner) if isinstance(nested, Mapping) else None


def _read_jsonl(path: Path) -> Iterator[Row]:
    with open_regular(path) as stream:
        start = 0
        for number, data in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), 1):
            place = f"{path}, line {number}"
            if len(data) > MAX_LINE_BYTES:
                raise UserError(f"{place}: over {MAX_LINE_BYTES:,} bytes; write one object per line")
            try:
                line = data.decode().removeprefix("\ufeff" if number == 1 else "")
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: byte {start + error.start} is not UTF-8; save the file as UTF-8") from None
            start += len(data)
            if not line.strip():
                continue
            fields = parse_json(line, source=place, one_line=True)
            if not isinstance(fields, dict):
                raise UserError(f"{place}: not a JSON object but {line.strip()[:40]!r}; write one object per line")
            yield Row(place=place, fields=fields)


def _read_json(path: Path) -> Iterator[Row]:
    """The objects of a list, or of the list in a mapping as BIG-Bench Hard has it: {"examples": [{...}, ...]}."""
    found = read_json(path)
    name = next((name for name in _LISTS if isinstance(found, dict) and isinstance(found.get(name), list)), None)
    objects = found if isinstance(found, list) else None if name is None else found[name]
    if objects is None:
        raise UserError(f"{path}: no list of objects; write [{{...}}, ...] or {{{_LISTS[0]!r}: [{{...}}, ...]}}")
    for number, fields in enumerate(objects, 1):
        place = f"{path}, {'example' if name == 'examples' else 'row'} {number}"
        if not isinstance(fields, dict):
            raise UserError(f"{place}: not an object but {str(fields)[:40]!r}; write {{...}} for each row")
        if "target_scores" in fields:
            raise UserError(f"{path}: a task of BIG-bench; write bigbench:{path}")
        yield Row(place=place, fields=fields)


def _read_csv(path: Path) -> Iterator[Row]:
    # A blank line comes as no cells at all.
    rows = filter(None, csv.reader(io.StringIO(read_text(path), newline=""), strict=True))
    number = 0
    try:
        header = next(rows, [])
        _check_columns(path, header)
        _check_separator(path, header)
        for number, cells in enumerate(rows, 1):
            place = f"{path}, row {number}"
            if len(cells) != len(header):
                problem = f"{len(cells)} fields, but the header has {len(header)}; quote fields with commas"
                raise UserError(f"{place}: {problem}")
            yield Row(place=place, fields=dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise UserError(f"{path}, row {number + 1}: not readable as CSV ({error}); check its quotes") from error


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow  # deferred: it takes longer than all of the catalog, and few tasks need it

    done = unpacked = 0
    try:
        with open_parquet(path) as (file, schema):
            _check_columns(path, schema.names)
            has_bytes = any("binary" in str(field.type) for field in schema)
            for batch in file.iter_batches(batch_size=1024):
                sizes = [size for column in batch.columns for size in text_sizes(column)]
                if (longest := max(sizes, default=(0, 0))[0]) > MAX_LINE_BYTES:
                    problem = f"a text of {longest:,} bytes, over {MAX_LINE_BYTES:,}; cut it"
                    raise UserError(f"{path}, after row {done}: {problem}")
                if (unpacked := unpacked + sum(total for _, total in sizes)) > MAX_TEXT_BYTES:
                    problem = f"its texts unpack to over {MAX_TEXT_BYTES:,} bytes; split the file"
                    raise UserError(f"{path}, after row {done}: {problem}")
                for number, fields in enumerate(_rows(batch, schema), done + 1):
                    yield Row(place=f"{path}, row {number}", fields=_text(fields) if has_bytes else fields)
                done += len(batch)
    except UserError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, TypeError) as error:
        raise UserError(
            f"{path}, after row {done}: damaged Parquet ({reason_of(error)}); write the file again"
        ) from None


def _check_columns(path: Path, names: Sequence[str]) -> None:
    """UserError where there are too many columns, or two of one name."""
    if len(names) > MAX_COLUMNS:
        raise UserError(f"{path}: {len(names):,} columns, over {MAX_COLUMNS:,}; leave out those that are not needed")
    name, times = next(iter(Counter(names).most_common(1)), ("", 0))
    if times > 1:
        raise UserError(f"{path}: two columns have the name {name!r}; rename one")


def _check_separator(path: Path, header: Sequence[str]) -> None:
    """UserError where a CSV file has one column whose name has what other programs put between columns."""
    if len(header) == 1:
        for mark, name in ((";", "';'"), ("\t", "tabs"), ("|", "'|'")):
            if mark in header[0]:
                raise UserError(f"{path}: its columns are separated by {name}; save it with commas between them")


def _rows(batch: Any, schema: Any) -> list[dict[str, Any]]:
    """The rows of a batch, whose texts may be dictionaries, with the types of the schema.

    Numbers of 16 and 32 bits are those that their shortest text is: 0.1 and not 0.10000000149011612.
    """
    import pyarrow  # deferred, as above

    cells = []
    for column, field in zip(batch.columns, schema, strict=True):
        if field.type in (pyarrow.float16(), pyarrow.float32()):
            cells.append(column.cast(pyarrow.float32()).cast(pyarrow.string()).cast(pyarrow.float64()).to_pylist())
        else:
            cells.append(column.cast(field.type).to_pylist())
    return [dict(zip(schema.names, row, strict=True)) for row in zip(*cells, strict=True)]


def _text(value: Any) -> Any:
    """Bytes as the UTF-8 text that they are; what is not UTF-8 stays, and is refused where it is used."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [_text(each) for each in value]
    return {name: _text(each) for name, each in value.items()} if isinstance(value, dict) else value


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
