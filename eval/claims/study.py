"""Every claim that a study's measurements carry, and every one that they do not."""

from collections.abc import Callable, Mapping, Sequence

from data.errors import UserError
from eval.claims.budgets import not_elicited, robust, within_ceiling
from eval.claims.claim import Claim, Refused, check_share, one_in, sample_of
from eval.claims.fitted import elicited_by
from eval.claims.score import above_threshold, first_success, p_above, rarer_than
from eval.curve import Curve, Way, join, plain_prompting, without_sweeps
from eval.fit import Fit, fit
from eval.measurement import Measurement
from eval.report.words import trained_most
from eval.stats.multiple import holm
from eval.stats.power import corrected, items_to_exclude

_RARELY_RIGHT = 0.5  # elsewhere the first right answer costs what eliciting does


def claims_of(
    ways: Sequence[Way],
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
    """Every kind of claim tried on every way and curve, subject by subject and task by task.

    `above` is the threshold (chance where it is left out), `within` the distance to a ceiling, `rarer` a probability,
    `margin` the gain that robustness excludes, `flops` the elicitation to speak of (as much as was measured where it is
    left out). Of each kind the largest budget comes first. p values are corrected by Holm (1979), bounds by Bonferroni,
    over all claims of one kind: what holds is found by looking at all of them. Each alone stand how soon a curve comes
    near its largest budget or its fitted ceiling, and the interval of what the first right answer costs. Ways
    scored as a mean over formats are left out: they measure the wording, and nothing is elicited. `fit_of` gives a
    curve's fit, for who has it already.
    What the first right answer costs is told where most answers are wrong. UserError for a value that cannot be meant.
    """
    _check(within=within, rarer=rarer, margin=margin, power=power, level=level, above=above)
    if flops is not None and not flops > 0:
        raise UserError(f"flops = {flops:g} is no budget; give the FLOPs of elicitation to speak of, as 1e13")
    ways = [way for way in ways if not any(_over_formats(each) for each in way.measurements)]
    groups: dict[tuple[str, str], list[Way]] = {}
    for way in ways:
        groups.setdefault((way.subject, way.task), []).append(way)
    groups = {key: sorted(members, key=_by_budget) for key, members in groups.items()}
    curves = {key: _curves(members) for key, members in groups.items()}
    ps = _holm(ways, above)
    ceilings = {key: trained_most(members) for key, members in groups.items()}
    budgets = sum(len(curve.points) for each in curves.values() for curve in each)
    held = sum(len(curve.points) for key, each in curves.items() for curve in each if _below(curve, ceilings[key]))
    short = held + (budgets if above is not None else 0)
    made: list[Claim | Refused] = []
    for key, members in groups.items():
        plain, most = plain_prompting(members), ceilings[key]
        made += [_threshold(way, above, level, ps) for way in members]
        rare = [way for way in members if way.score < _RARELY_RIGHT]
        made += [first_success(way, level=level, comparisons=len(ways)) for way in rare]
        made += _rare(members, rarer, level, 2 * len(ways))
        for curve in curves[key]:
            if len(curve.points) > 1:
                made.append(within_ceiling(curve, plain, within=within, level=level))
                made.append(elicited_by(curve, fit_of(curve), within=within))
            common = {"flops": flops, "power": power, "level": level}
            made.append(robust(curve, plain, margin=margin, comparisons=budgets, **common))  # type: ignore[arg-type]
            common["comparisons"] = short
            if above is not None:
                made.append(not_elicited(curve, plain, target=above, **common))  # type: ignore[arg-type]
            if most is not None and _below(curve, most):
                made.append(not_elicited(curve, plain, target=most, within=within, **common))  # type: ignore[arg-type]
    return made


def _over_formats(measurement: Measurement) -> bool:
    return "quantiles" in measurement.provenance.get("answered", {})


def _check(**shares: float | None) -> None:
    for name, value in shares.items():
        if value is not None:
            check_share(name, value)


def _curves(ways: Sequence[Way]) -> list[Curve]:
    """What was tried beside plain prompting, along labelled examples."""
    plain = plain_prompting(ways)
    made = join(without_sweeps([way for way in ways if way is not plain]), "examples")
    return sorted(made, key=lambda curve: min(_by_budget(point.way) for point in curve.points))


def _below(curve: Curve, most: Way | None) -> bool:
    """Whether the curve can be held against the most trained way: there is one, and it is not the curve's own."""
    return most is not None and all(point.way is not most for point in curve.points)


def _by_budget(way: Way) -> tuple[float, int, str, str]:
    """The most FLOPs of elicitation first, then the most labels, then by name: the same whatever the order of cells."""
    # To two digits: lengths of questions make equal training cost a little more or less.
    return -float(f"{way.elicitation_flops:.1e}"), -way.labelled_examples, way.name, way.settings


def _threshold(way: Way, above: float | None, level: float, ps: Mapping[int, float]) -> Claim | Refused:
    threshold = way.chance if above is None else above
    if threshold is not None and 0 < threshold < 1:
        return above_threshold(way, threshold, level=level, comparisons=len(ps), p=ps.get(id(way)))
    statement = f"{way.subject} on {way.task}, {way.name}, scores above chance"
    reason = "chance is not known"
    if threshold is not None:
        reason = "guessing is always right" if threshold else "guessing is never right, so any right answer is above it"
    return Refused(kind="threshold", subject=way.subject, task=way.task, statement=statement, reason=reason, numbers={})


def _holm(ways: Sequence[Way], above: float | None) -> dict[int, float]:
    """Every way's p value of a score no higher than its threshold, corrected for all of them."""
    ps = {}
    for way in ways:
        threshold, sample = way.chance if above is None else above, sample_of(way)
        if threshold is not None and 0 < threshold < 1 and not isinstance(sample, str):
            ps[id(way)] = p_above(sample, threshold)[0]
    return dict(zip(ps, holm(list(ps.values())).tolist(), strict=True))


def _rare(ways: Sequence[Way], bound: float, level: float, comparisons: int) -> list[Claim | Refused]:
    """Right and wrong answers bounded; one refusal for all where so few items bound nothing, whatever they show."""
    first, needed = ways[0], items_to_exclude(bound, level=corrected(level, comparisons))
    alone, most = items_to_exclude(bound, level=level), max(way.n for way in ways)
    if most >= needed:
        return [
            rarer_than(way, bound, event=event, level=level, comparisons=comparisons)
            for way in ways
            for event in ("right", "wrong")
        ]
    return [
        Refused(
            kind="rare event",
            subject=first.subject,
            task=first.task,
            statement=f"{first.subject} on {first.task}: right or wrong answers are rarer than {one_in(bound)}",
            reason=f"it takes {needed:,} items without one ({alone:,} for this claim alone), and {most:,} were asked",
            numbers={"needed": needed, "n": most},
        )
    ]
