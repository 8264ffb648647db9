"""The budget at which a curve reaches a score, bracketed by the budgets measured, and the next budget to measure.

What is estimated is the first *measured* budget at which the true score is reached: nothing is assumed of the curve
between two budgets, so nothing is said of it. By that budget the curve has reached the score; it may have done so
before, between two measured budgets, and may fall below it again after.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from educe.data.errors import UserError
from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.curves import MIN_BUDGET_RATIO, Curve, Point, positive
from educe.eval.analysis.statistics.intervals import Estimate, pooled_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.resample import Clusters, interval_kind
from educe.eval.analysis.statistics.variance import Side

NEAR = 0.02  # below the score at the largest budget: close enough, where no other score is asked for


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The first measured budget at which a curve has a score: one above `low`, and `high` or a smaller one.

    `low` is the largest budget up to which the score is shown not to be reached at any that was measured, 0 where there
    is none. `high` is the smallest at which it is shown to be reached, None where there is none. `unresolved` are the
    budgets measured in between. `budget` is where straight lines between the means first reach the score, None where no
    mean does; at the smallest budget measured it means that budget or less.
    """

    budget: float | None
    low: float
    high: float | None
    smallest: float
    unresolved: tuple[float, ...]
    kind: str


@dataclass(frozen=True, kw_only=True)
class NextBudget:
    """What narrows a bracket most: a new budget in its middle, or more seeds where the measured budgets leave doubt.

    The price is that of as many seeds as were measured: cells, and FLOPs to elicit and to answer the test items.
    """

    budgets: tuple[float, ...]
    new: bool
    cells: int
    flops: float


def crossing(
    budgets: Sequence[int | float],
    sides: Sequence[Side],
    target: int | float | Side,
    *,
    within: float = 0.0,
    clusters: Clusters | None = None,
    level: float = 0.95,
) -> Crossing:
    """The first of these budgets at which the true mean is `target` less `within` or more.

    One side per budget, in rising order. The low end goes up from the smallest budget while the score lies below the
    target (Hsu & Berger 1999, "Stepwise confidence intervals without multiplicity adjustment for dose-response and
    toxicity studies"): it is wrong only if the budget in question is passed, so that each step needs the bound of its
    own interval alone. The high end is the first budget whose score lies above the target; any budget before the one in
    question may do so by chance, so the bounds are corrected for the number of budgets (Bonferroni). Both ends together
    hold with `level` for a curve of any shape. A target that is a side is compared item by item and seed by seed.
    ValueError for a score outside [0, 1].
    """
    if not isinstance(target, Side) and not 0 <= target <= 1:
        raise ValueError(f"score = {target:g} cannot be reached; give a share between 0 and 1")
    gaps = [_gap(side, target, within, clusters, level) for side in sides]
    below = sum(1 for _ in takewhile(lambda gap: gap.high < 0, gaps))
    corrected = bonferroni_level(level, max(1, sum(side is not target for side in sides)))
    lows = (_gap(side, target, within, clusters, corrected).low for side in sides)
    first = next((place for place, low in enumerate(lows) if low >= 0), None)
    return Crossing(
        budget=_first_at_least_zero(budgets, [gap.value for gap in gaps]),
        low=float(budgets[below - 1]) if below else 0.0,
        high=None if first is None else float(budgets[first]),
        smallest=float(budgets[0]),
        unresolved=tuple(map(float, budgets[below:first])),
        kind=interval_kind("stepwise bracket", level),
    )


def budget_to_reach(
    curve: Curve, target: int | float | Condition, *, within: float = 0.0, level: float = 0.95
) -> Crossing:
    """`crossing` of a curve's points at budgets above 0. UserError where there is none, or they share no item."""
    points = _measured(curve)
    groups = [point.condition.measurements for point in points]
    if isinstance(target, Condition):
        (*sides, goal), clusters = sides_of(*groups, target.measurements)
        # The same object, so that a budget compared with itself has no error.
        same = next((side for side, point in zip(sides, points, strict=True) if point.condition is target), goal)
        return crossing([p.budget for p in points], sides, same, within=within, clusters=clusters, level=level)
    sides, clusters = sides_of(*groups)
    return crossing([p.budget for p in points], sides, target, within=within, clusters=clusters, level=level)


def near_largest(curve: Curve) -> Crossing:
    """The first measured budget within NEAR of the score at the largest. UserError where there is no budget."""
    return budget_to_reach(curve, _measured(curve)[-1].condition, within=NEAR)


def next_budget(curve: Curve, found: Crossing) -> NextBudget | None:
    """What to measure next so that the bracket shrinks, with its price.

    The middle of the bracket in the logarithm of the budget, which halves it whatever the answer (bisection). Where
    measured budgets lie in the bracket, their errors leave the doubt, and more seeds there come first. None where the
    bracket has no two ends, or is too narrow for a budget in its middle to differ from both.
    """
    if found.high is None or found.low == 0:
        return None
    points = positive(curve.points)
    if found.unresolved:
        again = [point for point in points if point.budget in found.unresolved]
        flops = sum(point.num_seeds * _flops_of_cell(point) for point in again)
        cells = sum(point.num_seeds for point in again)
        return NextBudget(budgets=found.unresolved, new=False, cells=cells, flops=flops)
    middle = math.sqrt(found.low * found.high)
    if curve.axis == "examples":
        middle = float(round(middle))
    if min(middle / found.low, found.high / middle) < MIN_BUDGET_RATIO:
        return None
    lower, upper = (next(point for point in points if point.budget == end) for end in (found.low, found.high))
    flops = np.interp(middle, [found.low, found.high], [_flops_of_cell(lower), _flops_of_cell(upper)])
    seeds = max(lower.num_seeds, upper.num_seeds)
    return NextBudget(budgets=(middle,), new=True, cells=seeds, flops=seeds * float(flops))


def compute_equivalent_gain(reference: Curve, enhanced: Point) -> Estimate | None:
    """The budget at which the reference curve reaches the enhanced score, over the budget that this score took.

    Davidson et al. (2023), "AI capabilities can be significantly improved without expensive retraining". Its ends are
    those of the `crossing`. Infinite where the reference is not shown to reach it at any measured budget, 0 where it
    may do so at its smallest. None where no mean of the reference reaches the score, and at no budget.
    """
    if enhanced.budget <= 0:
        return None
    found = budget_to_reach(reference, enhanced.condition)
    if found.budget is None:
        return None
    return Estimate(
        value=found.budget / enhanced.budget,
        low=found.low / enhanced.budget,
        high=math.inf if found.high is None else found.high / enhanced.budget,
        kind=found.kind,
    )


def _measured(curve: Curve) -> list[Point]:
    points = positive(curve.points)
    if not points:
        raise UserError(
            f"the curve of {curve.label} on {curve.model}, {curve.task}, has no budget above 0 along {curve.axis}; "
            "take another axis"
        )
    return points


def _gap(side: Side, target: int | float | Side, within: float, clusters: Clusters | None, level: float) -> Estimate:
    """How far a side lies above the target less `within`."""
    if side is target:
        return Estimate(value=within, low=within, high=within, kind="itself")
    if isinstance(target, Side):
        paired = paired_difference(side, target, clusters, level=level)
        return Estimate(
            value=paired.difference + within, low=paired.low + within, high=paired.high + within, kind=paired.kind
        )
    goal = target - within
    found = pooled_interval(side, clusters, level=level)
    return Estimate(
        value=float(side.scores.mean()) - goal, low=found.low - goal, high=found.high - goal, kind=found.kind
    )


def _first_at_least_zero(budgets: Sequence[int | float], gaps: Sequence[float]) -> float | None:
    """Where straight lines between gaps, over the logarithm of the budget, are first at 0 or above."""
    first = next((place for place, gap in enumerate(gaps) if gap >= -1e-12), None)
    if first is None or first == 0:
        return None if first is None else float(budgets[0])
    share = min(1.0, -gaps[first - 1] / (gaps[first] - gaps[first - 1]))
    return float(budgets[first - 1] * (budgets[first] / budgets[first - 1]) ** share)


def _flops_of_cell(point: Point) -> float:
    return point.condition.elicitation_flops + point.n * point.condition.flops_per_answer
