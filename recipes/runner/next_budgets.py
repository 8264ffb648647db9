"""`educe plan DIR`: where the curves of a run reach a score, and which budget to measure next, with its price."""

from collections.abc import Sequence

from educe.data.errors import UserError
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.controls import without_controls
from educe.eval.analysis.crossing import NEAR, Crossing, NextBudget, budget_to_reach, near_largest, next_budget
from educe.eval.analysis.curves import Curve, join, positive, without_sweeps
from educe.eval.analysis.formatting import format_count, format_flops, format_percent, format_points


def next_budgets_text(conditions: Sequence[Condition], *, reach: float | None = None) -> str:
    """For each curve along labelled examples: the bracket of the score, what narrows it, and the price of all of that.

    `reach` is the score; without it, within 2 points of the score at the curve's largest budget. UserError for a score
    outside (0, 1).
    """
    if reach is not None and not 0 < reach < 1:
        raise UserError(f"--reach {reach:g} is not a score; give a share such as 0.9 for 90%")
    curves = [
        curve
        for curve in join(without_sweeps(without_controls(conditions)), "examples")
        if len(positive(curve.points)) > 1
    ]
    if not curves:
        return "no curve has two budgets above 0; run the study with more numbers of examples"
    near = f"comes within {format_points(NEAR)} of the score at the largest budget"
    goal = near if reach is None else f"reaches {format_percent(reach)}"
    lines, cells, flops = [f"first measured number of labelled examples that {goal}:"], 0, 0.0
    for curve in curves:
        found = near_largest(curve) if reach is None else budget_to_reach(curve, reach)
        proposed = next_budget(curve, found)
        lines.append(f"  {curve.model}, {curve.task}, {curve.label}: {_bracket(curve, found)}{_proposal(proposed)}")
        if proposed is not None:
            cells, flops = cells + proposed.cells, flops + proposed.flops
    price = f"{format_count(cells, 'cell')} and {format_flops(flops)}" if cells else "nothing"
    return "\n".join([*lines, f"to measure all of this next: {price}"])


def _bracket(curve: Curve, found: Crossing) -> str:
    if found.high is None:
        after = f"above {found.low:,.0f}" if found.low else "not known"
        return f"{after}; not shown to be reached up to {positive(curve.points)[-1].budget:,.0f}"
    return f"above {found.low:,.0f}, at most {found.high:,.0f}" if found.low else f"{found.high:,.0f} or less"


def _proposal(proposed: NextBudget | None) -> str:
    if proposed is None:
        return ""
    budgets = " and ".join(f"{budget:,.0f}" for budget in proposed.budgets)
    what = f"measure {budgets}" if proposed.new else f"as many more seeds at {budgets}"
    return f"; next, {what}: {format_count(proposed.cells, 'cell')}, {format_flops(proposed.flops)}"
