"""An effect over all tasks of a study: training against prompting or controls, and the share that a prompt recovers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from educe.eval.analysis.conditions import Condition, most_shots, plain_prompting, sides_of, trained
from educe.eval.analysis.controls import controlled
from educe.eval.analysis.looks import Looks
from educe.eval.analysis.statistics.intervals import Interval
from educe.eval.analysis.statistics.paired import difference_error, gap_recovered, paired_difference
from educe.eval.analysis.statistics.random_effects import MIN_EFFECTS, MetaAnalysis, meta_analysis
from educe.eval.analysis.statistics.variance import Estimand, contrast_variance, estimand_of

Against = Literal["zero-shot", "few-shot", "control", "gap"]


@dataclass(frozen=True, kw_only=True)
class TaskEffect:
    """An effect on one task with its own interval; `error` is its standard error over items and seeds."""

    task: str
    conditions: tuple[Condition, ...]
    value: float
    low: float
    high: float
    error: float
    n: int
    estimand: Estimand


@dataclass(frozen=True, kw_only=True)
class OverTasks:
    """One model's effect on each task, pooled; on tasks `left_out` it is not known, as a share of no gap is not.

    `p` and `homogeneity_p` are those of `pooled`, adjusted for looks; None where a recipe has too few seeds for a test
    or nothing can be confirmed any more, and against a control, with which nothing is tested.
    """

    model: str
    against: Against
    recipe: str
    effects: tuple[TaskEffect, ...]
    left_out: tuple[str, ...]
    pooled: MetaAnalysis
    p: float | None
    homogeneity_p: float | None

    @property
    def estimand(self) -> Estimand:
        """The recipes' only if every task's is."""
        return "runs" if any(each.estimand == "runs" for each in self.effects) else "recipe"


def over_tasks(pairs: Sequence[Sequence[Condition]], looks: Looks | None = None) -> list[OverTasks]:
    """Up to four effects of each model's training over its tasks; `pairs` are all conditions by task and model.

    Of the recipes that train, the one measured on most tasks, then with most examples and FLOPs, at its largest budget
    on each task: never the one with the best score. Against zero-shot; against the longest prompt of demonstrations;
    against the best control at the same budget; and the share of the gain over zero-shot that this prompt recovers.
    Only effects known on three tasks or more.
    """
    found = []
    for model in sorted({pair[0].model for pair in pairs}):
        mine = [pair for pair in pairs if pair[0].model == model]
        tuned = _most_trained(mine)
        if len(tuned) < MIN_EFFECTS:
            continue
        effects: dict[Against, Effect] = {
            "zero-shot": _gain,
            "few-shot": _lead,
            "control": _above_control,
            "gap": _share,
        }
        found += [_pooled(model, against, mine, tuned, effect, looks) for against, effect in effects.items()]
    return [each for each in found if each is not None]


Effect = Callable[[Sequence[Condition], Condition], TaskEffect | None]


def _most_trained(pairs: Sequence[Sequence[Condition]]) -> dict[str, Condition]:
    """By task, the largest budget of the recipe that trains on most tasks."""
    recipes: dict[tuple[str, str], dict[str, Condition]] = {}
    for pair in pairs:
        for each in sorted(trained(pair), key=_size):
            recipes.setdefault((each.method, each.settings), {})[each.task] = each
    return max(recipes.values(), key=_reach, default={})


def _reach(by_task: dict[str, Condition]) -> tuple[int, float, float]:
    examples, spent = zip(*map(_size, by_task.values()), strict=True)
    return len(by_task), sum(examples), sum(spent)


def _size(condition: Condition) -> tuple[float, float]:
    return float(condition.examples), condition.elicitation_flops


def _pooled(
    model: str,
    against: Against,
    pairs: Sequence[Sequence[Condition]],
    tuned: dict[str, Condition],
    effect: Effect,
    looks: Looks | None,
) -> OverTasks | None:
    effects = {pair[0].task: effect(pair, tuned[pair[0].task]) for pair in pairs if pair[0].task in tuned}
    known = tuple(each for each in effects.values() if each is not None)
    pooled = meta_analysis([each.value for each in known], [each.error for each in known])
    if pooled is None:
        return None
    if against != "gap":  # a difference of scores is no larger than 1
        kept = Interval(
            low=max(-1.0, pooled.prediction.low), high=min(1.0, pooled.prediction.high), kind=pooled.prediction.kind
        )
        pooled = replace(pooled, prediction=kept)
    about = list(dict.fromkeys(condition for each in known for condition in each.conditions))
    tested = against != "control"
    return OverTasks(
        model=model,
        against=against,
        recipe=next(iter(tuned.values())).recipe,
        effects=known,
        left_out=tuple(task for task, each in effects.items() if each is None),
        pooled=pooled,
        p=_at_this_look(pooled.p, about, looks) if tested else None,
        homogeneity_p=_at_this_look(pooled.homogeneity_p, about, looks) if tested else None,
    )


def _at_this_look(p: float, about: Sequence[Condition], looks: Looks | None) -> float | None:
    if not all(each.testable for each in about) or (looks is not None and looks.exploratory(*about)):
        return None
    return p if looks is None else looks.adjust(p, *about)


def _gain(conditions: Sequence[Condition], tuned: Condition) -> TaskEffect | None:
    plain = plain_prompting(conditions)
    return None if plain is None else _difference(tuned, plain)


def _lead(conditions: Sequence[Condition], tuned: Condition) -> TaskEffect | None:
    shown = most_shots(conditions)
    return None if shown is None else _difference(tuned, shown)


def _above_control(conditions: Sequence[Condition], tuned: Condition) -> TaskEffect | None:
    control = controlled(conditions).get(tuned)
    return None if control is None else _difference(tuned, control)


def _difference(condition: Condition, other: Condition) -> TaskEffect | None:
    (ours, theirs), clusters = sides_of(condition.measurements, other.measurements)
    gain = paired_difference(ours, theirs, clusters)
    error = difference_error(ours, theirs, clusters)
    if not np.isfinite(error):
        return None
    return TaskEffect(
        task=condition.task,
        conditions=(condition, other),
        value=gain.difference,
        low=gain.low,
        high=gain.high,
        error=error,
        n=gain.n,
        estimand=gain.estimand,
    )


def _share(conditions: Sequence[Condition], tuned: Condition) -> TaskEffect | None:
    """The longest prompt's share of the gain from training; its error by the delta method."""
    plain, shown = plain_prompting(conditions), most_shots(conditions)
    if plain is None or shown is None:
        return None
    sides, clusters = sides_of(*(each.measurements for each in (shown, plain, tuned)))
    found = gap_recovered(sides[0], sides[1], sides[2], clusters)
    if found is None:
        return None
    gap = float(sides[2].scores.mean() - sides[1].scores.mean())
    weights = 1 / gap, (found.share - 1) / gap, -found.share / gap
    error = contrast_variance(sides, weights, clusters).total ** 0.5
    if not 0 < error < float("inf"):
        return None
    return TaskEffect(
        task=tuned.task,
        conditions=(shown, plain, tuned),
        value=found.share,
        low=found.low,
        high=found.high,
        error=error,
        n=len(clusters),
        estimand=estimand_of(sides),
    )
