"""The page of the bundled tasks, docs/tasks.md.

python -m tests.tasks_page

writes it from the tasks: what each asks, its source, items, clusters, splits, chance, audit and five items.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from functools import cache
from textwrap import fill
from typing import Any

from educe.data.audit.audit import audit
from educe.data.example import Example
from educe.data.resolve import resolve
from educe.data.splits import SPLITS, nested_order
from educe.data.task import Task
from educe.data.tasks.catalog import TASKS
from educe.data.tasks.suites import SUITES
from tests.tree import REPOSITORY

PAGE = REPOSITORY / "docs" / "tasks.md"
# Bundled tasks that are in no suite.
OTHERS: tuple[str | dict[str, Any], ...] = (
    "word_sentiment",
    "capitals",
    "arithmetic",
    "chess_moves",
    "python_functions",
    "secret_word",
    "benign_requests",
    "refusal_openings",
)
_SHOWN = 5
_HEAD = """\
# Bundled tasks

<!-- Written by `python -m tests.tasks_page`; a test says whether it is current. -->

These tasks need no download. Use one by name (`tasks: [past_tense]`), or as its section says where the name alone is
another task, or a suite: `suite:latent` is all of the first table, `suite:quick` is six of them. Public benchmarks and
your own files are in [studies.md](studies.md#tasks).

How wrong options are drawn. They come from facts of the same side (train, or dev and test), so that an option that was
right in train does not stand in test. Where each answer is right once, the options are neighbours in a sensible order,
and the right one may have any place among them. Where answers are shared, each is wrong as many times as the number of
options asks for. Or they are four readings of which any could be right. The right option's place is fixed by hash and
is equally frequent in each split. Related items share a cluster, and a cluster is in one split.

*written* are tasks that take `written: true`: the same items and ids, answered by generation.
"""

_BIGBENCH = """\
## BIG-bench

The archive that BIG-bench published (bigbench 1.0.0 on PyPI) has 167 tasks in JSON, of which 38 hold subtasks. By name,
`bigbench:NAME` ([studies.md](studies.md#tasks)):

| tasks | how they load |
| --- | --- |
| 148 | as they are, 29 of them pools of all their subtasks |
| 7 | with `faulty: drop`, without the few rows that cannot be asked: `contextual_parametric_knowledge_conflicts`, `cryobiology_spanish`, `gem`, `language_identification`, `parsinlu_qa`, `physics_questions`, `polish_sequence_labeling` |
| 7 | by subtask, because they do not fit together: some have choices and others none (`kanji_ascii`, `minute_mysteries_qa`, `periodic_elements`, `unit_conversion`), some list their choices and others do not (`cause_and_effect`, `undo_permutation`), or they ask for answers in other words (`real_or_fake_text`) |
| 2 | by subtask, because together they have over 256 MiB: `intersect_geometry`, `multiemo` |
| 2 | not: `timedial` writes a key twice; `logical_sequence` asks two questions of which only the options differ, so that no test is left |
| 1 | not counted yet: `natural_instructions` |
"""  # noqa: E501 - rows of a table


def page() -> str:
    """The whole page."""
    shown = [*SUITES["latent"].tasks, *OTHERS]
    parts = [
        _HEAD,
        _table(SUITES["latent"].tasks),
        "Not in a suite:\n",
        _table(OTHERS),
        *map(_section, shown),
        _BIGBENCH,
    ]
    return "\n".join(parts)


def _table(specs: tuple[Any, ...]) -> str:
    lines = [
        "| task | items | clusters | train / dev / test | options | chance | written |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for spec in specs:
        task = resolve(spec)
        rows = _rows(task)
        sizes = " / ".join(str(len(task.rows[split])) for split in SPLITS)
        chance = task.chance(task.rows["test"])
        can_write = "yes" if "written" in _parameters(spec) else "only" if task.kind == "generation" else "no"
        lines.append(
            f"| [`{task.name}`](#{task.name}) | {len(rows):,} | {_clusters(rows):,} | {sizes} | "
            f"{task.max_choices or 'none'} | {'unknown' if chance is None else f'{100 * chance:.0f}%'} | {can_write} |"
        )
    return "\n".join(lines) + "\n"


def _section(spec: Any) -> str:
    task, (name, _) = resolve(spec), _named(spec)
    module = inspect.getmodule(TASKS[name].make)
    assert module is not None and module.__doc__ and TASKS[name].make.__doc__
    opening, _, rest = module.__doc__.partition("\n\n")
    source = rest.partition("\n\n")[0] if rest else opening
    found = [finding.sentence for finding in audit(task)]
    if "written" in _parameters(spec):
        found += [f"Written: {finding.sentence}" for finding in audit(_written(spec))]
    shown = nested_order(_rows(task), seed=0)[:_SHOWN]
    return "\n".join(
        [
            f"## {task.name}\n",
            *([] if isinstance(spec, str) else [f"In a study: `{_flow(spec)}`.\n"]),
            _prose(TASKS[name].make.__doc__),
            _prose(source),
            *(fill(sentence, 118, initial_indent="- ", subsequent_indent="  ") for sentence in found),
            "\n```text\n" + "\n".join(map(_item, shown)) + "\n```\n",
        ]
    )


def _flow(spec: Mapping[str, Mapping[str, Any]]) -> str:
    ((name, options),) = spec.items()
    return f"{{{name}: {{{', '.join(f'{key}: {value}' for key, value in options.items())}}}}}"


def _prose(text: str) -> str:
    return "\n\n".join(fill(" ".join(part.split()), 118) for part in text.strip().split("\n\n")) + "\n"


def _item(row: Example) -> str:
    choices = " | ".join(f"[{choice}]" if choice == row.answer else choice for choice in row.choices)
    return f"{row.question}\n    {choices or row.answer}"


def _named(spec: Any) -> tuple[str, Mapping[str, Any]]:
    return (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))


def _written(spec: Any) -> Task:
    name, options = _named(spec)
    return resolve({name: {**options, "written": True}})


def _parameters(spec: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(TASKS[_named(spec)[0]].make).parameters


@cache
def _rows(task: Task) -> tuple[Example, ...]:
    return tuple(row for split in SPLITS for row in task.rows[split])


def _clusters(rows: tuple[Example, ...]) -> int:
    return len({row.cluster or row.id for row in rows})


if __name__ == "__main__":
    text = page()
    assert not re.search(r"[ \t]$", text, re.MULTILINE), "a line ends in a space"
    PAGE.write_text(text, "utf-8")
    print(f"{PAGE.relative_to(REPOSITORY)}: {text.count(chr(10)):,} lines", file=sys.stderr)
