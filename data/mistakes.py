"""Wrong answers for demonstrations, to see whether a model copies what is wrong in its prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import fraction, shuffled
from educe.data.relabel import relabel
from educe.data.task import Task

# A number that is wrong is off by so much, as one is that was carried wrongly.
OFF_BY = 10
Errors = Literal["mistake", "permuted", "random"]


def with_errors(
    task: Task, shots: Sequence[Example], *, share: float, errors: Errors, seed: int
) -> tuple[Example, ...]:
    """The demonstrations, of which this share has another answer; which ones, the seed and their ids decide.

    `mistake` is a wrong option, a number that is off by ten, what the task has for one (code with a bug), or the answer
    of another demonstration. `permuted` takes the next label in the alphabet for each, always the same one for the same
    label. `random` is drawn among the options, or the answers of all demonstrations; it may be right. A larger share
    leaves wrong what is wrong. No demonstration has a worked solution, right ones neither: nothing but answers differs
    between shares. UserError where the share is no whole number of demonstrations, where no other answer is to be had,
    and for permuted labels that differ by row.
    """
    count = num_wrong(len(shots), share)
    shots = [replace(shot, worked=None) for shot in shots]
    order = sorted(shots, key=lambda shot: fraction(f"wrong {seed} {shot.id}"))
    chosen = {shot.id for shot in order[:count]}
    wrong = [shot for shot in shots if shot.id in chosen]
    if errors == "random":
        redrawn = {shot.id: shot for shot in relabel(shots, share=1.0, seed=seed)}
        made = tuple(redrawn[shot.id] for shot in wrong)
    elif errors == "permuted":
        made = _permuted(task, wrong)
    else:
        made = _mistaken(task, wrong, shots, seed)
    given = {shot.id: shot for shot in made}
    return tuple(given.get(shot.id, shot) for shot in shots)


def num_wrong(shots: int, share: float) -> int:
    """So many demonstrations are wrong. UserError where the share is no whole number of them."""
    count = round(share * shots)
    if abs(count - share * shots) > 0.01:
        raise UserError(
            f"wrong = {share} of {shots} demonstrations is {share * shots:.3g}, no whole number; "
            f"use more shots, or wrong = {count / shots:.4g}"
        )
    return count


def check_errors(task: Task, errors: Errors) -> None:
    """UserError where a task has no labels to permute, or an answer that is no number to be off by ten."""
    if errors == "permuted":
        _labels(task)
    elif errors == "mistake" and task.mistake is None and _is_of_numbers(task):
        for row in task.rows["train"]:
            _off(row, seed=0)


def _is_of_numbers(task: Task) -> bool:
    return task.kind == "generation" and task.grade is not None and task.grade.__name__ == "number_match"


def _mistaken(task: Task, wrong: Sequence[Example], shots: Sequence[Example], seed: int) -> tuple[Example, ...]:
    if task.mistake is not None:
        return tuple(replace(shot, answer=task.mistake(shot), aliases=()) for shot in wrong)
    if _is_of_numbers(task):
        return tuple(_off(shot, seed) for shot in wrong)
    answers = sorted({shot.answer for shot in shots})
    return tuple(replace(shot, answer=_other(shot, answers, seed), aliases=()) for shot in wrong)


def _other(shot: Example, answers: Sequence[str], seed: int) -> str:
    """A wrong option, or the answer of another demonstration that this one does not take."""
    others = [each for each in shot.choices or answers if each not in shot.accepted]
    if not others:
        raise UserError(
            f"row {shot.id!r} is shown with no other answer than its own, {shot.answer!r}; show more demonstrations"
        )
    return shuffled(others, key=f"mistake {seed}:{shot.id}")[0]


def _off(shot: Example, seed: int) -> Example:
    """The number ten more or less; a number that is not whole keeps its places."""
    off = OFF_BY if fraction(f"mistake {seed} {shot.id}") < 0.5 else -OFF_BY
    text = shot.answer.replace(",", "")
    try:
        places = len(text.partition(".")[2])
        answer = f"{float(text) + off:.{places}f}" if places else str(int(text) + off)
    except ValueError as error:
        raise UserError(f"row {shot.id!r}: answer {shot.answer!r} is no number to be off by {OFF_BY}") from error
    return replace(shot, answer=answer, aliases=())


def _permuted(task: Task, wrong: Sequence[Example]) -> tuple[Example, ...]:
    labels = _labels(task)
    following = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    return tuple(replace(shot, answer=following[shot.answer]) for shot in wrong)


def _labels(task: Task) -> list[str]:
    """The options that every row has, in the alphabet. UserError where they differ by row."""
    labels = task.choice_texts  # what is an option says nothing of which one is right, and is read without a note
    if not labels or len(labels) > task.max_choices:
        raise UserError(
            f"task {task.name!r} has no labels that all of its rows share, so none to permute; use errors: mistake"
        )
    return sorted(labels)
