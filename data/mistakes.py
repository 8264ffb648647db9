"""Wrong answers for demonstrations, to see whether a model copies what is wrong in its prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.hashing import fraction, shuffled
from educe.data.permuted import with_another_answer
from educe.data.relabel import relabel
from educe.data.task import Task

# A number that is wrong is off by so much, as one is that was carried wrongly.
OFF_BY = 10
Errors = Literal["mistake", "permuted", "random"]


def with_errors(
    task: Task, shots: Sequence[Example], *, share: float, errors: Errors, seed: int
) -> tuple[Example, ...]:
    """The demonstrations, of which this share has another answer; which ones, the seed and their ids decide.

    `mistake` is a wrong option, a number that is off by ten, or the answer of another demonstration. `permuted` takes
    the next label in the alphabet for each, always the same one for the same label. `random` is drawn among the
    options, or the answers of the wrong demonstrations; it may be right. A larger share leaves wrong what is wrong.
    UserError where the share is no whole number of demonstrations, and for permuted labels that differ by row.
    """
    count = num_wrong(len(shots), share)
    order = sorted(shots, key=lambda shot: fraction(f"wrong {seed} {shot.id}"))
    chosen = {shot.id for shot in order[:count]}
    wrong = [shot for shot in shots if shot.id in chosen]
    if errors == "random":
        made = relabel(wrong, share=1.0, seed=seed)
    elif errors == "permuted":
        made = _permuted(task, wrong)
    else:
        made = _mistaken(task, wrong, shots, seed)
    given = {shot.id: shot for shot in made}
    return tuple(given.get(shot.id, shot) for shot in shots)


def num_wrong(shots: int, share: float) -> int:
    """So many demonstrations are wrong. UserError where the share is no whole number of them."""
    count = round(share * shots)
    if abs(count - share * shots) > 1e-9 * max(1, shots):
        raise UserError(
            f"wrong = {share} of {shots} demonstrations is {share * shots:.3g}, no whole number; "
            f"use more shots, or wrong = {count / shots:.4g}"
        )
    return count


def check_errors(task: Task, errors: Errors) -> None:
    """UserError where a task has no labels to permute."""
    if errors == "permuted":
        _labels(task)


def _mistaken(task: Task, wrong: Sequence[Example], shots: Sequence[Example], seed: int) -> tuple[Example, ...]:
    if task.kind == "generation" and task.grade is not None and task.grade.__name__ == "number_match":
        return tuple(_off(shot, seed) for shot in wrong)
    if task.kind == "generation":
        others = {shot.id: shot for shot in with_another_answer(shots, f"mistake {seed}")}
        return tuple(others[shot.id] for shot in wrong)
    return tuple(replace(shot, answer=_other_option(shot, seed), worked=None) for shot in wrong)


def _other_option(shot: Example, seed: int) -> str:
    options = (choice for choice in shot.choices if choice != shot.answer)
    return shuffled(options, key=f"mistake {seed}:{shot.id}")[0]


def _off(shot: Example, seed: int) -> Example:
    """The number ten more or less; a number that is not whole keeps its places."""
    off = OFF_BY if fraction(f"mistake {seed} {shot.id}") < 0.5 else -OFF_BY
    text = shot.answer.replace(",", "")
    try:
        places = len(text.partition(".")[2])
        answer = f"{float(text) + off:.{places}f}" if places else str(int(text) + off)
    except ValueError as error:
        raise UserError(f"row {shot.id!r}: answer {shot.answer!r} is no number to be off by {OFF_BY}") from error
    return replace(shot, answer=answer, aliases=(), worked=None)


def _permuted(task: Task, wrong: Sequence[Example]) -> tuple[Example, ...]:
    labels = _labels(task)
    following = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    return tuple(replace(shot, answer=following[shot.answer], worked=None) for shot in wrong)


def _labels(task: Task) -> list[str]:
    """The options that every row has, in the alphabet. UserError where they differ by row."""
    sets = {frozenset(row.choices) for rows in task.rows.values() for row in rows}
    (labels,) = sets if len(sets) == 1 else (frozenset[str](),)
    if not labels:
        raise UserError(
            f"task {task.name!r} has no labels that all of its rows share, so none to permute; use errors: mistake"
        )
    return sorted(labels)
