"""Every claim that a study's measurements support, and every one that they do not, within one error budget."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from educe.data.errors import UserError
from educe.eval.analysis.anomalies import Audits, blind_baseline
from educe.eval.analysis.claims.capability import gaps
from educe.eval.analysis.claims.claim import (
    Claim,
    Refused,
    Statement,
    Tested,
    check_share,
    condition_label,
    unusable,
    where,
)
from educe.eval.analysis.claims.gains import Control, Lifted, gain, incomparable, not_elicited, robust, within_ceiling
from educe.eval.analysis.claims.runs import run_differences
from educe.eval.analysis.claims.score import above_threshold, first_success, rarer_than
from educe.eval.analysis.conditions import Condition, by_task_and_model, plain_prompting
from educe.eval.analysis.controls import is_control, without_controls
from educe.eval.analysis.curves import Curve, join, without_sweeps
from educe.eval.analysis.formatting import format_odds
from educe.eval.analysis.primary import Pair, known_of
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.power import items_to_exclude
from educe.eval.measurement import Measurement

_RARELY_RIGHT = 0.5  # above this the first right answer costs hardly more than the elicitation
PRIMARY_SHARE = 0.5  # of the error budget, where a study names primary comparisons
# An early look may leave less than numbers near 1 can tell from nothing: then nothing is claimed.
_LEAST_ALPHA = 1e-12
# Refusals for what the scores are: whoever leaves them out of the correction lets scores choose what is tested.
_BY_SCORES = ("not supported", "no positive control")

Made = Claim | Refused


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a user may set: see `claims_of`."""

    above: float | None = None
    within: float = 0.02
    rarer: float = 1e-4
    margin: float = 0.05
    flops: float | None = None
    power: float = 0.9

    def __post_init__(self) -> None:
        for name in ("within", "rarer", "margin", "power", "above"):
            value = getattr(self, name)
            if value is not None:
                check_share(name, value)
        if self.flops is not None and not self.flops > 0:
            raise UserError(f"flops = {self.flops:g} is not a budget above 0; give the FLOPs of elicitation, as 1e13")


def claims_of(
    conditions: Sequence[Condition],
    limits: Limits | None = None,
    *,
    audits: Audits | None = None,
    primary: Sequence[Pair] = (),
    planned: int = 0,
    alpha: float = 0.05,
) -> list[Made]:
    """Every kind of claim tried on every condition and curve: which is decided by the design, never by a score.

    `limits`: `above` is the threshold (where left out, the larger of chance and the best answer without the question
    that `audits` know), `within` the distance to a ceiling, `rarer` a probability, `margin` the gain that robustness
    excludes, `flops` the elicitation to make claims about (as much as was measured where left out).

    All statements share one probability `alpha` that any claim is false: p values are corrected by Holm (1979), and an
    interval gets its even part. Half of it is for the `primary` comparisons where there are any, of which `planned` (or
    as many as were measured, if that is more) count. Below 1e-12 nothing is claimed. Conditions scored as a mean over
    formats are left out: they measure the effect of the wording. So are controls, but for the second side of a primary
    comparison. UserError for a value out of range.
    """
    limits = limits or Limits()
    conditions = [each for each in conditions if not any(map(_over_formats, each.measurements))]
    first = list(_primary(conditions, primary))
    share = PRIMARY_SHARE if primary else 0.0
    rest, elicited = max(_LEAST_ALPHA, (1 - share) * alpha), without_controls(conditions)
    others = list(_tried(elicited, limits, audits or {}, gains=not primary, alpha=rest))
    missing = max(0, planned - len(first))
    return [*_resolved(first, share * alpha, missing=missing), *_resolved(others, (1 - share) * alpha)]


def _tried(
    conditions: Sequence[Condition], limits: Limits, audits: Audits, *, gains: bool, alpha: float
) -> Iterator[Tested | Refused]:
    groups: dict[tuple[str, str], list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.model, condition.task), []).append(condition)
    groups = {key: sorted(members, key=_by_budget) for key, members in groups.items()}
    # The level of one statement where each gets the same: for power, and for steps after the first one.
    single = alpha / max(1, sum(map(_num_statements, groups.values())))
    control = _controls(groups, margin=limits.margin, alpha=alpha)
    for members in groups.values():
        plain = plain_prompting(members)
        for condition in members:
            yield from _of_condition(condition, limits, audits, alpha=single)
        yield from _rare(members, limits.rarer)
        if gains:
            yield from gaps(members)
        for curve in _curves(members):
            largest = curve.points[-1].condition
            if gains and plain is not None:
                yield gain(largest, plain)
            if len(curve.points) > 1:
                yield within_ceiling(curve, plain, within=limits.within, alpha=single)
            common = {"control": control, "flops": limits.flops, "power": limits.power, "alpha": single}
            yield robust(curve, plain, margin=limits.margin, **common)  # type: ignore[arg-type]
            if limits.above is not None:
                yield not_elicited(curve, plain, target=limits.above, **common)  # type: ignore[arg-type]


def _primary(conditions: Sequence[Condition], primary: Sequence[Pair]) -> Iterator[Tested | Refused]:
    """The gain of each primary comparison on every model and task where both sides were measured."""
    for members in by_task_and_model(conditions):
        by_name = {known_of(each): each for each in members}
        for first, second in primary:
            if {first, second} <= by_name.keys() and not is_control(by_name[first]):
                yield gain(by_name[first], by_name[second])


def _of_condition(condition: Condition, limits: Limits, audits: Audits, *, alpha: float) -> Iterator[Tested | Refused]:
    yield _threshold(condition, limits.above, audits)
    if condition.score >= _RARELY_RIGHT:
        text = f"{where(condition)}, {condition_label(condition)}: the cost of the first right answer"
        statement = Statement(kind="first success", about=(condition,), text=text)
        yield statement.refuse("half of the answers or more are right, so it costs hardly more than to elicit")
    else:
        above_guessing = _threshold(condition, None, audits)
        guessed = above_guessing.p if isinstance(above_guessing, Tested) else None
        yield first_success(condition, chance_p=guessed, alpha=alpha)


def _resolved(tried: Sequence[Tested | Refused], alpha: float, *, missing: int = 0) -> list[Made]:
    """Every statement claimed or refused, so that any claim is false with probability `alpha` at most.

    Statements that are `missing` because nothing was measured count as not significant.
    """
    tests = [each for each in tried if isinstance(each, Tested) or each.cause in _BY_SCORES]
    ps = {id(each): 1.0 if isinstance(each, Refused) else each.p for each in tests}
    with_p = {key: p for key, p in ps.items() if p is not None}
    # Set aside: for what is missing, and for the smaller budgets of each ceiling, tested at the level of one statement.
    aside = missing + sum(_kind(each) == "ceiling" for each in tests)
    statements = len(tests) + aside
    # Intervals get their even part; what is left is for Holm's correction of the p values.
    each_interval = 1 - alpha / max(1, statements)
    left = alpha * (len(with_p) + aside) / max(1, statements)
    adjusted = dict(zip(with_p, holm([*with_p.values(), *[1.0] * aside]), strict=False)) if with_p else {}

    def resolved(each: Tested | Refused) -> Made:
        if isinstance(each, Refused):
            return each
        if alpha < _LEAST_ALPHA:
            return each.statement.refuse("this early look leaves no error that a claim may make")
        if each.p is None:
            return each.at_level(each_interval, statements=statements)
        return each.resolve(float(adjusted[id(each)]), alpha=left, statements=statements)

    return [resolved(each) for each in tried]


def _kind(each: Tested | Refused) -> str:
    return each.kind if isinstance(each, Refused) else each.statement.kind


def _controls(groups: Mapping[tuple[str, str], Sequence[Condition]], *, margin: float, alpha: float) -> Control:
    """The positive controls of a study: the same recipe, settings and budget on another model or task.

    Five runs, each of which gains the margin at least; p values are corrected for the number of such conditions that
    the study has (Bonferroni), whatever their scores.
    """
    gained = cache(_gain)

    def control(tested: Condition) -> Lifted | None:
        same = [
            (each, plain)
            for key, members in groups.items()
            if key != (tested.model, tested.task) and (plain := plain_prompting(members)) is not None
            for each in members
            if (each.method, each.settings, each.examples) == (tested.method, tested.settings, tested.examples)
        ]
        found = [(p, each) for each, plain in same for p, least in [gained(each, plain)] if least >= margin]
        if not found:
            return None
        p, best = min(found, key=lambda one: one[0])
        corrected = min(1.0, p * len(same))
        return Lifted(condition=best, p=corrected) if corrected <= alpha else None

    return control


def _gain(condition: Condition, plain: Condition) -> tuple[float, float]:
    """The p value of a gain in every run, and the least that was measured; 1 and 0 where it cannot be tested."""
    if not condition.testable or unusable((condition, plain)) or incomparable([condition], plain):
        return 1.0, 0.0
    runs = run_differences(condition, plain)
    return max(each.p_above_zero() for each in runs), min(each.difference for each in runs)


def _num_statements(members: Sequence[Condition]) -> int:
    """The most that can be tried: four about a condition, rare events included, five about a curve, and three gaps."""
    return 4 * len(members) + 5 * len(_curves(members)) + 3


def _over_formats(measurement: Measurement) -> bool:
    return measurement.details.formats is not None and bool(measurement.details.formats.quantiles)


def _curves(conditions: Sequence[Condition]) -> list[Curve]:
    """All conditions but zero-shot as curves along labelled examples."""
    plain = plain_prompting(conditions)
    made = join(without_sweeps([condition for condition in conditions if condition is not plain]), "examples")
    return sorted(made, key=lambda curve: min(_by_budget(point.condition) for point in curve.points))


def _by_budget(condition: Condition) -> tuple[float, int, str, str]:
    """The most FLOPs of elicitation first, then the most labels, then by name."""
    # To two digits: the lengths of questions change the cost of the same training a little.
    return (
        -float(f"{condition.elicitation_flops:.1e}"),
        -condition.labelled_examples,
        condition.name,
        condition.settings,
    )


def _threshold(condition: Condition, above: float | None, audits: Audits) -> Tested | Refused:
    if above is not None:
        return above_threshold(condition, above)
    baseline, name = blind_baseline(condition, audits)
    if baseline is not None and 0 < baseline < 1:
        return above_threshold(condition, baseline, name=name)
    reason = "chance is not known"
    if baseline is not None:
        reason = (
            "guessing is always right" if baseline else "guessing is never right, so every right answer is above it"
        )
    text = f"{where(condition)}, {condition_label(condition)}: scores above chance"
    return Statement(kind="threshold", about=(condition,), text=text).refuse(reason, "not measured")


def _rare(conditions: Sequence[Condition], bound: float) -> Iterator[Tested | Refused]:
    """Bounds on right and wrong answers; one refusal for all where there are too few items for any bound."""
    first, needed = conditions[0], items_to_exclude(bound)
    most = max(condition.n for condition in conditions)
    if most >= needed:
        for condition in conditions:
            yield rarer_than(condition, bound, event="right")
            yield rarer_than(condition, bound, event="wrong")
        return
    text = f"{first.model} on {first.task}: right or wrong answers are rarer than {format_odds(bound)}"
    reason = f"it takes {needed:,} items without one, and there were {most:,}"
    yield Statement(kind="rare event", about=(first,), text=text).refuse(
        reason, "not measured", {"needed": needed, "n": most}
    )
