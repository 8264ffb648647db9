"""A cell's outcomes as a parquet file: one row per test item."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from educe.data.parquet import open_parquet, text_sizes
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

_ALWAYS = ("id", "score", "answer", "loglikelihoods", "option_tokens")

# Above any log-likelihood in nats, margin and number of tokens, and far below where sums overflow.
_MOST = 1e12
# Of all columns in memory: a million items with a thousand characters each.
_MAX_BYTES = 1 << 30


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Every field of Outcome is a column. ValueError where they would be too large to be read back."""
    table = pyarrow.table({name: outcomes.values(name) for name in _SCHEMA.names}, schema=_SCHEMA)
    _check_size(table.nbytes)
    pyarrow.parquet.write_table(table, path)


def read_outcomes(path: Path, shared: dict[Any, Any], *, items: int) -> Outcomes:
    """Read a file of so many items back; `shared` has what earlier cells had, so that equal columns are kept once.

    UserError or ValueError where it is not a file with these columns, or holds another number of items.
    """
    try:
        table = _read_table(path, items)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} cannot be read ({' '.join(str(error).split())})") from None
    for name in _ALWAYS:
        if table[name].null_count:
            raise ValueError(f"outcomes of items without {name}")
    return Outcomes({name: _column(table[name].combine_chunks(), shared) for name in COLUMNS})


def _read_table(path: Path, items: int) -> pyarrow.Table:
    """The columns, checked by size before and after they are read. Texts stay dictionaries, each held once."""
    with open_parquet(path, links=False) as (file, schema):
        metadata = file.metadata
        for name in _SCHEMA.names:
            if name not in schema.names:
                raise ValueError(f"outcomes without a column {name!r}")
        if not pyarrow.schema(map(_plain, schema)).equals(_SCHEMA):
            raise ValueError("outcomes with columns or types that no run writes")
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        if not items == metadata.num_rows == sum(group.num_rows for group in groups):
            raise ValueError(f"it has outcomes of {metadata.num_rows:,} items and a score of {items:,}")
        parts = [group.column(number) for group in groups for number in range(group.num_columns)]
        _check_size(sum(part.total_uncompressed_size + 8 * part.num_values for part in parts))
        table = file.read(use_threads=False)
    table.validate(full=True)
    chunks = [chunk for name in table.column_names for chunk in table[name].chunks]
    _check_size(sum(total for chunk in chunks for _, total in text_sizes(chunk)))
    return table


def _plain(field: pyarrow.Field) -> pyarrow.Field:
    return field.with_type(field.type.value_type) if pyarrow.types.is_dictionary(field.type) else field


def _check_size(size: int) -> None:
    """ValueError where outcomes take more memory than any run's."""
    if size > _MAX_BYTES:
        raise ValueError(f"outcomes of over {_MAX_BYTES:,} bytes, which no run writes")


def check_outcomes(outcomes: Outcomes) -> None:
    """ValueError for a score that is no share, and for numbers of options that are none or do not fit together."""
    wrong = np.flatnonzero(~((outcomes.scores >= 0) & (outcomes.scores <= 1)))
    if len(wrong):
        raise ValueError(
            f"item {outcomes.ids[wrong[0]]!r} has the score {outcomes.scores[wrong[0]]}, not one in [0, 1]"
        )
    if not (np.abs(outcomes.loglikelihoods.values) <= _MOST).all():
        raise ValueError("it has log-likelihoods that are not finite")
    margins = outcomes.margins
    if not (np.isnan(margins) | ((margins >= 0) & (margins <= _MOST))).all():
        raise ValueError("it has margins below 0 or without end")
    tokens, options = outcomes.columns["option_tokens"], outcomes.loglikelihoods.sizes
    assert isinstance(tokens, Ragged)
    if not (tokens.sizes == options).all() or not ((tokens.values >= 0) & (tokens.values <= _MOST)).all():
        raise ValueError("it has other numbers of option tokens than of options")
    places = outcomes.values("answer_index")
    if any(place is not None and not 0 <= place < size for place, size in zip(places, options, strict=True)):
        raise ValueError("it has right answers that are not among the options")


def _column(values: Any, shared: dict[Any, Any]) -> Column:
    if pyarrow.types.is_floating(values.type):
        numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
        return numbers
    if pyarrow.types.is_list(values.type):
        flat, starts = (each.to_numpy(zero_copy_only=False) for each in (values.flatten(), values.offsets))
        return Ragged(values=_once(flat, shared), starts=_once(starts - starts[0], shared))
    # Most texts (ids, answers, options) are in many cells: each is kept once. A whole column of them is kept once, too,
    # under the hash of its bytes, because it takes longer to make Python objects of a thousand items than to read them.
    parts = [values.dictionary, values.indices] if pyarrow.types.is_dictionary(values.type) else [values]
    stored = hashlib.sha256(repr([(str(part.type), part.offset, len(part)) for part in parts]).encode())
    for buffer in (buffer for part in parts for buffer in part.buffers()):
        stored.update(b"-" if buffer is None else b"+" + len(buffer).to_bytes(8) + memoryview(buffer))
    if stored.digest() not in shared:
        known, *places = (part.to_pylist() for part in parts)
        plain = [shared.setdefault(each, each) for each in known]
        shared[stored.digest()] = (
            tuple(None if place is None else plain[place] for place in places[0]) if places else tuple(plain)
        )
    column: Column = shared[stored.digest()]
    return column


def _once(numbers: np.ndarray, shared: dict[Any, Any]) -> np.ndarray:
    """The shared array with these numbers, or this one where there is none."""
    kept: np.ndarray = shared.setdefault((numbers.dtype.str, numbers.tobytes()), numbers)
    return kept
