"""Tasks of the user's own: a function in a Python file, or one that an installed package adds."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.loading.columns import Loaded, to_examples
from educe.data.loading.files import make_task
from educe.data.loading.names import find_columns
from educe.data.loading.readers import Row
from educe.data.own import Own, load_installed, load_own, raising
from educe.data.splits import SPLITS
from educe.data.task import Task

GROUP = "educe.tasks"
_FUNCTION = "not a function; name one that returns a Task, or rows"


def own_task(written: str) -> Callable[..., Task]:
    """What makes the task of FILE.py:FUNCTION; its keyword-only parameters are options. UserError as for `load_own`."""
    own = load_own(written, what="task", noun="function", fits=inspect.isfunction, should=_FUNCTION)
    return _maker(own, what=f"task {written!r}", name=Path(own.where).stem)


def installed_task(entry: EntryPoint) -> Callable[..., Task]:
    """The same for a task that an installed package adds."""
    own = load_installed(entry, what="task", fits=inspect.isfunction, should=_FUNCTION)
    return _maker(own, what=f"task {entry.name!r}", name=entry.name)


def _maker(own: Own, *, what: str, name: str) -> Callable[..., Task]:
    @wraps(own.value)
    def make(**options: Any) -> Task:
        with raising(what, own.where):
            made = own.value(**options)
        task = made if isinstance(made, Task) else _task_of_rows(made, what=what, name=name)
        return replace(task, load=_guarded(task.load, what, own.where), code=own.sha256)

    return make


def _guarded(load: Callable[[], Any], what: str, path: str) -> Callable[[], Any]:
    def guarded() -> Any:
        with raising(what, path):
            return load()

    return guarded


def _task_of_rows(made: Any, *, what: str, name: str) -> Task:
    """A task of rows with the columns that a file has, or of splits with such rows."""
    splits = made if isinstance(made, Mapping) else {"all": made}
    if not set(splits) <= {"all", *SPLITS} or ("all" in splits and len(splits) > 1):
        raise UserError(f"{what} returns {sorted(map(str, splits))}; return train, dev and test, or a list of rows")
    rows = {split: _rows(each, what=what, split=split) for split, each in splits.items()}
    if not any(rows.values()):
        raise UserError(f"{what} returns no rows; return some")
    if isinstance(next(row for each in rows.values() for row in each), Example):
        raise UserError(f"{what} returns examples; return rows as mappings, or a Task of these examples")
    read = {
        split: [_row(row, f"{what}, {split} row {number}") for number, row in enumerate(each, 1)]
        for split, each in rows.items()
    }
    first = next(row for each in read.values() for row in each)
    columns = find_columns({}, first.fields, where=what)

    def load() -> Loaded:
        return to_examples(read, columns)

    return make_task(name=name, load=load, choices=columns.choices is not None, grade=None)


def _row(given: Mapping[str, Any], place: str) -> Row:
    """A row, whose lists may be written as tuples, which no file has."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    return Row(place=place, fields=plain)


def _rows(given: Any, *, what: str, split: str) -> Sequence[Any]:
    """The rows of a split. UserError for what is no list of mappings."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise UserError(f"{what} returns a {type(given).__name__} as {split} rows; return a Task, or a list of rows")
    for number, row in enumerate(given, 1):
        if not isinstance(row, Mapping | Example) or (isinstance(row, Mapping) and not all(map(_is_text, row))):
            raise UserError(f"{what}: {split} row {number} is no mapping of names: {str(row)[:60]!r}; return mappings")
    return given


def _is_text(key: Any) -> bool:
    return isinstance(key, str)
