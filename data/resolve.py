"""A task as a person writes it -> Task: a name, or `file:`, `bigbench:`, `hub:` with a path, and options.

As in resolve("capitals"), resolve({"arithmetic": {"digits": 3}}) and
resolve({"file:test.csv": {"train": "train.csv", "answer_as": "letter"}}).
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_args

from educe.data.errors import UserError, did_you_mean
from educe.data.formats.format import AnswerAs, Format
from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.files import file_task
from educe.data.loading.hub import hub_task
from educe.data.task import NormalizeBy, Task
from educe.data.tasks.catalog import TASKS
from educe.data.validation import check_bool, check_one_of, check_share, check_size, check_text

PREFIXES: dict[str, Callable[..., Task]] = {"file": file_task, "bigbench": bigbench_task, "hub": hub_task}
# Options of every task, beside those of its own: what it is called, how it is written down and scored.
FORMAT_OPTIONS = tuple(field.name for field in fields(Format))
TASK_OPTIONS = ("name", "max_new_tokens", "normalize_by")

TaskSpec = str | Mapping[str, Mapping[str, Any]]


def resolve(spec: TaskSpec) -> Task:
    """The task that a spec names; its rows are read on first use.

    A bare word is always a name, never a file or folder that happens to be called so. UserError where the name, an
    option or its value is unknown (with the nearest right one) or a file is missing.
    """
    written, options = _parts(spec)
    make = _maker(written)
    parameters = inspect.signature(make).parameters.items()
    own = [name for name, parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    known = (*own, *TASK_OPTIONS, *FORMAT_OPTIONS)
    for option in options:
        if option not in known:
            raise UserError(f"task {written!r}: unknown option {option!r}; {did_you_mean(str(option), known)}")
    task = make(**{option: value for option, value in options.items() if option in own})
    return _with_options(task, options, spec=json.dumps({written: dict(options)}) if options else written)


def _parts(spec: TaskSpec) -> tuple[str, Mapping[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(
            f"task {spec!r} is neither a name nor a name with options; write e.g. {{arithmetic: {{digits: 3}}}}"
        )
    written, options = next(iter(spec.items()))
    if not isinstance(options, Mapping):
        raise UserError(f"task {written!r}: its options {options!r} are not a mapping; write {{name: value}}")
    return written, options


def _maker(written: str) -> Callable[..., Task]:
    if written in TASKS:
        return TASKS[written].make
    prefix, colon, path = written.partition(":")
    if not colon:
        raise UserError(f"unknown task {written!r}; {did_you_mean(written, TASKS)} (a file is written file:PATH)")
    if prefix not in PREFIXES:
        raise UserError(f"task {written!r}: unknown prefix {prefix!r}; {did_you_mean(prefix, PREFIXES)}")
    if not path:
        raise UserError(f"task {written!r} names no path; write {prefix}:PATH")
    return partial(PREFIXES[prefix], path)


def _with_options(task: Task, options: Mapping[str, Any], *, spec: str) -> Task:
    written = {option: value for option, value in options.items() if option in FORMAT_OPTIONS}
    for option, value in written.items():
        _check_format_option(option, value)
    changes = {option: value for option, value in options.items() if option in TASK_OPTIONS}
    if "name" in changes:
        check_text("name", changes["name"])
    if "max_new_tokens" in changes:
        check_size("max_new_tokens", changes["max_new_tokens"])
    if "normalize_by" in changes:
        check_one_of("normalize_by", changes["normalize_by"], get_args(NormalizeBy))
    return replace(task, spec=spec, format=replace(task.format, **written), **changes)


def _check_format_option(option: str, value: Any) -> None:
    if option == "answer_as":
        check_one_of(option, value, get_args(AnswerAs))
    elif option in ("list_choices", "answer_space"):
        check_bool(option, value)
    elif option == "typos":
        check_share(option, value)
    else:
        check_text(option, value)
