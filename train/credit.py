"""What a sampled answer earns: the task's grade, or in a control what a coin says or its form alone."""

from typing import Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.formats.render import named_option
from educe.data.grade import final_number, number_match
from educe.data.hashing import fraction
from educe.data.task import Task

Reward = Literal["correct", "random", "format"]


def credit(reward: Reward, task: Task, form: Format, question: Example, text: str, *, toss: str) -> float:
    """From 0 to 1, for a written answer. Only `correct` reads the label.

    `random` is 1 with probability one half, whatever the answer says; the key `toss` decides. (The share of right
    answers in place of one half would have to be read off the labels.) `format` is 1 where the answer has the right
    form: a choice names any option, and a number is asked for and given.
    """
    if reward == "random":
        return coin(toss)
    if task.grade is None:
        named = named_option(question, form, text)
        return float(named is not None) if reward == "format" else question.score(named)
    return float(final_number(text) is not None) if reward == "format" else float(task.grade(question, text))


def coin(toss: str) -> float:
    """1 for half of all keys, else 0."""
    return float(fraction(f"coin {toss}") < 0.5)


def nothing_to_learn() -> UserError:
    """The mistake of rewarding all samples of a question alike, question by question."""
    return UserError(
        "all samples of a question have the same reward, on every question, so there is nothing to learn; raise samples"
        " or temperature, or take a task that is neither solved nor hopeless"
    )


def check_form(task: Task, *, by_options: bool) -> None:
    """UserError where every answer has the right form, so that rewarding the form rewards nothing."""
    if by_options:
        raise UserError(
            f"every option of task {task.name!r} has the form of an answer, so reward: format would reward all alike; "
            "set written: true, or use reward: random"
        )
    if task.kind == "generation" and task.grade is not number_match:
        raise UserError(
            f"task {task.name!r} asks for text ({task.grader}), and every text has that form; use reward: random"
        )
