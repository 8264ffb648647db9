"""Room: whether some recipe shows more of a task than plain prompting does, as far as few dev rows tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, with_config

from educe.eval.analysis.conditions import Condition, by_task_and_model, name_of, plain_prompting
from educe.eval.analysis.controls import best_controls
from educe.eval.measurement import Role
from educe.eval.ranges import Amount, Count, Difference, Share

RULE = (
    "room: the best recipe scores above zero-shot, and the lower end of the interval of some recipe's score, zero-shot "
    "included and controls not, is above chance (above 0 where chance is unknown)"
)
Verdict = Literal["room", "no room", "unknown"]
# Equal scores of graded answers may differ by rounding.
_DECIMALS = 9


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Shown:
    """What one condition showed, and its price before the first answer: labels read, useful FLOPs, seconds."""

    recipe: str
    examples: Count
    score: Share
    low: Share
    high: Share
    interval: str
    labelled_examples: Count
    elicitation_flops: Amount
    seconds: Amount


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Room:
    """One model and task: what zero-shot, the best recipe and the best control showed, and the verdict.

    The control has the budget of the best recipe, or the next larger one that was measured. `recipes` is the number of
    conditions that the best was picked from, `gain` its score less that of zero-shot.
    """

    model: str
    task: str
    n: Count
    chance: Share | None
    zero_shot: Shown | None
    best: Shown | None
    control: Shown | None
    recipes: Count
    gain: Difference | None
    verdict: Verdict
    reason: str


def is_candidate(role: Role) -> bool:
    """Whether results of this role may show what a model can: controls and measures of wording do not."""
    return role not in ("control", "sensitivity")


def rooms(conditions: Sequence[Condition]) -> list[Room]:
    """The room of each model and task by RULE, the largest gain first, what is unknown last."""
    found = [_room(group) for group in by_task_and_model(conditions)]
    return sorted(found, key=lambda each: (each.gain is None, -(each.gain or 0.0)))


def with_room(found: Sequence[Room]) -> list[str]:
    """The tasks that have room for a model at least, those first that gain most, summed over models."""
    gains: dict[str, list[float]] = {}
    for each in found:
        gains.setdefault(each.task, []).append(each.gain or 0.0)
    tasks = {each.task for each in found if each.verdict == "room"}
    return sorted(tasks, key=lambda task: (-math.fsum(gains[task]), task))


def _room(conditions: Sequence[Condition]) -> Room:
    baseline = plain_prompting(conditions)
    others = [each for each in conditions if is_candidate(each.role) and each is not baseline]
    # Of equal scores the cheapest.
    best = max(others, key=lambda each: (each.score, -each.labelled_examples, -each.elicitation_flops), default=None)
    control = _control(conditions, best) if best is not None else None
    gain = round(best.score - baseline.score, _DECIMALS) if best is not None and baseline is not None else None
    verdict, reason = _verdict(conditions, baseline, best, gain)
    return Room(
        model=conditions[0].model,
        task=conditions[0].task,
        n=conditions[0].n,
        chance=conditions[0].chance,
        zero_shot=_shown(baseline),
        best=_shown(best),
        control=_shown(control),
        recipes=len(others),
        gain=gain,
        verdict=verdict,
        reason=reason,
    )


def _control(conditions: Sequence[Condition], best: Condition) -> Condition | None:
    """The best control at the budget of the best recipe, or at the next larger one: shots are seldom a control's."""
    controls = best_controls(conditions)
    return next((control for budget, control in controls.items() if budget >= best.examples), None)


def _verdict(
    conditions: Sequence[Condition], baseline: Condition | None, best: Condition | None, gain: float | None
) -> tuple[Verdict, str]:
    if gain is None:
        return "unknown", "zero-shot has no score" if baseline is None else "no recipe but zero-shot has a score"
    reasons = []
    if gain <= 0:
        reasons.append("best is not above zero-shot")
    if not any(each.low > (each.chance or 0.0) for each in conditions if is_candidate(each.role)):
        reasons.append("nothing is above chance")
    return ("no room", "; ".join(reasons)) if reasons else ("room", "")


def _shown(condition: Condition | None) -> Shown | None:
    if condition is None:
        return None
    return Shown(
        recipe=name_of(condition),
        examples=condition.examples,
        score=condition.score,
        low=condition.low,
        high=condition.high,
        interval=condition.interval,
        labelled_examples=condition.labelled_examples,
        elicitation_flops=condition.elicitation_flops,
        seconds=condition.mean(lambda each: each.spend.seconds),
    )
