"""Every claim that a study's measurements support, and every one that they do not."""

from collections.abc import Callable, Mapping, Sequence

from educe.data.errors import UserError
from educe.eval.analysis.claims.budgets import not_elicited, robust, within_ceiling
from educe.eval.analysis.claims.claim import Claim, Refused, Statement, check_share, sample_of
from educe.eval.analysis.claims.fitted import elicited_by
from educe.eval.analysis.claims.score import above_threshold, first_success, p_above, rarer_than
from educe.eval.analysis.conditions import Condition, most_trained, plain_prompting
from educe.eval.analysis.curves import Curve, join, without_sweeps
from educe.eval.analysis.fit import Fit, fit
from educe.eval.analysis.formatting import format_odds
from educe.eval.analysis.statistics.multiple import bonferroni_level, holm
from educe.eval.analysis.statistics.power import items_to_exclude
from educe.eval.measurement import Measurement

_RARELY_RIGHT = 0.5  # above this the first right answer costs hardly more than the elicitation


def claims_of(
    conditions: Sequence[Condition],
    *,
    above: float | None = None,
    within: float = 0.02,
    rarer: float = 1e-4,
    margin: float = 0.05,
    flops: float | None = None,
    power: float = 0.9,
    level: float = 0.95,
    fit_of: Callable[[Curve], Fit | None] = fit,
) -> list[Claim | Refused]:
    """Every kind of claim tried on every condition and curve, model by model and task by task.

    `above` is the threshold (chance where it is left out), `within` the distance to a ceiling, `rarer` a probability,
    `margin` the gain that robustness excludes, `flops` the elicitation to make claims about (as much as was measured
    where it is left out), `fit_of` a function that gives a curve's fit, for callers who have the fits already.

    p values are corrected by Holm (1979), bounds by Bonferroni, over all claims of one kind. Not corrected are the
    budgets close to a ceiling, measured or fitted, and the interval of the cost of the first right answer, which is
    given where most answers are wrong. Of each kind the largest budget comes first. Conditions scored as a mean over
    formats are left out: they measure the effect of the wording. UserError for a value out of range.
    """
    shares = {"within": within, "rarer": rarer, "margin": margin, "power": power, "level": level, "above": above}
    for name, value in shares.items():
        if value is not None:
            check_share(name, value)
    if flops is not None and not flops > 0:
        raise UserError(f"flops = {flops:g} is not a budget above 0; give the FLOPs of elicitation, as 1e13")
    conditions = [each for each in conditions if not any(map(_over_formats, each.measurements))]
    groups: dict[tuple[str, str], list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.model, condition.task), []).append(condition)
    groups = {key: sorted(members, key=_by_budget) for key, members in groups.items()}
    curves = {key: _curves(members) for key, members in groups.items()}
    ps = _holm(conditions, above)
    ceilings = {key: most_trained(members) for key, members in groups.items()}
    budgets = sum(len(curve.points) for each in curves.values() for curve in each)
    below = sum(len(curve.points) for key, each in curves.items() for curve in each if _below(curve, ceilings[key]))
    targets = below + (budgets if above is not None else 0)
    made: list[Claim | Refused] = []
    for key, members in groups.items():
        plain, most = plain_prompting(members), ceilings[key]
        made += [_threshold(condition, above, level, ps) for condition in members]
        rare = [condition for condition in members if condition.score < _RARELY_RIGHT]
        made += [first_success(condition, level=level, comparisons=len(conditions)) for condition in rare]
        made += _rare(members, rarer, level, 2 * len(conditions))
        for curve in curves[key]:
            if len(curve.points) > 1:
                made.append(within_ceiling(curve, plain, within=within, level=level))
                made.append(elicited_by(curve, fit_of(curve), within=within))
            common = {"flops": flops, "power": power, "level": level}
            made.append(robust(curve, plain, margin=margin, comparisons=budgets, **common))  # type: ignore[arg-type]
            common["comparisons"] = targets
            if above is not None:
                made.append(not_elicited(curve, plain, target=above, **common))  # type: ignore[arg-type]
            if most is not None and _below(curve, most):
                made.append(not_elicited(curve, plain, target=most, within=within, **common))  # type: ignore[arg-type]
    return made


def _over_formats(measurement: Measurement) -> bool:
    return measurement.details.formats is not None and bool(measurement.details.formats.quantiles)


def _curves(conditions: Sequence[Condition]) -> list[Curve]:
    """All conditions but zero-shot as curves along labelled examples."""
    plain = plain_prompting(conditions)
    made = join(without_sweeps([condition for condition in conditions if condition is not plain]), "examples")
    return sorted(made, key=lambda curve: min(_by_budget(point.condition) for point in curve.points))


def _below(curve: Curve, most: Condition | None) -> bool:
    """Whether the curve can be compared with the most trained condition: there is one, and it is not of this curve."""
    return most is not None and all(point.condition is not most for point in curve.points)


def _by_budget(condition: Condition) -> tuple[float, int, str, str]:
    """The most FLOPs of elicitation first, then the most labels, then by name."""
    # To two digits: the lengths of questions change the cost of the same training a little.
    return (
        -float(f"{condition.elicitation_flops:.1e}"),
        -condition.labelled_examples,
        condition.name,
        condition.settings,
    )


def _threshold(condition: Condition, above: float | None, level: float, ps: Mapping[int, float]) -> Claim | Refused:
    threshold = condition.chance if above is None else above
    if threshold is not None and 0 < threshold < 1:
        return above_threshold(condition, threshold, level=level, comparisons=len(ps), p=ps.get(id(condition)))
    reason = "chance is not known"
    if threshold is not None:
        reason = (
            "guessing is always right" if threshold else "guessing is never right, so every right answer is above it"
        )
    text = f"{condition.model} on {condition.task}, {condition.name}, scores above chance"
    return Statement(kind="threshold", model=condition.model, task=condition.task, text=text).refuse(reason)


def _holm(conditions: Sequence[Condition], above: float | None) -> dict[int, float]:
    """Every condition's p value for its threshold, corrected for all of them, by the condition's id."""
    ps = {}
    for condition in conditions:
        threshold, sample = condition.chance if above is None else above, sample_of(condition)
        if threshold is not None and 0 < threshold < 1 and not isinstance(sample, str):
            ps[id(condition)] = p_above(sample, threshold)[0]
    return dict(zip(ps, holm(list(ps.values())).tolist(), strict=True))


def _rare(conditions: Sequence[Condition], bound: float, level: float, comparisons: int) -> list[Claim | Refused]:
    """Bounds on right and wrong answers; one refusal for all where there are too few items for any bound."""
    first, needed = conditions[0], items_to_exclude(bound, level=bonferroni_level(level, comparisons))
    uncorrected, most = items_to_exclude(bound, level=level), max(condition.n for condition in conditions)
    if most >= needed:
        return [
            rarer_than(condition, bound, event=event, level=level, comparisons=comparisons)
            for condition in conditions
            for event in ("right", "wrong")
        ]
    text = f"{first.model} on {first.task}: right or wrong answers are rarer than {format_odds(bound)}"
    reason = f"it takes {needed:,} items without one ({uncorrected:,} without correction), and there were {most:,}"
    statement = Statement(kind="rare event", model=first.model, task=first.task, text=text)
    return [statement.refuse(reason, needed=needed, n=most)]
