"""Claims from a curve: a gain or score that no budget reaches, and the budget that is close to the largest one's.

A statement about every budget needs each of them to pass. Each is still tested at a level corrected for their number,
so that the numbers given for single budgets hold together.
"""

import math
from collections.abc import Sequence
from typing import Literal

from educe.eval.analysis.claims.claim import (
    ONE_SEED,
    SEEDS,
    SETTINGS,
    Claim,
    Refused,
    Statement,
    check_share,
    condition_label,
    sample_of,
)
from educe.eval.analysis.claims.detection import Detection, detection
from educe.eval.analysis.conditions import Condition, compare, sides_of
from educe.eval.analysis.curves import Curve, Point
from educe.eval.analysis.formatting import (
    format_confidence,
    format_count,
    format_flops,
    format_percent,
    format_points,
)
from educe.eval.analysis.statistics.intervals import pooled_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.paired import Difference

MEASURED = "the claim covers the measured budgets, not those between or above them"
NO_BASELINE = "zero-shot was not measured"
HARM = "its largest budget scores below zero-shot, and a recipe that does harm shows nothing about the model"
SAME = "the test items are a random sample of the questions of interest; all conditions answered the same ones"


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
    """That no budget of a recipe, up to so many FLOPs of elicitation, gains `margin` over zero-shot.

    Non-inferiority at every budget: the upper end of the paired difference, one-sided and corrected for `comparisons`
    (the curve's budgets), lies below the margin; and a gain of the margin would have been detected with `power`.
    Refused where the recipe does harm. UserError for a margin outside (0, 1).
    """
    check_share("margin", margin)
    tested = _up_to(curve, flops)
    gain = f"gains less than {format_points(margin)} over zero-shot"
    statement = _statement("robust", curve, f"{gain} with {_elicitation(tested, curve, flops)}")
    if plain is None:
        return statement.refuse(NO_BASELINE)
    if reason := _unsound(curve, tested, plain, flops) or _no_room(plain, margin):
        return statement.refuse(reason)
    comparisons = comparisons or len(tested)
    one_sided = 1 - 2 * (1 - level) / comparisons
    # Where the claim fails, it mostly fails at the best score: one comparison is then enough.
    best = max(tested, key=lambda point: point.score)
    gained = compare(best.condition, plain, level=one_sided)
    numbers: dict[str, int | float] = {"margin": margin, "n": gained.n, "budgets": len(tested)}
    if gained.high >= margin:
        return statement.refuse(_not_excluded(best.condition, plain, gained, margin), **numbers, upper=gained.high)
    gains = [gained if point is best else compare(point.condition, plain, level=one_sided) for point in tested]
    largest = max(gains, key=lambda each: each.high)
    numbers["upper"] = largest.high
    if gains[-1].high < 0:
        return statement.refuse(HARM, **numbers)
    if largest.high >= margin:
        condition = tested[gains.index(largest)].condition
        return statement.refuse(_not_excluded(condition, plain, largest, margin), **numbers)
    found = _least_detected(tested, plain, margin, power=power, level=bonferroni_level(level, comparisons))
    if found.power < power:
        return statement.refuse(found.shortfall(margin, power), **numbers, **found.numbers)
    return statement.claim(
        f"{curve.model} on {curve.task} is robust to {_elicitation(tested, curve)}: {_every(tested)} it {gain} "
        f"{format_confidence(level, comparisons)} (at most {format_points(largest.high)}; {_size(tested)}), and "
        f"{found.text(margin)}.",
        _assumptions(tested),
        **numbers,
        **found.numbers,
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
    """That no budget of a recipe, up to so many FLOPs, comes within `within` of a target: a score or a condition.

    At every budget the score's interval, or the paired difference to the other condition, one-sided and corrected for
    `comparisons` (the curve's budgets), ends below the target; and had the target been reached, the gain over plain
    prompting would have been detected with `power`. It does not claim that the target cannot be reached. Refused where
    the recipe does harm. UserError for a target score outside (0, 1).
    """
    other = target if isinstance(target, Condition) else None
    if not isinstance(target, Condition):
        check_share("target", target)
    score = target.score if isinstance(target, Condition) else target
    goal = score - within
    named = f"{condition_label(other)} ({format_percent(score)})" if other else format_percent(score)
    near = f"to within {format_points(within)} of {named}" if within else f"to {named}"
    tested = [point for point in _up_to(curve, flops) if point.condition is not other]
    statement = _statement("inability", curve, f"was not elicited {near} by {_elicitation(tested, curve, flops)}")
    if plain is None:
        return statement.refuse(NO_BASELINE)
    if reason := _unsound(curve, tested, plain, flops) or _bad_target(tested, plain, other, goal):
        return statement.refuse(reason)
    comparisons = comparisons or len(tested)
    one_sided = 1 - 2 * (1 - level) / comparisons
    numbers: dict[str, int | float] = {"goal": goal, "n": tested[0].n, "budgets": len(tested)}
    best = max(tested, key=lambda point: point.score)
    missing = math.inf
    for point in sorted(tested, key=lambda point: -point.score):
        missing = min(missing, _lower_distance(point.condition, target, one_sided) - within)
        numbers["missing"] = missing
        if missing <= 0:
            items = format_count(point.condition.n, "item")
            reason = (
                f"{condition_label(point.condition)} scores {format_percent(point.score)}, which {items} cannot "
                "distinguish from the target"
            )
            return statement.refuse(reason, **numbers)
    last = tested[-1].condition
    if last.score < plain.score and compare(last, plain, level=one_sided).high < 0:
        return statement.refuse(HARM, **numbers)
    gain = goal - plain.score
    found = _least_detected(tested, plain, gain, power=power, level=bonferroni_level(level, comparisons))
    if found.power < power:
        return statement.refuse(found.shortfall(gain, power), **numbers, **found.numbers)
    return statement.claim(
        f"{statement.text} {format_confidence(level, comparisons)}: {_every(tested)} it scores below that, at most "
        f"{format_percent(best.score)} ({_size(tested)}), and {found.text(gain)}.",
        _assumptions(tested),
        **numbers,
        **found.numbers,
    )


def within_ceiling(curve: Curve, plain: Condition | None, *, within: float, level: float = 0.95) -> Claim | Refused:
    """The budget from which a recipe stays within `within` of its score at its largest budget.

    Budgets are tested from the largest down until one fails, each at the full level: a fixed order needs no correction
    (Maurer, Hothorn & Lehmacher 1995). Refused where the largest budget does not significantly gain over plain
    prompting. UserError for a distance outside (0, 1).
    """
    check_share("within", within)
    most = format_count(curve.points[-1].condition.labelled_examples, "labelled example")
    goal = f"within {format_points(within)} of the score of {curve.label} at its largest budget ({most})"
    statement = _statement("ceiling", curve, f"comes {goal} at a smaller one")
    if plain is None:
        return statement.refuse(NO_BASELINE)
    if reason := _unsound(curve, curve.points, plain, None):
        return statement.refuse(reason)
    *others, last = curve.points
    if not others or others[0].budget == last.budget:
        return statement.refuse("it was measured at one budget only")
    if reason := _nothing_shared(others, last.condition):
        return statement.refuse(reason)
    gained = compare(last.condition, plain, level=level)
    if gained.low <= 0:
        gain = f"{100 * gained.difference:+.1f} points over zero-shot"
        return statement.refuse(f"the gain of its largest budget, {gain}, is not significant")
    reached: Point | None = None
    missing = 0.0
    for point in reversed(others):
        short = compare(last.condition, point.condition, level=1 - 2 * (1 - level))
        if short.high >= within:
            if reached is None:
                reason = f"{condition_label(point.condition)} may score up to {format_points(short.high)} less"
                return statement.refuse(reason, within=within, upper=short.high)
            break
        reached, missing = point, max(missing, short.high)
    assert reached is not None, "the loop ends with a budget or returns"
    enough = format_count(reached.condition.labelled_examples, "labelled example")
    return statement.claim(
        f"{curve.model} on {curve.task} comes {goal} with {enough} ({format_percent(level)} confidence): from there on "
        f"at most {format_points(missing)} are missing ({_size(curve.points)}; {format_percent(last.score)} at the "
        f"largest budget, zero-shot {format_percent(plain.score)}).",
        (*_assumptions(curve.points), "a budget above the largest may score higher"),
        within=within,
        examples=reached.condition.labelled_examples,
        flops=reached.condition.elicitation_flops,
        upper=missing,
        n=last.n,
    )


def _least_detected(tested: Sequence[Point], plain: Condition, gain: float, *, power: float, level: float) -> Detection:
    """The power at the budget where it is lowest, and the largest number of items needed."""
    found = [detection(point.condition, plain, gain, power=power, level=level) for point in tested]
    needed = [each.needed for each in found if each.needed is not None]
    return Detection(power=min(each.power for each in found), needed=max(needed) if len(needed) == len(found) else None)


def _lower_distance(condition: Condition, target: float | Condition, level: float) -> float:
    """The lower end of the distance from the condition up to the target."""
    if isinstance(target, Condition):
        return compare(target, condition, level=level).low
    (side,), clusters = sides_of(condition.measurements)
    return target - pooled_interval(side, clusters, level=level).high


def _up_to(curve: Curve, flops: float | None) -> list[Point]:
    return [point for point in curve.points if flops is None or point.condition.elicitation_flops <= flops]


def _unsound(curve: Curve, tested: Sequence[Point], plain: Condition, flops: float | None) -> str | None:
    """Why nothing can be claimed of this curve up to this cost, or None."""
    most = max(point.condition.elicitation_flops for point in curve.points)
    if flops is not None and most < flops:
        return f"it was measured up to {format_flops(most)}" if most else "its elicitation costs no FLOPs"
    if not tested:
        return "no budget was measured up to this cost"
    for condition in (*(point.condition for point in tested), plain):
        if isinstance(sample := sample_of(condition), str):
            return sample
    return _nothing_shared(tested, plain)


def _nothing_shared(tested: Sequence[Point], other: Condition) -> str | None:
    """The conditions that share no item with the other one, or None."""
    ids_of_other = {each.outcomes.ids for each in other.measurements}
    for point in tested:
        ids = ids_of_other | {each.outcomes.ids for each in point.condition.measurements}
        if len(ids) > 1 and not set.intersection(*map(set, ids)):
            return f"{condition_label(point.condition)} and {condition_label(other)} share no test item"
    return None


def _no_room(plain: Condition, margin: float) -> str | None:
    if plain.score + margin > 1:
        return f"zero-shot scores {format_percent(plain.score)}, so a gain of this size is not possible"
    return None


def _bad_target(tested: Sequence[Point], plain: Condition, other: Condition | None, goal: float) -> str | None:
    """Why nothing can be claimed about this target, or None."""
    if other is not None and isinstance(sample := sample_of(other), str):
        return f"of {condition_label(other)}: {sample}"
    if other is not None and (reason := _nothing_shared(tested, other)):
        return reason
    return f"zero-shot already scores {format_percent(plain.score)}" if plain.score >= goal else None


def _elicitation(tested: Sequence[Point], curve: Curve, flops: float | None = None) -> str:
    """The elicitation that was tested, as "4.9e12 FLOPs of iid_sft (256 labelled examples)".

    With `flops` above what was measured, those.
    """
    conditions = [point.condition for point in tested or curve.points]
    if flops is not None and flops > max(point.condition.elicitation_flops for point in curve.points):
        return f"{format_flops(flops)} of {curve.label}"
    most = max(condition.elicitation_flops for condition in conditions)
    labels = max(condition.labelled_examples for condition in conditions)
    read = format_count(labels, "labelled example")
    if most:
        return f"{format_flops(most)} of {curve.label}" + (f" ({read})" if labels else "")
    return f"{curve.label} with {read}" if labels else curve.label


def _every(tested: Sequence[Point]) -> str:
    return f"at each of {len(tested)} budgets" if len(tested) > 1 else "at the one budget measured"


def _size(tested: Sequence[Point]) -> str:
    """Items, clusters and seeds of the condition with the fewest seeds."""
    sample = sample_of(min(tested, key=lambda point: point.num_seeds).condition)
    assert not isinstance(sample, str), "unsound curves are refused before"
    return sample.size


def _not_excluded(condition: Condition, plain: Condition, gain: Difference, margin: float) -> str:
    """The gain, and the largest one in its interval that is possible above the baseline's score."""
    found = f"{condition_label(condition)} gains {100 * gain.difference:+.1f} points"
    if gain.difference >= margin:
        return found
    room = 1 - plain.score
    if gain.high >= room:
        return f"{found}, and not even the largest possible gain, {100 * room:+.1f} points, is excluded"
    return f"{found}, and a gain of {100 * gain.high:+.1f} points is not excluded"


def _assumptions(tested: Sequence[Point]) -> tuple[str, ...]:
    return SAME, ONE_SEED if min(point.num_seeds for point in tested) == 1 else SEEDS, MEASURED, SETTINGS


def _statement(kind: Literal["ceiling", "inability", "robust"], curve: Curve, text: str) -> Statement:
    return Statement(kind=kind, model=curve.model, task=curve.task, text=f"{curve.model} on {curve.task} {text}")
