"""Claims that rest on a fitted curve and not on measured points alone."""

from educe.eval.analysis.claims.claim import Claim, Refused, check_share
from educe.eval.analysis.curves import Curve
from educe.eval.analysis.fit import MISFIT, Fit
from educe.eval.analysis.formatting import format_count, format_percent, format_points

FORM = "the curve has the fitted form between the budgets measured"


def elicited_by(curve: Curve, fitted: Fit | None, *, within: float) -> Claim | Refused:
    """By how many examples a fitted curve comes within `within` of its ceiling, with an interval.

    `fitted` is the curve's fit along labelled examples. Refused where there is none, where it is flat, and where "not
    reached" is inside the interval. UserError for a distance that is no share.
    """
    check_share("within", within)
    named = {"kind": "ceiling", "model": curve.model, "task": curve.task}
    statement = f"{curve.label} by so many examples within {format_points(within)} of the ceiling of its fitted curve"

    def refused(reason: str, **numbers: float) -> Refused:
        refused_statement = f"{curve.model} on {curve.task}, {statement}"
        return Refused(**named, statement=refused_statement, reason=reason, numbers=numbers)  # type: ignore[arg-type]

    if fitted is None:
        return refused("a fit takes three budgets above 0")
    if fitted.misfit is not None and fitted.misfit < MISFIT:
        return refused(f"no form describes its points (misfit p = {fitted.misfit:.1g})")
    if fitted.scores[-1] < fitted.scores[0]:
        return refused("the fitted curve falls")
    if fitted.form == "flat":
        return refused("the fitted curve is flat: no rise beyond its smallest budget is seen")
    near, ceiling = fitted.budget_within(within), fitted.ceiling
    largest = f"the largest budget, {format_count(round(fitted.budgets[-1]), 'labelled example')}"
    if near.budget is None or near.low is None or near.high is None:
        return refused(f"its ceiling, {_share(fitted)}, may lie beyond {largest}", ceiling=ceiling.value)
    below = "at most " if near.low <= fitted.budgets[0] else ""
    return Claim(
        **named,  # type: ignore[arg-type]
        sentence=(
            f"{curve.model} on {curve.task} is elicited to within {format_points(within)} of the ceiling of its fitted "
            f"curve under {curve.label} by {near.budget:,.0f} [{below}{near.low:,.0f}, {near.high:,.0f}] labelled "
            f"examples ({format_percent(fitted.level)} interval; {fitted.form}, ceiling {_share(fitted)}; {fitted.n:,} items)."
        ),
        numbers={"within": within, "examples": near.budget, "low": near.low, "high": near.high, "n": fitted.n},
        assumptions=(FORM, "other settings of the method may elicit more: what is said is said of these"),
    )


def _share(fitted: Fit) -> str:
    ceiling = fitted.ceiling
    return f"{format_percent(ceiling.value)} [{format_percent(ceiling.low)}, {format_percent(ceiling.high)}]"
