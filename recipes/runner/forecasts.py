"""`educe forecast`: scores at larger budgets, predicted from smaller ones, and how good such predictions were."""

from collections.abc import Sequence

from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.curves import Curve, join
from educe.eval.analysis.fit import MIN_BUDGET_RATIO, MIN_BUDGETS, MISFIT, count_distinct_budgets, fit_scores, positive
from educe.eval.analysis.forecast import LEVEL, across_models, forecast_scores, records, trials
from educe.eval.analysis.formatting import format_interval, whole_percent

BEYOND = (4, 16)  # times the largest budget measured
# The assumption of a forecast, which no measured point can confirm.
ASSUMPTIONS = {
    "flat": "if the curve stays flat",
    "power law": "if the curve continues as a power law",
    "logistic": "if the curve continues as a logistic curve",
}
UNITS = {"examples": "examples", "flops": "FLOPs", "size": "FLOPs per answer"}


def forecast_text(conditions: Sequence[Condition]) -> str:
    """For each axis: how well each method predicted held-out budgets, and forecasts for larger budgets."""
    axes = {
        "examples": join(conditions, "examples"),
        "flops": join(conditions, "flops"),
        "size": across_models(conditions),
    }
    lines = [line for axis, curves in axes.items() for line in _of_axis(axis, curves)]
    if not lines:
        return "no curve has three budgets above 0, which a forecast needs; run the study with more budgets"
    return "\n".join(lines).strip("\n")


def _of_axis(axis: str, curves: Sequence[Curve]) -> list[str]:
    long = [curve for curve in curves if _num_distinct(curve) >= MIN_BUDGETS]
    if not long:
        return []
    lines = ["", f"by {UNITS[axis]}"]
    # Two sizes at nearly one cost count as one budget, which leaves too few to extrapolate from.
    close = [curve for curve in long if _num_distinct(curve) < len(positive(curve.points))]
    long = [curve for curve in long if _num_distinct(curve) == len(positive(curve.points))]
    lines += [
        f"  {_named(curve)}: no forecast, because two of its budgets differ by less than a factor of {MIN_BUDGET_RATIO}"
        for curve in close
    ]
    made = trials(long)
    for record in records(made):
        lines.append(
            f"  held-out budgets predicted by {record.method}: {record.num_trials}, mean error"
            f" {100 * record.mean_error:.1f} points, CRPS {100 * record.crps:.1f} points,"
            f" {100 * record.covered:.0f}% within the {100 * LEVEL:.0f}% interval"
        )
    if long and not made:
        lines.append("  no curve has four budgets: none could be held out, so these forecasts are untested")
    for curve in long:
        lines += _of_curve(curve, UNITS[axis])
    return lines


def _of_curve(curve: Curve, unit: str) -> list[str]:
    points = positive(curve.points)
    sides, clusters = sides_of(*(point.condition.measurements for point in points))
    budgets = [point.budget for point in points]
    found = fit_scores(budgets, sides, clusters)
    if found is None:
        reason = "all items are in one cluster, so the variance between clusters is unknown"
        return [f"  {_named(curve)}: no forecast, because {reason}"]
    seeds = sorted({len(side.scores) for side in sides})
    measured = (
        f"{sides[0].scores.shape[1]:,} items, {seeds[0] if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'} seeds"
    )
    lines = [
        f"  {_named(curve)}: {whole_percent(points[-1].score)} {format_interval(points[-1].low, points[-1].high)} at"
        f" {_amount(budgets[-1], unit)} ({measured})",
        f"    on the same items, {ASSUMPTIONS[found.form]}:",
    ]
    if found.misfit is not None and found.misfit < MISFIT:
        lines.append(
            f"    no curve form fits these points (misfit p = {found.misfit:.1g}); do not rely on the forecasts below"
        )
    for factor in BEYOND:
        made = forecast_scores(budgets, sides, clusters, at=factor * budgets[-1])["fitted curve"]
        lines.append(
            f"    {whole_percent(made.score)} {format_interval(made.low, made.high)} at {_amount(made.budget, unit)},"
            f" {factor} times the largest budget measured ({100 * LEVEL:.0f}% interval)"
        )
    return lines


def _num_distinct(curve: Curve) -> int:
    return count_distinct_budgets(each.budget for each in positive(curve.points))


def _named(curve: Curve) -> str:
    return f"{curve.model}, {curve.task}, {curve.label}"


def _amount(budget: float, unit: str) -> str:
    return f"{budget:,.0f} {unit}" if unit == "examples" else f"{budget:.3g} {unit}"
