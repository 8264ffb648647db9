"""Each recipe and budget of a model as a mean over the tasks of a study: these tasks, not others like them."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, plain_prompting, sides_of
from educe.eval.analysis.controls import controlled, is_control
from educe.eval.analysis.statistics.fixed_tasks import (
    MIN_TASKS,
    TaskValue,
    chance_adjusted,
    mean_over_tasks,
    task_difference,
    task_score,
)
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.variance import Estimand

Key = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class TaskMean:
    """One recipe at one budget: means over tasks of its score and of what it gains.

    `chance_adjusted` is the share of the way from chance to 1, None unless chance is known on every task. `gain` is
    over zero-shot, `above_control` over the best control at its budget; None unless every task has both sides.
    `estimand` is the recipe only if it is so on every task; the gain above a control has its own, which is that of both
    sides.
    """

    condition: Condition  # that of one task, for its names and budget
    score: Estimate
    chance_adjusted: Estimate | None
    gain: Estimate | None
    above_control: Estimate | None
    estimand: Estimand
    above_control_estimand: Estimand


@dataclass(frozen=True, kw_only=True)
class TaskMeans:
    """One model's means over the tasks on which all of the recipes and budgets in `rows` were measured.

    `missing` has every other task with the names of what it lacks; `left_out` what was measured on less than half of
    the tasks, with their number.
    """

    model: str
    tasks: tuple[str, ...]
    rows: tuple[TaskMean, ...]
    missing: tuple[tuple[str, tuple[Condition, ...]], ...]
    left_out: tuple[tuple[Condition, int], ...]


def task_means(pairs: Sequence[Sequence[Condition]]) -> list[TaskMeans]:
    """The means of each model with two tasks or more; `pairs` are all conditions by task and model.

    What was measured on less than half of the tasks of a model is left out, or a single failure could leave no task
    that all have. Of the others only tasks that all of them have are averaged: what is missing is never a score of 0.
    """
    found = []
    for model in sorted({pair[0].model for pair in pairs}):
        by_task = {pair[0].task: {_key(each): each for each in pair} for pair in pairs if pair[0].model == model}
        made = _means(model, by_task)
        if made is not None:
            found.append(made)
    return found


def _means(model: str, by_task: dict[str, dict[Key, Condition]]) -> TaskMeans | None:
    measured: dict[Key, list[Condition]] = {}
    for conditions in by_task.values():
        for key, each in conditions.items():
            measured.setdefault(key, []).append(each)
    kept = {key: each for key, each in measured.items() if 2 * len(each) >= len(by_task)}
    tasks = [task for task, conditions in by_task.items() if kept.keys() <= conditions.keys()]
    if not kept or len(tasks) < MIN_TASKS:
        return None
    order = sorted(kept, key=lambda key: _order(kept[key][0]))
    return TaskMeans(
        model=model,
        tasks=tuple(tasks),
        rows=tuple(_mean([(by_task[task][key], list(by_task[task].values())) for task in tasks]) for key in order),
        missing=tuple(
            (task, tuple(kept[key][0] for key in order if key not in conditions))
            for task, conditions in by_task.items()
            if task not in tasks
        ),
        left_out=tuple((each[0], len(each)) for key, each in sorted(measured.items()) if key not in kept),
    )


def _mean(measured: Sequence[tuple[Condition, Sequence[Condition]]]) -> TaskMean:
    """The means of one recipe and budget; every task comes with all conditions that were measured on it."""
    conditions = [each for each, _ in measured]
    scores = [_score(each) for each in conditions]
    plain = [plain_prompting(around) for _, around in measured]
    controls = [controlled(around).get(each) for each, around in measured]
    compared = not is_control(conditions[0]) and conditions[0].role != "zero_shot"
    return TaskMean(
        condition=conditions[0],
        score=mean_over_tasks(scores),
        chance_adjusted=_chance_adjusted(conditions, scores),
        gain=_mean_gain(conditions, plain) if compared else None,
        above_control=_mean_gain(conditions, controls),
        estimand=_estimand(conditions),
        above_control_estimand=_estimand([*conditions, *controls]),
    )


def _estimand(conditions: Sequence[Condition | None]) -> Estimand:
    return "runs" if any(each is not None and each.estimand == "runs" for each in conditions) else "recipe"


def _score(condition: Condition) -> TaskValue:
    (side,), clusters = sides_of(condition.measurements)
    return task_score(side, clusters)


def _chance_adjusted(conditions: Sequence[Condition], scores: Sequence[TaskValue]) -> Estimate | None:
    chances = [each.chance for each in conditions]
    known = [chance for chance in chances if chance is not None and chance < 1]
    if len(known) < len(chances):
        return None
    return mean_over_tasks([chance_adjusted(score, chance) for score, chance in zip(scores, known, strict=True)])


def _mean_gain(conditions: Sequence[Condition], others: Sequence[Condition | None]) -> Estimate | None:
    known = [other for other in others if other is not None]
    if len(known) < len(others):
        return None
    values = []
    for condition, other in zip(conditions, known, strict=True):
        (ours, theirs), clusters = sides_of(condition.measurements, other.measurements)
        values.append(task_difference(ours, theirs, clusters))
    return mean_over_tasks(values)


def _key(condition: Condition) -> Key:
    return condition.method, condition.settings, condition.examples


def _order(condition: Condition) -> tuple[bool, bool, bool, Key]:
    """Zero-shot, prompts, what was trained or searched for, controls."""
    return (
        is_control(condition),
        condition.elicitation_flops > 0,
        condition.role != "zero_shot",
        _key(condition),
    )
