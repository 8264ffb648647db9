"""results.parquet: the rows of a run directory as one table, so that a study of 100,000 cells opens in seconds.

It is written with the report, sealed, and holds for as long as the files that its rows come from have the sizes and
times that they had then. Otherwise results are read one by one, each with all of its files against their checksums.
"""

import hashlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath
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

if TYPE_CHECKING:  # what a table spares its readers is to read results, and to import what does
    from educe.recipes.runner.store import Store

TABLE = "results.parquet"
Form = Literal["csv", "json"]
# One more column than a reader is shown: where the files of the cell are.
_FOLDER, _STAMP = "folder", b"educe.stamp"
_MAX_LINES, _MAX_BYTES = 20, 1 << 30
_OF_RUN = ("cells.json", "study.yaml", "audit.json")
_OF_RESULT = ("", "measurement.json", "outcomes.parquet")  # the folder's own time says what came, went or was replaced


def write_table(
    sealed: SealedFiles, rows: Sequence[Mapping[str, Any]], measured: Sequence[str], missing: Sequence[str]
) -> None:
    """Write the table of rows that have just been read: of measured cells and then of missing ones, by their folders.

    OSError where the directory cannot be written.
    """
    table = table_of(rows).append_column(_FOLDER, pa.array([*measured, *missing], pa.string()))
    file = io.BytesIO()
    stamp = {_STAMP: _stamp(sealed.root, measured, missing)}
    parquet.write_table(table.replace_schema_metadata(stamp), file, compression="zstd")
    sealed.write({TABLE: file.getvalue()})


def delete_table(sealed: SealedFiles) -> None:
    """Keep none, where results are corrupt: these have to be named each time."""
    sealed.write({TABLE: None})


def find_table(root: Path) -> pa.Table | None:
    """The rows, or None where the table is missing, damaged, of another version or not of the files as they are.

    Corrupt where the directory has a symbolic link.
    """
    sealed = SealedFiles(root)
    sealed.refuse_links()
    try:
        table = None if sealed.read_data(TABLE) is None else _read(root / TABLE)
    except (UserError, ValueError, OSError, pa.ArrowException):  # the run directory is read without it
        return None
    if table is None:
        return None
    folders, scored = table[_FOLDER].to_pylist(), table["score"].is_valid().to_pylist()
    measured = [folder for folder, each in zip(folders, scored, strict=True) if each]
    missing = [folder for folder, each in zip(folders, scored, strict=True) if not each]
    if (table.schema.metadata or {}).get(_STAMP) != _stamp(root, measured, missing):
        return None
    return table.drop_columns([_FOLDER])


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


def num_finished(root: Path) -> int:
    """How many cells a study has where all have a result and a report was made of them; else 0."""
    table = find_table(root)
    if table is None or table["score"].null_count or not (root / "report.html").exists():
        return 0
    return len(table)


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
    return pa.table({name: [row[name] for row in rows] for name in RESULT_COLUMNS})


def _stamp(root: Path, measured: Sequence[str], missing: Sequence[str]) -> bytes:
    """What changes when a file does that the rows come from, or this package."""
    above = dict.fromkeys(str(parent) for folder in measured for parent in list(PurePosixPath(folder).parents)[:-1])
    files = [os.path.join(root, "cells", folder, name) for folder in measured for name in _OF_RESULT]
    for folder in missing:
        files += [os.path.join(root, "cells", folder), os.path.join(root, "failures", f"{folder}.json")]
    digest = hashlib.sha256(version("educe").encode())
    for path in (*map(partial(os.path.join, root), _OF_RUN), *files):
        digest.update(_state(path))
    for folder in above:  # others may come and go there
        digest.update(b"link" if os.path.islink(os.path.join(root, "cells", folder)) else b"folder")
    return digest.hexdigest().encode()


def _state(path: str) -> bytes:
    try:
        found = os.lstat(path)
    except OSError:
        return b"-;"
    return b"%d %d %d;" % (found.st_mode, found.st_size, found.st_mtime_ns)
