"""Labels from another subject: what a weaker demonstrator would answer, right or wrong (Burns et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.errors import UserError
from data.example import Example
from data.task import Task
from eval.ask import Asking, prompter
from eval.measure import measure
from eval.sharded import require_whole
from eval.spend import Spend
from eval.subject import Subject, load_subject


@dataclass(frozen=True, kw_only=True)
class WeakLabels:
    """Examples as a demonstrator answers them, what that cost, and the share of its answers that is right.

    What it left empty is not among them. The share is for the record and taught to nobody.
    """

    examples: tuple[Example, ...]
    spend: Spend
    right: float


def label_by(
    spec: str | Mapping[str, Any],
    subject: Subject,
    task: Task,
    examples: Sequence[Example],
    *,
    asking: Asking,
) -> WeakLabels:
    """Ask the demonstrator in the way that the subject is asked; it stays loaded beside the subject for the next cells.

    Its answers are search. No label is read to learn from. UserError where it answers nothing.
    """
    require_whole(subject.net, f"labels_from: {spec}")
    demonstrator = _demonstrator(spec, subject)
    answers = measure(demonstrator, task, prompter(demonstrator, task, asking=asking), examples)
    demonstrator.memo.clear()  # it refers to the demonstrator, which would outlive the subject
    said = [outcome.picked or str(outcome.text or "").strip() for outcome in answers.outcomes]
    labelled = tuple(replace(each, answer=text, worked=None) for each, text in zip(examples, said, strict=True) if text)
    if not labelled:
        raise UserError(
            f"labels_from: {demonstrator.name} answers none of {len(examples)} questions of task {task.name!r}; "
            "name another subject"
        )
    return WeakLabels(examples=labelled, spend=answers.search, right=answers.score)


def _demonstrator(spec: str | Mapping[str, Any], subject: Subject) -> Subject:
    key = (label_by, str(spec))
    if key not in subject.memo:
        subject.memo[key] = load_subject(spec, dtype=subject.about["dtype"], device=subject.about["device"])
    demonstrator: Subject = subject.memo[key]
    return demonstrator
