"""The gate for Parquet files that a stranger may have written: limits, and texts that are held once, as in the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from educe.data.errors import UserError, reason_of
from educe.data.untrusted import open_regular

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

MAX_BYTES, MAX_ROWS = 16 << 30, 100_000_000


@contextmanager
def open_parquet(path: Path, *, links: bool = True) -> Iterator[tuple["ParquetFile", "Schema"]]:
    """A Parquet file, opened for reading, and its columns with the types that they have outside of the file.

    Texts are read as dictionaries: a file can hold a text once and name it in each row, so `text_sizes` is asked before
    they fill memory in each row. UserError where it is not a regular Parquet file or unpacks to too much, and (without
    `links`) for a symbolic link. What fails later, while rows are read, is a `pyarrow.ArrowException` or an OSError.
    """
    # Deferred: it takes longer to import than all of the catalog, and few tasks need it.
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with open_regular(path, links=links) as stream:
        try:
            plain = ParquetFile(stream)
            metadata, schema = plain.metadata, plain.schema_arrow
            sizes = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
            columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
            texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
            file = ParquetFile(stream, metadata=metadata, read_dictionary=texts)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise UserError(f"{path}: not a Parquet file ({reason_of(error)}); check how it was written") from None
        if min(sizes, default=0) < 0 or sum(sizes) > MAX_BYTES or metadata.num_rows > MAX_ROWS:
            raise UserError(f"{path} unpacks to over {MAX_BYTES:,} bytes or {MAX_ROWS:,} rows; split it")
        yield file, schema


def text_sizes(column: Any) -> Iterator[tuple[int, int]]:
    """The bytes of the longest text and of all rows' texts of each dictionary in a column, nested ones included."""
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        lengths = compute.binary_length(column.dictionary).cast("int64")
        yield compute.max(lengths).as_py() or 0, compute.sum(lengths.take(column.indices)).as_py() or 0
    elif types.is_struct(column.type):
        for part in column.flatten():
            yield from text_sizes(part)
    elif types.is_list(column.type) or types.is_large_list(column.type):
        yield from text_sizes(column.values)
