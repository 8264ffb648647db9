"""Claims from a fitted curve, not from measured points alone."""

from educe.eval.analysis.claims.claim import SETTINGS, Claim, Refused, Statement, check_share
from educe.eval.analysis.curves import Curve
from educe.eval.analysis.fit import MISFIT, Fit
from educe.eval.analysis.formatting import format_count, format_percent, format_points

FORM = "the curve has the fitted form between the budgets measured"


def elicited_by(curve: Curve, fitted: Fit | None, *, within: float) -> Claim | Refused:
    """The number of examples from which a fitted curve is within `within` of its ceiling, with an interval.

    `fitted` is the curve's fit along labelled examples. Refused where there is none, where it is flat, and where the
    interval contains "not reached". UserError for a distance outside (0, 1).
    """
    check_share("within", within)
    where = f"{curve.model} on {curve.task}"
    goal = f"within {format_points(within)} of the ceiling of the fitted curve of {curve.label}"
    statement = Statement(
        kind="ceiling",
        model=curve.model,
        task=curve.task,
        text=f"{where} comes {goal} at some number of labelled examples",
    )
    if fitted is None:
        return statement.refuse("a fit needs three budgets above 0")
    if fitted.misfit is not None and fitted.misfit < MISFIT:
        return statement.refuse(f"no form fits its points (goodness of fit p = {fitted.misfit:.1g})")
    if fitted.scores[-1] < fitted.scores[0]:
        return statement.refuse("the fitted curve falls")
    if fitted.form == "flat":
        return statement.refuse("the fitted curve is flat: it does not rise beyond its smallest budget")
    near, ceiling = fitted.budget_within(within), fitted.ceiling
    interval = f"{format_percent(ceiling.value)} [{format_percent(ceiling.low)}, {format_percent(ceiling.high)}]"
    if near.budget is None or near.low is None or near.high is None:
        largest = format_count(round(fitted.budgets[-1]), "labelled example")
        reason = f"its ceiling, {interval}, may lie beyond the largest budget, {largest}"
        return statement.refuse(reason, ceiling=ceiling.value)
    below = "at most " if near.low <= fitted.budgets[0] else ""
    return statement.claim(
        f"{where} comes {goal} with {near.budget:,.0f} [{below}{near.low:,.0f}, {near.high:,.0f}] labelled examples "
        f"({format_percent(fitted.level)} interval; {fitted.form}, ceiling {interval}; {fitted.n:,} items).",
        (FORM, SETTINGS),
        within=within,
        examples=near.budget,
        low=near.low,
        high=near.high,
        n=fitted.n,
    )
