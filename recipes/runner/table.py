"""results.parquet: the rows of a run directory as one table, so that a study of 100,000 cells opens in seconds.

It is written with the report, sealed, and holds for as long as the files that its rows come from have the sizes and
times that they had then. Otherwise results are read one by one, each with all of its files against their checksums.
"""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
from pyarrow import parquet

from educe.data.display import visible
from educe.data.errors import UserError
from educe.data.parquet import open_parquet, text_sizes
from educe.eval.analysis.formatting import format_count
from educe.eval.report.csv_text import csv_text
from educe.eval.report.result_columns import RESULT_COLUMNS
from educe.recipes.runner.corruption import report_corruption
from educe.recipes.runner.sealed_files import SealedFiles
from educe.recipes.runner.stamps import stamp_of_files, stamp_of_rows

if TYPE_CHECKING:  # what a table spares its readers is to read results, and to import what does
    from educe.recipes.runner.store import Store

TABLE = "results.parquet"
Form = Literal["csv", "json"]
# One more column than a reader is shown: where the files of the cell are.
_FOLDER = "folder"
Stamps = Mapping[bytes, bytes]
_ROWS, _FILES = b"educe.stamp_of_rows", b"educe.stamp_of_files"
_TEXTS = ("study", "model", "task", "recipe", "metric", "interval", "kind", "capability", "estimand", "error")
_COUNTS = ("examples", "seed", "n", "trainable_parameters", "labelled_examples")
_TYPES = {**dict.fromkeys(_TEXTS, pa.string()), **dict.fromkeys(_COUNTS, pa.int64()), "hides": pa.bool_()}
_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in RESULT_COLUMNS])
_MAX_LINES, _MAX_BYTES = 20, 1 << 30


def write_table(sealed: SealedFiles, rows: Sequence[Mapping[str, Any]], folders: Sequence[str], stamps: Stamps) -> None:
    """Write the table of rows, each with its cell's folder, whose files had these stamps before they were read.

    OSError where the directory cannot be written.
    """
    table = table_of(rows).append_column(_FOLDER, pa.array(folders, pa.string()))
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(stamps), file, compression="zstd")
    sealed.write({TABLE: file.getvalue()})


def delete_table(sealed: SealedFiles) -> None:
    """Keep none: results are corrupt, which has to be said each time, or have changed since they were read."""
    sealed.write({TABLE: None})


def stamps_of(root: Path, folders: Sequence[str]) -> Stamps:
    """The stamps of the files of cells: of what rows come from, and of all."""
    return {_ROWS: stamp_of_rows(root, folders), _FILES: stamp_of_files(root, folders)}


def find_table(root: Path) -> pa.Table | None:
    """The rows, or None where the table is missing, damaged, or not of the files as they are.

    Corrupt where the directory has a symbolic link.
    """
    found = _find(root)
    if found is None or (found.schema.metadata or {}).get(_ROWS) != stamp_of_rows(root, found[_FOLDER].to_pylist()):
        return None
    return found.drop_columns([_FOLDER])


def num_finished(root: Path) -> int:
    """How many cells a study has where all have a result, no file of theirs has changed and a report is there; or 0."""
    found = _find(root)
    if found is None or found["score"].null_count or not (root / "report.html").exists():
        return 0
    return len(found) if found.schema.metadata == stamps_of(root, found[_FOLDER].to_pylist()) else 0


def _find(root: Path) -> pa.Table | None:
    sealed = SealedFiles(root)
    sealed.refuse_links()
    try:
        return None if sealed.read_data(TABLE) is None else _read(root / TABLE)
    except (UserError, ValueError, OSError, pa.ArrowException):  # the run directory is read without it
        return None


def _read(path: Path) -> pa.Table | None:
    """A table with these columns whose texts fit the memory."""
    with open_parquet(path, links=False) as (file, schema):
        if schema.names != [*RESULT_COLUMNS, _FOLDER]:
            return None
        table = file.read()
    chunks = [chunk for column in table.columns for chunk in column.chunks]
    if sum(total for chunk in chunks for _, total in text_sizes(chunk)) > _MAX_BYTES:
        return None
    return table.cast(schema)


def check_table(store: "Store") -> None:
    """Corrupt where the table is missing that was sealed, or is another. It is written again with the report."""
    with report_corruption(store.root / TABLE):
        store.sealed.read_data(TABLE)


def warn_left_out(folder: Path, *, cells: int, corrupt: Sequence[str], others: int) -> int:
    """Say on standard error how many cells have no score, and why for those that are corrupt; 1 where there are any."""
    of = f"of {format_count(cells, 'cell')}"
    for line in corrupt[:_MAX_LINES]:
        print(f"educe: {visible(line)}", file=sys.stderr)
    if corrupt:
        print(f"educe: left out: {len(corrupt)} {of}, corrupt", file=sys.stderr)
    if others:
        lost = folder.exists() and not (folder / "cells").exists()
        why = f": {folder} has no folder cells/" if lost else ""
        print(f"educe: left out: {others} {of}, without a score{why}", file=sys.stderr)
    return 1 if corrupt else 0


def text_of(table: pa.Table, form: Form) -> str:
    """The rows as csv, or as json with a row on each line."""
    if form == "csv":
        return csv_text(table.column_names, _rows(table))
    return "[\n" + ",\n".join(map(json.dumps, _rows(table))) + "\n]"


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    columns = (_values(table[name]) for name in table.column_names)
    return (dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(column: pa.ChunkedArray) -> Sequence[Any]:
    """The values of a column; far faster than arrow's own where none is missing, or where texts repeat."""
    if pa.types.is_string(column.type):
        coded = column.combine_chunks().dictionary_encode()
        known = [*coded.dictionary.to_pylist(), None]
        return [known[place] for place in coded.indices.fill_null(len(known) - 1).to_numpy().tolist()]
    found: Sequence[Any] = column.to_pylist() if column.null_count else column.to_numpy().tolist()
    return found


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with the columns RESULT_COLUMNS."""
    return pa.table({name: [row[name] for row in rows] for name in RESULT_COLUMNS}, schema=_SCHEMA)
