"""A cell's outcomes as a parquet file: one row per test item."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from educe.eval.measurement import COLUMNS, Column, Outcomes, Ragged

_SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("cluster", pyarrow.string()),
        ("answer", pyarrow.string()),
        ("picked", pyarrow.string()),
        ("margin", pyarrow.float64()),
        ("loglikelihoods", pyarrow.list_(pyarrow.float64())),
        ("option_tokens", pyarrow.list_(pyarrow.int64())),
        ("answer_index", pyarrow.int64()),
        ("text", pyarrow.string()),
    ]
)


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Every field of Outcome is a column."""
    columns = {name: outcomes.values(name) for name in _SCHEMA.names}
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=_SCHEMA), path)


def read_outcomes(path: Path, shared: dict[Any, Any]) -> Outcomes:
    """Read a file back; `shared` has what earlier cells had, so that equal columns are kept in memory once."""
    with pyarrow.parquet.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    present = [name for name in COLUMNS if name in table.column_names]
    return Outcomes({name: _column(table[name].combine_chunks(), shared) for name in present})


def _column(values: Any, shared: dict[Any, Any]) -> Column:
    if pyarrow.types.is_floating(values.type):
        numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
        return numbers
    if pyarrow.types.is_list(values.type):
        flat, starts = (each.to_numpy(zero_copy_only=False) for each in (values.flatten(), values.offsets))
        return Ragged(values=_once(flat, shared), starts=_once(starts - starts[0], shared))
    # Most texts (ids, answers, options) are in many cells: each is kept once. A whole column of them is kept once, too,
    # under the hash of its bytes, because it takes longer to make Python objects of a thousand items than to read them.
    stored = hashlib.sha256(repr((str(values.type), values.offset, len(values))).encode())
    for buffer in values.buffers():
        stored.update(b"-" if buffer is None else b"+" + len(buffer).to_bytes(8) + memoryview(buffer))
    if stored.digest() not in shared:
        plain = values.to_pylist()
        shared[stored.digest()] = tuple(map(shared.setdefault, plain, plain))
    column: Column = shared[stored.digest()]
    return column


def _once(numbers: np.ndarray, shared: dict[Any, Any]) -> np.ndarray:
    """The shared array with these numbers, or this one where there is none."""
    kept: np.ndarray = shared.setdefault((numbers.dtype.str, numbers.tobytes()), numbers)
    return kept
