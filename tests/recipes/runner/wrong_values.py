"""Wrong values and structures for the files of a run directory: each a file and what stands in it instead."""

import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    3,
    7.8,
    -0.1,
    1e308,
    10**400,
    2**63,
    "",
    "x",
    "0.5",
    "../../etc/passwd",
    "\x1b[31m\n",
    "<script>alert(1)</script>",
    [],
    [1],
    {},
    {"a": [1]},
)
TEXTS = (
    "",
    "null",
    "[]",
    "{}",
    "3",
    '"a"',
    "[[",
    "{" * 3000,
    "[" * 3000,
    '{"a": 1, "a": 2}',
    "NaN",
    "\x00",
    "\ufeff[]",
)
YAML = ("", "3", "[]", "a: [", "name: 3", "name: [a]", "!!python/object:os.system {}", "a: &a [*a]", "name: {a: b}")
COLUMNS: dict[str, tuple[Any, ...]] = {
    "id": (None, "", "same", "\x1b[31m"),
    "score": (None, -1.0, 1.5, float("nan"), float("inf"), 0.25),
    "cluster": ("",),
    "answer": (None, ""),
    "picked": (None, ""),
    "margin": (None, -1.0, float("nan"), float("inf"), 1e308),
    "loglikelihoods": (None, [], [0.0], [None, None], [float("nan"), 0.0], [float("-inf"), 0.0], [1e308, -1e308]),
    "option_tokens": (None, [], [1], [-1, 1], [None, 1], [2**62, 2**62]),
    "answer_index": (None, -1, 2, 2**62),
    "text": (None, "\x1b[31m"),
}


@dataclass(frozen=True)
class Case:
    """A file of the directory, and its content instead."""

    path: Path
    content: bytes
    what: str


def cases(root: Path, *, values: int = 300) -> Iterator[Case]:
    """Every case for the first cell of a directory and for its other files; `values` of them change one JSON value."""
    cell = min(each.parent for each in (root / "cells").rglob("measurement.json"))
    failure = min((root / "failures").rglob("*.json"))
    documents = [cell / "measurement.json", cell / "training.json", root / "cells.json", root / "audit.json", failure]
    changes = [
        (path, place, value) for path in documents for place in places(json.loads(path.read_text())) for value in VALUES
    ]
    for path, place, value in random.Random(0).sample(changes, values):
        yield changed(path, place, value)
    for path in documents:
        for text in TEXTS:
            yield Case(path=path, content=text.encode(), what=f"{path.name}: {text[:20]!r}")
    for text in YAML:
        yield Case(path=root / "study.yaml", content=text.encode(), what=f"study.yaml: {text[:20]!r}")
    yield from _outcomes(cell / "outcomes.parquet")


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON value, and to itself."""
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from places(each, (*place, key))


def changed(path: Path, place: tuple[Any, ...], value: Any) -> Case:
    """The case of another value at one place of a JSON file."""
    made = [json.loads(path.read_text())]
    inner: Any = made
    for key in (0, *place)[:-1]:
        inner = inner[key]
    inner[(0, *place)[-1]] = value
    what = f"{path.name}: {'.'.join(map(str, place))} = {str(value)[:20]!r}"
    return Case(path=path, content=json.dumps(made[0]).encode(), what=what)


def _outcomes(path: Path) -> Iterator[Case]:
    table = pyarrow.parquet.read_table(path)
    for number, name in enumerate(table.column_names):
        column, kind = table[name].to_pylist(), table.schema.field(name).type
        for value in COLUMNS[name]:
            for rows in (slice(0, 1), slice(None)):
                new = list(column)
                new[rows] = [value] * len(new[rows])
                made = table.set_column(number, name, pyarrow.array(new, kind))
                yield Case(path=path, content=_parquet(made), what=f"outcomes.parquet: {name} = {value!r}")
        yield Case(path=path, content=_parquet(table.drop_columns([name])), what=f"outcomes.parquet without {name}")
        as_text = table.set_column(number, name, pyarrow.array([str(each) for each in column]))
        if not pyarrow.types.is_string(kind):
            yield Case(path=path, content=_parquet(as_text), what=f"outcomes.parquet: {name} as text")
    yield Case(path=path, content=_parquet(table.slice(0, 0)), what="outcomes.parquet without rows")
    yield Case(path=path, content=_parquet(pyarrow.concat_tables([table, table])), what="outcomes.parquet twice")
    yield Case(path=path, content=path.read_bytes()[:-7], what="outcomes.parquet cut")
    for content in (b"", b"PAR1", b"PAR1PAR1", b"{}"):
        yield Case(path=path, content=content, what=f"outcomes.parquet: {content!r}")


def _parquet(table: pyarrow.Table) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()
