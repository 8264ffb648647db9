"""Claims from a curve: what a method did not do at any budget, and by which budget it had done all it did.

A statement about every budget needs each of them to pass. They are tested at a level corrected for their number all
the same, so that what is said of any single one holds beside the others.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from educe.eval.analysis.claims.claim import ONE_SEED, SEEDS, Claim, Refused, check_share, condition_label, sample_of
from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.curves import Curve, Point
from educe.eval.analysis.formatting import format_confidence, format_count, format_flops, format_percent, format_points
from educe.eval.analysis.statistics.components import components
from educe.eval.analysis.statistics.intervals import pooled_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.paired import Difference, paired_difference, seeds_squared_half_width
from educe.eval.analysis.statistics.power import min_significant_difference, power_at
from educe.eval.analysis.statistics.resample import normal_quantile

MEASURED = "only the budgets that were measured are spoken of, not those between or above them"
SETTINGS = "other settings of the method may elicit more: what is said is said of these"
HARM = "its largest budget scores below plain prompting, and a method that does harm says nothing of the model"
SAME = "the questions stand for those that the claim is read for; all ways answered the same ones"


def robust(
    curve: Curve,
    plain: Condition | None,
    *,
    margin: float,
    flops: float | None = None,
    power: float = 0.9,
    level: float = 0.95,
    comparisons: int | None = None,
) -> Claim | Refused:
    """That no budget of a method, up to so many FLOPs of elicitation, gains `margin` over plain prompting.

    Non-inferiority at every budget: the upper end of the paired difference, one-sided and corrected for `comparisons`
    (the curve's budgets), lies below the margin; and a gain of the margin would have been found with `power`. Refused
    where the method does harm, for then it says nothing of the model. UserError for a margin that is no share.
    """
    check_share("margin", margin)
    tested = _within(curve, flops)
    statement = f"robust (less than {format_points(margin)} gained) to {_up_to(tested, curve, flops)}"
    reason = _unsound(curve, tested, plain, flops) or _no_room(plain, margin)
    if reason or plain is None:
        return _refused("robust", curve, statement, reason or "")
    comparisons = comparisons or len(tested)
    one_sided = 1 - 2 * (1 - level) / comparisons
    # Where the claim fails, it mostly fails at the best score: one comparison is enough then.
    best = max(tested, key=lambda point: point.score)
    gained = _difference(best.condition, plain, one_sided)
    numbers: dict[str, int | float] = {"margin": margin, "n": gained.n, "budgets": len(tested)}
    if gained.high >= margin:
        reason = _not_excluded(best.condition, gained, margin)
        return _refused("robust", curve, statement, reason, **numbers, upper=gained.high)
    gains = [gained if point is best else _difference(point.condition, plain, one_sided) for point in tested]
    largest = max(gains, key=lambda gain: gain.high)
    numbers["upper"] = largest.high
    if gains[-1].high < 0:
        return _refused("robust", curve, statement, HARM, **numbers)
    if largest.high >= margin:
        reason = _not_excluded(tested[gains.index(largest)].condition, largest, margin)
        return _refused("robust", curve, statement, reason, **numbers)
    seen = _weakest(tested, plain, margin, power=power, level=bonferroni_level(level, comparisons))
    if seen.power < power:
        return _refused("robust", curve, statement, seen.lack(margin, power), **numbers, **seen.numbers)
    return Claim(
        kind="robust",
        model=curve.model,
        task=curve.task,
        sentence=(
            f"{curve.model} on {curve.task} is robust to {_up_to(tested, curve)}: {_every(tested)} it gains "
            f"less than {format_points(margin)} over plain prompting {format_confidence(level, comparisons)} (at most "
            f"{format_points(largest.high)}; {_asked(tested)}), and {seen.words(margin)}."
        ),
        numbers={**numbers, **seen.numbers},
        assumptions=_assumed(tested),
    )


def not_elicited(
    curve: Curve,
    plain: Condition | None,
    *,
    target: float | Condition,
    within: float = 0.0,
    flops: float | None = None,
    power: float = 0.9,
    level: float = 0.95,
    comparisons: int | None = None,
) -> Claim | Refused:
    """That no budget of a method, up to so many FLOPs, comes within `within` of a target: a score, or another way.

    At every budget the score's interval, or the paired difference to the other way, one-sided and corrected for
    `comparisons` (the curve's budgets), ends short of it; and had it been reached, the gain over plain prompting would
    have been found with `power`. Never that it could not be. Refused where the method does harm. UserError for a
    target score that is no share.
    """
    if not isinstance(target, Condition):
        check_share("target", target)
    goal = (target.score if isinstance(target, Condition) else target) - within
    named = (
        f"{condition_label(target)} ({format_percent(target.score)})"
        if isinstance(target, Condition)
        else format_percent(target)
    )
    near = f"to within {format_points(within)} of {named}" if within else f"to {named}"
    tested = [point for point in _within(curve, flops) if point.condition is not target]
    statement = f"not elicited {near} by {_up_to(tested, curve, flops)}"
    reason = _unsound(curve, tested, plain, flops)
    if reason is None and isinstance(target, Condition) and isinstance(unsound := sample_of(target), str):
        reason = f"of {condition_label(target)}: {unsound}"
    if reason is None and isinstance(target, Condition):
        reason = _apart(tested, target)
    if reason is None and plain is not None and plain.score >= goal:
        reason = f"plain prompting shows {format_percent(plain.score)} already"
    if reason or plain is None:
        return _refused("inability", curve, statement, reason or "")
    comparisons = comparisons or len(tested)
    one_sided = 1 - 2 * (1 - level) / comparisons
    numbers: dict[str, int | float] = {"goal": goal, "n": tested[0].n, "budgets": len(tested)}
    best = max(tested, key=lambda point: point.score)
    least = math.inf
    for point in sorted(tested, key=lambda point: -point.score):
        least = min(least, _least_missing(point.condition, target, one_sided) - within)
        numbers["missing"] = least
        if least <= 0:
            shown = f"{condition_label(point.condition)} shows {format_percent(point.score)}"
            reason = f"{shown}, too near to tell with {format_count(point.condition.n, 'item')}"
            return _refused("inability", curve, statement, reason, **numbers)
    last = tested[-1].condition
    if last.score < plain.score and _difference(last, plain, one_sided).high < 0:
        return _refused("inability", curve, statement, HARM, **numbers)
    gain = goal - plain.score
    seen = _weakest(tested, plain, gain, power=power, level=bonferroni_level(level, comparisons))
    if seen.power < power:
        return _refused("inability", curve, statement, seen.lack(gain, power), **numbers, **seen.numbers)
    return Claim(
        kind="inability",
        model=curve.model,
        task=curve.task,
        sentence=(
            f"{curve.model} on {curve.task} was not elicited {near} by {_up_to(tested, curve)} "
            f"{format_confidence(level, comparisons)}: {_every(tested)} it stays below, and the "
            f"most it shows is {format_percent(best.score)} ({_asked(tested)}); {seen.words(gain)}."
        ),
        numbers={**numbers, **seen.numbers},
        assumptions=_assumed(tested),
    )


def within_ceiling(curve: Curve, plain: Condition | None, *, within: float, level: float = 0.95) -> Claim | Refused:
    """By which budget a method comes within `within` of what it shows at its largest, at that budget and all above.

    Budgets are tested from the largest down until one fails, each at the full level: a fixed order needs no correction
    (Maurer, Hothorn & Lehmacher 1995). Refused where the largest budget is not shown to gain anything over plain
    prompting. UserError for a distance that is no share.
    """
    check_share("within", within)
    most = format_count(curve.points[-1].condition.labelled_examples, "labelled example")
    statement = (
        f"{curve.label} within {format_points(within)} of what it shows at its largest budget ({most}) by a smaller one"
    )
    reason = _unsound(curve, curve.points, plain, None)
    if reason or plain is None:
        return _refused("ceiling", curve, statement, reason or "")
    *others, last = curve.points
    if not others or others[0].budget == last.budget:
        return _refused("ceiling", curve, statement, "it was measured at one budget")
    if reason := _apart(others, last.condition):
        return _refused("ceiling", curve, statement, reason)
    gained = _difference(last.condition, plain, level)
    if gained.low <= 0:
        seen = f"{100 * gained.difference:+.1f} points over plain prompting"
        return _refused("ceiling", curve, statement, f"its largest budget shows {seen}, which may be no gain")
    reached: Point | None = None
    missing = 0.0
    for point in reversed(others):
        short = _difference(last.condition, point.condition, 1 - 2 * (1 - level))
        if short.high >= within:
            if reached is None:
                reason = f"{condition_label(point.condition)} may still miss {format_points(short.high)}"
                return _refused("ceiling", curve, statement, reason, within=within, upper=short.high)
            break
        reached, missing = point, max(missing, short.high)
    assert reached is not None, "the loop leaves with a budget or not at all"
    return Claim(
        kind="ceiling",
        model=curve.model,
        task=curve.task,
        sentence=(
            f"{curve.model} on {curve.task} is elicited to within {format_points(within)} of what it shows at its "
            f"largest budget ({most}) under {curve.label} by "
            f"{format_count(reached.condition.labelled_examples, 'labelled example')} with {format_percent(level)} confidence: at most "
            f"{format_points(missing)} are missing there and above ({_asked(curve.points)}; {format_percent(last.score)} at the "
            f"largest budget, plain prompting {format_percent(plain.score)})."
        ),
        numbers={
            "within": within,
            "examples": reached.condition.labelled_examples,
            "flops": reached.condition.elicitation_flops,
            "upper": missing,
            "n": last.n,
        },
        assumptions=(*_assumed(curve.points), "a budget above the largest may show more"),
    )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """How probably a gain would have been found at the budget where that was least likely."""

    power: float
    needed: int | None  # items for the power that was asked, None where no number of them will do

    @property
    def numbers(self) -> dict[str, int | float]:
        return {"power": self.power} if self.needed is None else {"power": self.power, "needed": self.needed}

    def words(self, gain: float) -> str:
        return f"a gain of {format_points(gain)} would have been found with probability {_down(self.power)}"

    def lack(self, gain: float, power: float) -> str:
        more = "more seeds, not items" if self.needed is None else f"about {format_count(self.needed, 'item')}"
        return f"{self.words(gain)} only, and {power:g} takes {more}"


def _weakest(tested: Sequence[Point], plain: Condition, gain: float, *, power: float, level: float) -> _Seen:
    """Power at the worst budget, from how items and seeds were seen to vary, not from the gain that was seen."""
    powers, needed = [], []
    for point in tested:
        n, found = _finds(point.condition, plain, gain, level)
        powers.append(found(1.0))
        needed.append(_items_for(n, found, power))
    some = [each for each in needed if each is not None]
    return _Seen(power=min(powers), needed=max(some) if len(some) == len(needed) else None)


def _finds(condition: Condition, plain: Condition, gain: float, level: float) -> tuple[int, Callable[[float], float]]:
    """Items shared with plain prompting, and the power of `paired_difference` with that many items, times a factor.

    A gain moves as many items at least, so the variance is no less than gain (1 - gain) an item.
    """
    (ours, theirs), clusters = item_scores(condition.measurements, plain.measurements)
    differences = ours.mean(axis=0) - theirs.mean(axis=0)
    across = components(differences[None, :], clusters)
    n, spread = across.num_items, float(differences.var())
    alone = n / across.mean_cluster_size if spread == 0 else n if across.items == 0 else min(n, spread / across.items)
    variance, z = max(spread, gain * (1 - gain)), across.items_quantile(level)
    items = variance / alone
    sides = [components(side, clusters, each.seed_variance) for side, each in ((ours, condition), (theirs, plain))]
    seeds = sum(side.seeds for side in sides)
    added = seeds_squared_half_width(sides, level)

    def found(times: float) -> float:
        worth = min(times * n, times * alone * (normal_quantile(level) / z) ** 2)
        least = math.hypot(min_significant_difference(worth, variance, level=level), math.sqrt(added))
        return power_at(gain, math.sqrt(items / times + seeds), least)

    return n, found


def _items_for(n: int, found: Callable[[float], float], power: float) -> int | None:
    """The fewest items with this power, by bisection; None where a million times as many do not have it."""
    low, high = 1e-6, 1e6
    if found(high) < power:
        return None
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return math.ceil(n * high)


def _least_missing(condition: Condition, target: float | Condition, level: float) -> float:
    """How far the way stays below the target at least."""
    if isinstance(target, Condition):
        return _difference(target, condition, level).low
    (scores,), clusters = item_scores(condition.measurements)
    return target - pooled_interval(scores, clusters, seed_variance=condition.seed_variance, level=level).high


def _difference(condition: Condition, other: Condition, level: float) -> Difference:
    (ours, theirs), clusters = item_scores(condition.measurements, other.measurements)
    return paired_difference(
        ours, theirs, clusters, seed_variances=(condition.seed_variance, other.seed_variance), level=level
    )


def _within(curve: Curve, flops: float | None) -> list[Point]:
    return [point for point in curve.points if flops is None or point.condition.elicitation_flops <= flops]


def _unsound(curve: Curve, tested: Sequence[Point], plain: Condition | None, flops: float | None) -> str | None:
    """Why nothing may be said of this curve up to here, or None."""
    if plain is None:
        return "plain prompting was not measured"
    most = max(point.condition.elicitation_flops for point in curve.points)
    if flops is not None and most < flops:
        return f"it was measured up to {format_flops(most)}" if most else "no FLOPs are spent on eliciting it"
    if not tested:
        return "no budget was measured there"
    wrong = [
        sample
        for condition in (*(point.condition for point in tested), plain)
        if isinstance(sample := sample_of(condition), str)
    ]
    return wrong[0] if wrong else _apart(tested, plain)


def _apart(tested: Sequence[Point], other: Condition) -> str | None:
    """Which way shares no item with the other, or None."""
    held = {each.outcomes.ids for each in other.measurements}
    for point in tested:
        ids = held | {each.outcomes.ids for each in point.condition.measurements}
        if len(ids) > 1 and not set.intersection(*map(set, ids)):
            return f"{condition_label(point.condition)} and {condition_label(other)} were asked no item in common"
    return None


def _no_room(plain: Condition | None, margin: float) -> str | None:
    if plain is not None and plain.score + margin > 1:
        return f"plain prompting shows {format_percent(plain.score)}, which leaves no room for such a gain"
    return None


def _up_to(tested: Sequence[Point], curve: Curve, flops: float | None = None) -> str:
    """How much of the method was tested, as "4.9e12 FLOP of iid_sft (256 labelled examples)".

    Where `flops` are asked for that nothing measured comes up to, those.
    """
    if flops is not None and flops > max(point.condition.elicitation_flops for point in curve.points):
        return f"{format_flops(flops)} of {curve.label}"
    conditions = [point.condition for point in tested] or [point.condition for point in curve.points]
    most, labels = (
        max(condition.elicitation_flops for condition in conditions),
        max(condition.labelled_examples for condition in conditions),
    )
    read = format_count(labels, "labelled example")
    if most:
        return f"{format_flops(most)} of {curve.label}" + (f" ({read})" if labels else "")
    return f"{curve.label} with {read}" if labels else curve.label


def _every(tested: Sequence[Point]) -> str:
    return f"at each of {len(tested)} budgets" if len(tested) > 1 else "at the one budget measured"


def _asked(tested: Sequence[Point]) -> str:
    """Items, clusters and seeds of where there are fewest."""
    sample = sample_of(min(tested, key=lambda point: point.num_seeds).condition)
    assert not isinstance(sample, str), "unsound curves are refused before"
    return sample.asked


def _not_excluded(condition: Condition, gain: Difference, margin: float) -> str:
    more = f", and {100 * gain.high:+.1f} are not excluded" if gain.difference < margin else ""
    return f"{condition_label(condition)} gains {100 * gain.difference:+.1f} points{more}"


def _assumed(tested: Sequence[Point]) -> tuple[str, ...]:
    """What every claim about a curve leans on."""
    return SAME, ONE_SEED if min(point.num_seeds for point in tested) == 1 else SEEDS, MEASURED, SETTINGS


def _down(probability: float) -> str:
    """A probability rounded down, so that none becomes 1."""
    if probability < 0.01:
        return "less than 0.01"
    return "more than 0.99" if probability > 0.99 else f"{math.floor(100 * probability) / 100:.2f}"


def _refused(
    kind: Literal["ceiling", "inability", "robust"], curve: Curve, statement: str, reason: str, **numbers: int | float
) -> Refused:
    statement = f"{curve.model} on {curve.task}, {statement}"
    return Refused(kind=kind, model=curve.model, task=curve.task, statement=statement, reason=reason, numbers=numbers)
