"""`educe forecast`: larger budgets predicted from smaller ones, the predictions scored, and the next ones made."""

from collections.abc import Sequence

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.curves import Curve, join
from educe.eval.analysis.fit import MIN_BUDGETS, MISFIT, count_distinct_budgets, fit_scores, positive
from educe.eval.analysis.forecast import LEVEL, across_models, forecast_scores, records, trials
from educe.eval.analysis.formatting import format_interval, whole_percent

BEYOND = (4, 16)  # times the largest budget measured
# What a forecast rests on: nothing in the points shows it.
GOES_ON = {
    "flat": "flat so far; if it stays so, which no flat curve can tell",
    "power law": "if it goes on as the power law so far",
    "logistic": "if it goes on as the logistic curve so far",
}
UNITS = {"examples": "examples", "flops": "FLOP", "size": "FLOP an answer"}


def forecast_text(conditions: Sequence[Condition]) -> str:
    """For each axis: how held-out budgets were predicted by each method, and what larger budgets would show."""
    axes = {
        "examples": join(conditions, "examples"),
        "flops": join(conditions, "flops"),
        "size": across_models(conditions),
    }
    lines = [line for axis, curves in axes.items() for line in _of_axis(axis, curves)]
    if not lines:
        return "no curve has three budgets above 0, which is what a forecast takes; run the study with more budgets"
    return "\n".join(lines).strip("\n")


def _of_axis(axis: str, curves: Sequence[Curve]) -> list[str]:
    long = [curve for curve in curves if _num_apart(curve) >= MIN_BUDGETS]
    if not long:
        return []
    lines = ["", f"by {UNITS[axis]}"]
    # Several sizes at nearly one cost (less than MIN_BUDGET_RATIO) are one budget: what is left is too short to go on from.
    apart = [_num_apart(curve) == len(positive(curve.points)) for curve in long]
    piled = [curve for curve, each in zip(long, apart, strict=True) if not each]
    long = [curve for curve, each in zip(long, apart, strict=True) if each]
    lines += [f"  {_named(curve)}: not forecast, two of its budgets are as good as one" for curve in piled]
    made = trials(long)
    for record in records(made):
        lines.append(
            f"  held-out budgets predicted by {record.method}: {record.num_trials}, mean error"
            f" {100 * record.mean_error:.1f} points, CRPS {100 * record.crps:.1f} points,"
            f" {100 * record.covered:.0f}% within the {100 * LEVEL:.0f}% interval"
        )
    if long and not made:
        lines.append("  no curve has four budgets, so none could be held out: these forecasts are untested")
    for curve in long:
        lines += _of_curve(curve, UNITS[axis])
    return lines


def _of_curve(curve: Curve, unit: str) -> list[str]:
    points = positive(curve.points)
    matrices, clusters = item_scores(*(point.condition.measurements for point in points))
    budgets = [point.budget for point in points]
    found = fit_scores(budgets, matrices, clusters)
    if found is None:
        return [f"  {_named(curve)}: not forecast, all items are of one cluster, which says nothing of others"]
    seeds = sorted({len(matrix) for matrix in matrices})
    asked = f"{matrices[0].shape[1]:,} items, {seeds[0] if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'} seeds"
    lines = [
        f"  {_named(curve)}: {whole_percent(points[-1].score)} {format_interval(points[-1].low, points[-1].high)} at"
        f" {_amount(budgets[-1], unit)} ({asked})",
        f"    on the same items, {GOES_ON[found.form]}:",
    ]
    if found.misfit is not None and found.misfit < MISFIT:
        lines.append(f"    no form describes these points (misfit p = {found.misfit:.1g}); do not rely on what follows")
    for factor in BEYOND:
        made = forecast_scores(budgets, matrices, clusters, at=factor * budgets[-1])["fitted curve"]
        lines.append(
            f"    {whole_percent(made.score)} {format_interval(made.low, made.high)} at {_amount(made.budget, unit)},"
            f" {factor} times as far as was measured ({100 * LEVEL:.0f}% interval)"
        )
    return lines


def _num_apart(curve: Curve) -> int:
    return count_distinct_budgets(each.budget for each in positive(curve.points))


def _named(curve: Curve) -> str:
    return f"{curve.model}, {curve.task}, {curve.label}"


def _amount(budget: float, unit: str) -> str:
    return f"{budget:,.0f} {unit}" if unit == "examples" else f"{budget:.3g} {unit}"
