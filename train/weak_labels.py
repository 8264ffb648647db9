"""Labels from another subject: what a weaker demonstrator would answer, right or wrong (Burns et al. 2023)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from data.example import Example
from data.formats import AnswerAs
from data.task import Task
from eval.ask import prompter
from eval.measure import measure
from eval.sharded import require_whole
from eval.spend import Spend
from eval.subject import Subject, load_subject


def label_by(
    spec: str | Mapping[str, Any],
    subject: Subject,
    task: Task,
    examples: Sequence[Example],
    *,
    answer_as: AnswerAs | None,
) -> tuple[tuple[Example, ...], Spend, float]:
    """The examples with the demonstrator's answers, what these cost, and the share of them that is right.

    The demonstrator is asked plainly and stays loaded beside the subject. Its answers are search. No label is read to
    learn from; the share is for the record and taught to nobody.
    """
    require_whole(subject.net, "answering beside it")
    demonstrator = _demonstrator(spec, subject)
    answers = measure(demonstrator, task, prompter(demonstrator, task, template="auto", answer_as=answer_as), examples)
    labelled = tuple(
        replace(each, answer=outcome.picked if outcome.picked is not None else str(outcome.text).strip(), worked=None)
        for each, outcome in zip(examples, answers.outcomes, strict=True)
    )
    asked = len(answers.outcomes)
    spend = Spend(
        search_flops=answers.flops_per_answer * asked, executed_search_flops=answers.executed_flops_per_answer * asked
    )
    return labelled, spend, sum(outcome.score for outcome in answers.outcomes) / asked


def _demonstrator(spec: str | Mapping[str, Any], subject: Subject) -> Subject:
    key = (label_by, str(spec))
    if key not in subject.memo:
        subject.memo[key] = load_subject(spec, dtype=subject.about["dtype"], device=subject.about["device"])
    demonstrator: Subject = subject.memo[key]
    return demonstrator
