"""Curves: conditions joined along a budget."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from educe.eval.analysis.conditions import Condition, pool, settings_key
from educe.eval.measurement import Measurement, Role

Axis = Literal["examples", "flops", "parameters", "bits"]


AXES: tuple[Axis, ...] = ("examples", "flops", "parameters", "bits")


# Fewer numbers of trainable parameters than this are settings of a recipe, not a curve.
MIN_SWEEP_POINTS = 3

# Budgets closer to each other than this factor count as one: they show nothing of a curve between them.
MIN_BUDGET_RATIO = 1.25


@dataclass(frozen=True, kw_only=True)
class Point:
    """A pooled score at one budget; the budget's unit is its curve's axis."""

    budget: float
    score: float
    low: float
    high: float
    interval: str
    n: int
    num_seeds: int
    condition: Condition = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores of one recipe on one model and task along one axis, by rising budget."""

    label: str
    model: str
    task: str
    method: str
    role: Role
    recipe: str
    axis: Axis | Literal["size"]  # size orders models, not budgets of one model
    points: tuple[Point, ...]


def curves(measurements: Iterable[Measurement], axis: Axis) -> tuple[Curve, ...]:
    """One curve per model, task, method and settings along `axis`, each point pooled over seeds.

    Along "examples" and "flops" (training and search) the budgets of a recipe are its points; along "parameters" its
    settings at equal examples; along "bits" those with a measured description length.
    """
    return join(pool(measurements), axis)


def join(conditions: Iterable[Condition], axis: Axis) -> tuple[Curve, ...]:
    """Pooled conditions joined to curves along `axis`; `curves` without `pool`."""
    groups: dict[tuple[str, ...], list[Condition]] = {}
    for condition in conditions:
        if axis == "bits" and condition.bits is None:
            continue
        first = condition.measurements[0]
        leave_out = first.size_settings if axis == "parameters" else (first.budget_setting,)
        group = settings_key(first, leave_out=leave_out)
        if axis == "parameters":
            group = f"{condition.examples} {group}"
        groups.setdefault((condition.model, condition.task, condition.method, group), []).append(condition)
    return _with_distinct_labels([_curve(group, axis) for group in groups.values()])


def sweeps(conditions: Iterable[Condition]) -> tuple[Curve, ...]:
    """Curves along "parameters" of recipes that were run with several numbers of parameters at equal examples."""
    return tuple(
        curve
        for curve in join([condition for condition in conditions if condition.trainable_parameters], "parameters")
        if len({point.budget for point in curve.points}) >= MIN_SWEEP_POINTS
    )


def positive(points: Sequence[Point]) -> list[Point]:
    """The points at budgets above 0, which have a place on a logarithmic axis, by rising budget."""
    return sorted((point for point in points if point.budget > 0), key=lambda point: point.budget)


def count_distinct_budgets(budgets: Iterable[int | float]) -> int:
    """The number of budgets, each counted only if it is MIN_BUDGET_RATIO times the last one counted or more."""
    counted: list[float] = []
    for budget in sorted(budgets):
        if not counted or budget >= MIN_BUDGET_RATIO * counted[-1]:
            counted.append(float(budget))
    return len(counted)


def without_sweeps(conditions: Iterable[Condition]) -> list[Condition]:
    """The conditions to draw against examples and FLOPs: of a sweep of parameters only the largest number."""
    conditions = list(conditions)
    dropped = {
        id(point.condition)
        for curve in sweeps(conditions)
        for point in curve.points
        if point.budget < curve.points[-1].budget
    }
    return [condition for condition in conditions if id(condition) not in dropped]


def _with_distinct_labels(made: Sequence[Curve]) -> tuple[Curve, ...]:
    """Curves with the same label on one model and task get the settings in which they differ."""
    same: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in made:
        same.setdefault((curve.model, curve.task, curve.label), []).append(curve)

    def label(curve: Curve) -> str:
        rivals = same[curve.model, curve.task, curve.label]
        if len(rivals) == 1:
            return curve.label
        settings = [rival.points[0].condition.measurements[0].settings for rival in rivals]
        mine = curve.points[0].condition.measurements[0].settings
        names = sorted(set(mine) - {curve.points[0].condition.measurements[0].budget_setting})
        differing = [name for name in names if any(other.get(name) != mine[name] for other in settings)]
        return " ".join([curve.label, *(f"{name}={mine[name]}" for name in differing)])

    return tuple(replace(curve, label=label(curve)) for curve in made)


def curve_of(
    conditions: Sequence[Condition],
    axis: Axis | Literal["size"],
    budget_of: Callable[[Condition], float],
    *,
    label: str | None = None,
    model: str | None = None,
) -> Curve:
    """The curve of these conditions of one recipe by rising budget."""
    first = conditions[0]
    recipe = first.recipe if len({each.recipe for each in conditions}) == 1 else first.method
    points = tuple(
        Point(
            budget=budget_of(each),
            score=each.score,
            low=each.low,
            high=each.high,
            interval=each.interval,
            n=each.n,
            num_seeds=each.num_seeds,
            condition=each,
        )
        for each in sorted(conditions, key=lambda each: (budget_of(each), each.examples))
    )
    return Curve(
        label=label or recipe,
        model=model or first.model,
        task=first.task,
        method=first.method,
        role=first.role,
        recipe=recipe,
        axis=axis,
        points=points,
    )


_BUDGETS: dict[Axis, Callable[[Condition], float]] = {
    "examples": lambda condition: float(condition.labelled_examples),
    "flops": lambda condition: condition.elicitation_flops,
    "parameters": lambda condition: condition.trainable_parameters,
    "bits": lambda condition: condition.bits or 0.0,
}


def _curve(conditions: Sequence[Condition], axis: Axis) -> Curve:
    first = conditions[0]
    label = f"{first.method}, {first.examples} examples" if axis == "parameters" else None
    return curve_of(conditions, axis, _BUDGETS[axis], label=label)
