"""A task as a person writes it -> Task: a name, or `file:`, `bigbench:`, `hub:` with a path, and options.

As in resolve("capitals"), resolve({"arithmetic": {"digits": 3}}) and
resolve({"file:test.csv": {"train": "train.csv", "answer_as": "letter"}}).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_args

from educe.data.format import AnswerAs, Format
from educe.data.loading.own import GROUP, installed_task, own_task
from educe.data.native import check_native, native_of_text
from educe.data.own import installed, is_own
from educe.data.spec import Spec, read_spec
from educe.data.task import NormalizeBy, Task
from educe.data.tasks.catalog import PREFIXES, TASKS
from educe.data.tasks.suites import refuse_suite
from educe.data.validation import check_bool, check_one_of, check_share, check_size, check_text

Check = Callable[[str, Any], None]
TaskSetting = str | dict[str, dict[str, Any] | None]
# Options of every task, beside its own: the fields of its format, its name, and how it is scored.
FORMAT_OPTIONS: dict[str, Check] = {
    **{field.name: check_text for field in fields(Format)},
    "answer_as": partial(check_one_of, known=get_args(AnswerAs)),
    "list_choices": check_bool,
    "answer_space": check_bool,
    "typos": check_share,
}
TASK_OPTIONS: dict[str, Check] = {
    "name": check_text,
    "native": check_native,
    "max_new_tokens": check_size,
    "normalize_by": partial(check_one_of, known=get_args(NormalizeBy)),
}


def resolve(spec: Spec) -> Task:
    """The task that a spec names; its rows are read on first use.

    A name without a prefix is never a file or folder. UserError where the name, an option or its value is unknown
    (with the nearest right one) or a file is missing.
    """
    refuse_suite(spec)
    shared = {**FORMAT_OPTIONS, **TASK_OPTIONS}
    names = {name: entry.make for name, entry in TASKS.items()}
    written_name = next(iter(spec), None) if isinstance(spec, Mapping) else spec
    if isinstance(written_name, str) and written_name not in names:
        names |= _own(written_name)
    name, options, make = read_spec(
        spec,
        what="task",
        example="{arithmetic: {digits: 3}}",
        names=names,
        prefixes={prefix: entry.make for prefix, entry in PREFIXES.items()},
        shared_options=shared,
    )
    task: Task = make(**{option: value for option, value in options.items() if option not in shared})
    for option, value in options.items():
        if option in shared:
            shared[option](option, value)
    form = {option: value for option, value in options.items() if option in FORMAT_OPTIONS}
    changes: dict[str, Any] = {option: value for option, value in options.items() if option in TASK_OPTIONS}
    if "native" in changes:
        changes["native"] = native_of_text(changes["native"])
    written = json.dumps({name: dict(options)}) if options else name
    return replace(task, spec=written, format=replace(task.format, **form), **changes)


def _own(name: str) -> dict[str, Callable[..., Task]]:
    """What makes a task of the user's own file, or what installed packages add; nothing for a name with a prefix."""
    if name.partition(":")[0] in PREFIXES:
        return {}
    if is_own(name):
        return {name: own_task(name)}
    entries = installed(GROUP)
    # Of the others only the names are of use, for a suggestion.
    return {**dict.fromkeys(entries, Task), **({name: installed_task(entries[name])} if name in entries else {})}


def resolve_setting(given: TaskSetting) -> Task:
    """The same for a task that a recipe or an organism names in a setting, where options may be left empty."""
    return resolve(given if isinstance(given, str) else {name: options or {} for name, options in given.items()})
