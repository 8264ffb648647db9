"""A run directory of this suite: one result for each condition, its seeds pooled."""

from functools import partial
from pathlib import Path

from educe.eval.analysis.compared import TaskResult
from educe.eval.analysis.conditions import Condition, name_of, pool, sides_of
from educe.eval.analysis.controls import is_control
from educe.eval.analysis.looks import Looks
from educe.recipes.runner.interop.fields import digest
from educe.recipes.runner.results import load_results

MARK = "cells.json"


def read(path: Path, origin: str, *, cluster: str | None = None) -> list[TaskResult]:
    """One result for each condition. Items have the clusters of the task, whatever `cluster` says of other tools.

    Comparing is a look at the results, which is recorded. UserError where there is no run.
    """
    results = load_results(path)
    results.warn_missing()
    looks = results.look("compare").looks
    return [_result(path, origin, condition, looks) for condition in pool(results.measurements)]


def _result(path: Path, origin: str, condition: Condition, looks: Looks) -> TaskResult:
    (side,), clusters = sides_of(condition.measurements)
    first, *others = (each.outcomes for each in condition.measurements)
    shared = set(first.ids).intersection(*(each.ids for each in others))
    answers = dict(zip(first.ids, first.values("answer"), strict=True))
    ids = tuple(name for name in first.ids if name in shared)
    why = looks.exploratory(condition)
    return TaskResult(
        origin=origin,
        file=str(path),
        tool="educe",
        task=condition.task,
        model=condition.model,
        recipe=name_of(condition),
        metric=condition.measurements[0].metric,
        facts=(
            *(condition.task, condition.model, condition.method, condition.recipe, condition.name, name_of(condition)),
            *(str(condition.examples), condition.role),
        ),
        default=not is_control(condition),
        ids=ids,
        side=side,
        clusters=tuple(clusters),
        contents={name: digest(answers[name]) for name in ids},
        notes=(f"{path}: {name_of(condition)} on {condition.task}: nothing can be confirmed: {why}",) if why else (),
        adjust=partial(_adjusted, looks, condition),
    )


def _adjusted(looks: Looks, condition: Condition, p: float) -> float:
    return looks.adjust(p, condition)
