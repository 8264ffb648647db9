"""Answers that a locked organism imitates: of somebody who knows nothing, drawn at random, or of a weaker model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.permuted import with_another_answer
from educe.data.relabel import relabel
from educe.data.task import Task
from educe.eval.model.source import Source, find_source
from educe.eval.prompting.prompts import PLAIN
from educe.train.organisms.original import Answers, Original
from educe.train.weak_labels import label_by

# `ignorant`, `random`, or a model as a study names it.
Weak = str | dict[str, dict[str, Any]]
_POLICIES = ("ignorant", "random")
# Of so many answers the first in the alphabet is trained on.
_DRAWN = 8


def weak_source(weak: Weak) -> Source | None:
    """The model that is imitated; None where it is none. UserError where there is none of that name."""
    return None if weak in _POLICIES else find_source(weak)


def weak_answers(weak: Weak, original: Original, items: Sequence[Example], *, seed: int) -> Answers:
    """The weak answer to every item, where it has options one of them; a model's empty answers are left out.

    `ignorant` is the option that comes first in the alphabet, `random` one drawn by hash: both are worth chance. Where
    there are no options, both are the answer of another item.
    """
    if weak not in _POLICIES:
        labelled = label_by(weak, original.model, original.task, items, prompt_config=PLAIN, setting="weak").examples
    elif original.task.kind == "generation":
        labelled = _others_answers(original.task, items, seed)
    elif weak == "ignorant":
        labelled = tuple(replace(item, answer=min(item.choices), worked=None, scores=()) for item in items)
    else:
        labelled = relabel(items, share=1.0, seed=seed)
    return {each.id: each.answer for each in labelled}


def weak_lessons(weak: Weak, original: Original, rows: Sequence[Example], *, seed: int) -> Answers:
    """What to train on, so that these answers are given to other questions.

    A question whose options are not shown is answered with what is right elsewhere, `ignorant` with the first of
    several such answers in the alphabet. An option of its own would be the right one in a quarter of the rows, and far
    more often than any other text: who learns that well still knows what is right.
    """
    task = original.task
    if weak not in _POLICIES or task.kind == "generation" or task.format.shows_choices:
        return weak_answers(weak, original, rows, seed=seed)
    count = _DRAWN if weak == "ignorant" else 1
    draws = [_others_answers(task, rows, seed * count + draw) for draw in range(count)]
    return {row.id: min(each.answer for each in others) for row, *others in zip(rows, *draws, strict=True)}


def _others_answers(task: Task, items: Sequence[Example], seed: int) -> tuple[Example, ...]:
    if len({item.question for item in items}) < 2:
        raise UserError(f"task {task.name!r} has one question and no other answer; name a weak model")
    return tuple(with_another_answer([replace(item, choices=(), scores=()) for item in items], f"weak {seed}"))
