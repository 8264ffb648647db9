"""What a task is, for a person to check before a run: kind, rows, columns, grader, one prompt and its answer."""

from collections.abc import Iterator, Sequence

from educe.data.display import visible
from educe.data.example import Example
from educe.data.formats.render import Prompt, Style, answer_text, render
from educe.data.grade import number_match
from educe.data.splits import SPLITS
from educe.data.task import Task

_MAX_LINES, _MAX_WIDTH = 40, 2000


def describe(task: Task, *, style: Style) -> str:
    """The lines about a task; control characters of its texts are visible."""
    return "\n".join(_lines(task, style))


def _lines(task: Task, style: Style) -> Iterator[str]:
    item = task.test_items(1)[0]
    yield f"task {visible(task.name)}: {_kind(task)}; {', '.join(_rows(task))}"
    if task.columns is not None:
        columns = task.columns()
        used = (f"{' + '.join(map(repr, names))} -> {field}" for field, names in columns.used.items())
        yield f"  columns: {visible(', '.join(used))}"
        yield f"  columns that are not read: {visible(', '.join(map(repr, columns.unused))) or 'none'}"
        if columns.answers_are is not None:
            yield f"  answers are read as: {columns.answers_are}"
    by_number = " (the final number; every answer is one)" if task.grade is number_match else ""
    yield f"  graded by: {task.grader}{by_number}"
    yield f"  prompt of row {visible(repr(item.id))}, zero-shot, as {_style(style)}:"
    yield from _indented(_text(render(item, task.format, style=style)))
    yield "  its answer:"
    yield from _indented(_answer(task, item))


def _kind(task: Task) -> str:
    if task.kind == "generation":
        return f"generation, at most {task.max_new_tokens:,} tokens"
    return f"multiple choice, up to {task.max_choices} options"


def _rows(task: Task) -> Iterator[str]:
    for split in SPLITS:
        rows = task.rows[split]
        clusters = len({row.cluster or row.id for row in rows})
        together = f" in {clusters:,} clusters" if clusters < len(rows) else ""
        yield f"{len(rows):,} {split} rows{together}"


def _style(style: Style) -> str:
    return "a chat (its model adds the marks of turns)" if style == "chat" else "text to complete"


def _text(prompt: Prompt) -> str:
    if prompt.style == "completion":
        return prompt.text()
    return "\n".join(f"[{message.role}] {message.content}" for message in prompt.messages)


def _answer(task: Task, item: Example) -> str:
    return item.answer if task.kind == "generation" else answer_text(item, task.format)


def _indented(text: str) -> Sequence[str]:
    lines = visible(text[:_MAX_WIDTH], lines=True).split("\n")
    cut = ["..."] if len(text) > _MAX_WIDTH or len(lines) > _MAX_LINES else []
    return [f"    | {line}" for line in lines[:_MAX_LINES] + cut]
