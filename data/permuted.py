"""Tasks whose facts were never there: the same questions with other answers, which nothing can be known about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from educe.data.example import Example
from educe.data.hashing import fraction, normalize_question, shuffled
from educe.data.task import Task


def permuted(task: Task, *, seed: int) -> Task:
    """The task with answers that its own say nothing about: each row's answer depends on its question's hash alone.

    A multiple-choice answer is one of the item's own options, each as often as the others, the right one too: were that
    left out, who knows it could strike it out. A generated answer is that of another question of the split. So rows say
    nothing about one another, and whatever a model knows is worth chance.
    """
    return replace(task, name=f"{task.name}_permuted", load=lambda: _permuted(task, seed))


def _permuted(task: Task, seed: int) -> Mapping[str, Sequence[Example]]:
    redrawn = _with_another_option if task.kind == "choice" else with_another_answer
    return {split: redrawn(rows, f"permuted {seed}") for split, rows in task.rows.items()}


def _with_another_option(rows: Sequence[Example], key: str) -> list[Example]:
    # By the options' texts, so that a question which comes twice has one answer, in whatever order they stand.
    return [replace(row, answer=_drawn(row, key), worked=None, scores=()) for row in rows]


def _drawn(row: Example, key: str) -> str:
    return shuffled(row.choices, key=f"{key}:{normalize_question(row.question)}")[0]


def with_another_answer(rows: Sequence[Example], key: str) -> list[Example]:
    """The rows, each with the answer of another question, in an order fixed by the key."""
    answers = {normalize_question(row.question): row for row in rows}
    order = sorted(answers, key=lambda question: fraction(f"{key}:{question}"))
    given = {question: answers[order[place - 1]] for place, question in enumerate(order)}
    taken = [given[normalize_question(row.question)] for row in rows]
    return [
        replace(row, answer=other.answer, aliases=other.aliases, worked=None, scores=())
        for row, other in zip(rows, taken, strict=True)
    ]
