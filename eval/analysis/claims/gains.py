"""Claims about differences to another condition: a gain, no gain, a score out of reach, a budget that is enough.

Each is about every run and, where it names a curve, about every budget: an intersection-union test, whose p value is
the largest of the single ones and needs no correction for their number (Berger 1982).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from educe.eval.analysis.claims.claim import (
    SETTINGS,
    Kind,
    Refused,
    Statement,
    Tested,
    check_share,
    condition_label,
    in_each_run,
    num_runs,
    range_of,
    unusable,
    where,
)
from educe.eval.analysis.claims.detection import detection
from educe.eval.analysis.claims.runs import RunDifference, p_score_below, run_differences, unpaired
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.curves import Curve
from educe.eval.analysis.formatting import format_count, format_flops, format_percent, format_points
from educe.eval.analysis.statistics.variance import MIN_TEST_SEEDS

MEASURED = "the claim covers the measured budgets, not those between or above them"
NO_BASELINE = "zero-shot was not measured"
NO_CONTROL = "the same recipe and budget lifts no other model or task of this study, so it may lift nothing at all"
HARM = "a run scores significantly below zero-shot, and a recipe that does harm shows nothing about the model"
UNCHANGED = "the answers of a run are those of zero-shot: the elicitation may not have been applied"


class Lifted(NamedTuple):
    """A positive control: a condition that gains in every run, and the corrected p value of "it does not"."""

    condition: Condition
    p: float


# The best positive control for a condition, if there is one: the same recipe and budget on another model or task.
Control = Callable[[Condition], Lifted | None]


def gain(condition: Condition, other: Condition) -> Tested | Refused:
    """That every run of a condition scores above another condition."""
    about = (condition, other)
    text = f"{where(condition)}: {condition_label(condition)} scores above {condition_label(other)}{in_each_run(about)}"
    statement = Statement(kind="gain", about=about, text=text)
    if reason := unusable(about):
        return statement.refuse(reason, "unusable data")
    if reason := incomparable([condition], other):
        return statement.refuse(reason, "unusable data")
    runs = run_differences(condition, other)
    gained = range_of([each.difference for each in runs], signed=True)
    return Tested(
        statement=statement,
        p=max(each.p_above_zero() for each in runs),
        sentence=f"{text}: {gained}",
        reason=f"the difference is {gained}",
        numbers={"least": min(each.difference for each in runs), "most": max(each.difference for each in runs)},
        assumptions=(SETTINGS,),
        compared=runs,
    )


def robust(
    curve: Curve,
    plain: Condition | None,
    *,
    margin: float,
    control: Control,
    flops: float | None = None,
    power: float = 0.9,
    alpha: float = 0.05,
) -> Tested | Refused:
    """That no run of a recipe, at any budget up to so many FLOPs of elicitation, gains `margin` over zero-shot.

    Refused with fewer than five runs; without a positive control, whose p value is part of the statement's; where a run
    could not have shown such a gain with `power`, at the corrected level `alpha`; where a run answers as zero-shot; and
    where a run is below zero-shot at that level. UserError for a margin outside (0, 1).
    """
    check_share("margin", margin)
    tested = up_to(curve, flops)
    less = f"gains less than {format_points(margin)} over zero-shot"
    statement = _about_curve("robust", curve, tested, f"{less} with {_elicitation(tested or _all(curve))}")
    if refusal := _unsound(statement, curve, tested, plain, flops):
        return refusal
    assert plain is not None, "refused above"
    if plain.score + margin > 1:
        reason = f"zero-shot scores {format_percent(plain.score)}, so a gain of this size is not possible"
        return statement.refuse(reason)
    runs = [each for condition in tested for each in run_differences(condition, plain)]
    gained = range_of([each.difference for each in runs], signed=True)
    shown = f"measured {gained} at {format_count(len(tested), 'budget')}"
    return _nothing_gained(
        statement, runs, gain=margin, shown=shown, control=control, power=power, alpha=alpha,
        p=max(each.p_below(margin) for each in runs), reason=f"its runs gain {gained}",
    )  # fmt: skip


def not_elicited(
    curve: Curve,
    plain: Condition | None,
    *,
    target: float,
    control: Control,
    flops: float | None = None,
    power: float = 0.9,
    alpha: float = 0.05,
) -> Tested | Refused:
    """That no run of a recipe, at any budget up to so many FLOPs of elicitation, reaches a score.

    It does not claim that the score cannot be reached. Refused as in `robust`, for the gain that the target would be.
    UserError for a target outside (0, 1).
    """
    check_share("target", target)
    tested = up_to(curve, flops)
    text = f"was not elicited to {format_percent(target)} with {_elicitation(tested or _all(curve))}"
    statement = _about_curve("inability", curve, tested, text)
    if refusal := _unsound(statement, curve, tested, plain, flops):
        return refusal
    assert plain is not None, "refused above"
    if plain.score >= target:
        return statement.refuse(f"zero-shot already scores {format_percent(plain.score)}")
    runs = [each for condition in tested for each in run_differences(condition, plain)]
    measured = [each for condition in tested for each in condition.measurements]
    scored = range_of([each.score for each in measured])
    return _nothing_gained(
        statement, runs, gain=target - plain.score, shown=f"measured {scored}", control=control, power=power,
        alpha=alpha, p=max(p_score_below(each, target) for each in measured), reason=f"its runs score {scored}",
    )  # fmt: skip


def within_ceiling(curve: Curve, plain: Condition | None, *, within: float, alpha: float = 0.05) -> Tested | Refused:
    """The budget from which every run stays within `within` of its own score at the largest budget.

    The p value is that of the first step. Smaller budgets are then tested in a fixed order until one fails, each at the
    level `alpha`, which all of them need once (Maurer, Hothorn & Lehmacher 1995) and which the correction of the study
    sets aside. Refused where a run does not gain over zero-shot at its largest budget, and where the curve falls.
    UserError for a distance outside (0, 1).
    """
    check_share("within", within)
    *others, last = _all(curve)
    goal = f"within {format_points(within)} of its score at {condition_label(last)}"
    statement = Statement(
        kind="ceiling",
        about=(last, *others),
        text=f"{where(last)} comes {goal} at a smaller budget{in_each_run((last,))}",
    )
    if plain is None:
        return statement.refuse(NO_BASELINE, "not measured")
    if reason := unusable((last, *others, plain)) or incomparable([last], *others, plain):
        return statement.refuse(reason, "unusable data")
    if not others or curve.points[0].budget == last.labelled_examples == curve.points[-1].budget:
        return statement.refuse("it was measured at one budget only", "not measured")
    best = max(others, key=lambda each: each.score)
    if best.score - last.score > within:
        more = format_points(best.score - last.score)
        return statement.refuse(f"{condition_label(best)} scores {more} more than its largest budget: the curve falls")
    gained = run_differences(last, plain)
    p_gain = max(each.p_above_zero() for each in gained)
    steps = [(each, run_differences(last, each)) for each in reversed(others)]
    first_p = max(each.p_below(within) for each in steps[0][1])
    reached, missing = steps[0]
    for condition, runs in steps[1:]:
        if max(each.p_below(within) for each in runs) > alpha:
            break
        reached, missing = condition, [*missing, *runs]
    most = range_of([each.difference for each in missing], signed=True)
    near = condition_label(steps[0][0])
    return Tested(
        statement=statement,
        p=max(first_p, p_gain),
        sentence=f"{where(last)} comes {goal} from {condition_label(reached)} on{in_each_run((last,))}: {most} missing",
        reason=f"{near} misses {range_of([each.difference for each in steps[0][1]], signed=True)}, and the largest "
        f"budget gains {range_of([each.difference for each in gained], signed=True)}",
        numbers={"within": within, "examples": reached.labelled_examples, "flops": reached.elicitation_flops},
        assumptions=(MEASURED, SETTINGS, "a budget above the largest may score higher"),
        compared=[*missing, *gained],
    )


def up_to(curve: Curve, flops: float | None) -> list[Condition]:
    """The conditions of a curve up to so many FLOPs of elicitation, by rising budget."""
    return [each for each in _all(curve) if flops is None or each.elicitation_flops <= flops]


def incomparable(tested: Sequence[Condition], *others: Condition) -> str | None:
    """Why some of these conditions cannot be compared with the others, run by run; None where all can."""
    for other in others:
        shared = other.measurements[0].outcomes.ids
        for condition in tested:
            ids = [each.outcomes.ids for each in (*other.measurements, *condition.measurements)]
            different = {each for each in ids if each is not shared and each != shared}
            if different and not set.intersection(set(shared), *map(set, different)):
                return f"{condition_label(condition)} and {condition_label(other)} share no test item"
            if reason := unpaired(condition, other):
                return reason
    return None


def _nothing_gained(
    statement: Statement,
    runs: Sequence[RunDifference],
    *,
    gain: float,
    p: float,
    shown: str,
    reason: str,
    control: Control,
    power: float,
    alpha: float,
) -> Tested | Refused:
    """The test of a statement that something is not there, with its power and its positive control."""
    if any(run.same_answers for run in runs):
        return statement.refuse(UNCHANGED, "no positive control")
    if max(run.difference for run in runs) >= gain:
        return statement.refuse(reason)
    lifted = control(statement.about[-1])
    if lifted is None:
        return statement.refuse(NO_CONTROL, "no positive control")
    if min(run.p_below(0.0) for run in runs) <= alpha:
        return statement.refuse(HARM)
    found = min((detection(run, gain, power=power, level=1 - 2 * alpha) for run in runs), key=lambda each: each.power)
    if found.power < power:
        return statement.refuse(found.shortfall(gain, power), numbers={"power": found.power, "needed": found.needed})
    positive = f"the same recipe and budget lifts {where(lifted.condition)}"
    return Tested(
        statement=statement,
        p=max(p, lifted.p),
        sentence=f"{statement.text}: {shown}; {found.text(gain)}, and {positive}",
        reason=reason,
        numbers={"gain": gain, "power": found.power},
        assumptions=(MEASURED, SETTINGS),
        compared=runs,
        control=lifted.condition,
    )


def _unsound(
    statement: Statement,
    curve: Curve,
    tested: Sequence[Condition],
    plain: Condition | None,
    flops: float | None,
) -> Refused | None:
    """The refusal of a curve about which nothing can be claimed up to this cost, or None."""
    most = max(each.elicitation_flops for each in _all(curve))
    if plain is None:
        return statement.refuse(NO_BASELINE, "not measured")
    if flops is not None and most < flops:
        cost = f"it was measured up to {format_flops(most)}" if most else "its elicitation costs no FLOPs"
        return statement.refuse(cost, "not measured")
    if not tested:
        return statement.refuse("no budget was measured up to this cost", "not measured")
    if reason := unusable((*tested, plain)) or incomparable(tested, plain):
        return statement.refuse(reason, "unusable data")
    runs = num_runs(tuple(tested)) or MIN_TEST_SEEDS
    if runs < MIN_TEST_SEEDS:
        return statement.refuse(f"it has {format_count(runs, 'run')}, and it takes {MIN_TEST_SEEDS}", "too few runs")
    return None


def _all(curve: Curve) -> list[Condition]:
    return [point.condition for point in curve.points]


def _elicitation(tested: Sequence[Condition]) -> str:
    """The elicitation that was tested, as "4.9e12 FLOPs of iid_sft (256 labelled examples)"."""
    name = tested[-1].name
    most, labels = (
        max(map(of, tested)) for of in (lambda each: each.elicitation_flops, lambda each: each.labelled_examples)
    )
    read = format_count(labels, "labelled example")
    if most:
        return f"{format_flops(most)} of {name}" + (f" ({read})" if labels else "")
    return f"{name} with {read}" if labels else name


def _about_curve(kind: Kind, curve: Curve, tested: Sequence[Condition], text: str) -> Statement:
    about = tuple(tested or _all(curve))
    return Statement(kind=kind, about=about, text=f"{curve.model} on {curve.task} {text}{in_each_run(about)}")
