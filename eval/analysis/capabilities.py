"""Which capability a score is of: what a model shows unasked, what it shows with its weights as they are, or after any
recipe of the study; and how far these are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from educe.eval.analysis.conditions import Condition, item_scores, name_of, ordered, plain_prompting
from educe.eval.analysis.statistics.largest import LargestGain, largest_gain
from educe.eval.measurement import Measurement

# Propensity: the question alone. Self-elicited: no label was read and no weight changed. Current: any recipe, at its
# own budget. What larger budgets might show (future) is a forecast and no score.
Capability = Literal["propensity", "self-elicited", "current"]
# What is said beside the question, and how it is asked, where a study says so.
_PROMPT = ("system", "phrase", "prefill", "format", "answer_as")
_UNASKED = ("zero_shot", "generated")


@dataclass(frozen=True, kw_only=True)
class CapabilityGap:
    """The largest gain of any run of one capability over another one, corrected for being the largest of so many.

    `over` is the baseline: the zero-shot baseline, or the best condition of the lower capability. That one is picked on
    the same items, so it looks a little better than it is, and the gap a little smaller.
    """

    model: str
    task: str
    capability: Capability
    best: str
    over: str
    rivals: int
    gain: LargestGain


def capability_of(measured: Measurement) -> Capability | None:
    """The capability that a result is of; None for controls and for what measures something else beside zero-shot."""
    if measured.role in ("control", "sensitivity"):
        return None
    spend, settings = measured.spend, measured.settings
    if spend.train_flops or spend.labelled_examples or spend.instructions:
        return "current"
    plain = settings.get("template", "auto") == "auto" and not any(settings.get(name) for name in _PROMPT)
    return "propensity" if plain and measured.method in _UNASKED and not settings.get("shots") else "self-elicited"


def capability_gaps(conditions: Sequence[Condition]) -> list[CapabilityGap]:
    """Of one model and task: self-elicited over zero-shot, current over zero-shot, and current over self-elicited."""
    plain = plain_prompting(conditions)
    if plain is None or capability_of(plain.measurements[0]) != "propensity":
        return []
    kinds: dict[Capability, list[Condition]] = {"self-elicited": [], "current": []}
    for each in ordered(conditions):
        kind = capability_of(each.measurements[0])
        if kind in kinds:
            kinds[kind].append(each)
    unasked, current = kinds["self-elicited"], [*kinds["self-elicited"], *kinds["current"]]
    found = [_gap("self-elicited", unasked, plain)] if unasked else []
    if kinds["current"]:
        found.append(_gap("current", current, plain))
        if unasked:
            found.append(_gap("current", kinds["current"], max(unasked, key=lambda each: each.score)))
    return found


def _gap(capability: Capability, rivals: Sequence[Condition], baseline: Condition) -> CapabilityGap:
    matrices, clusters = item_scores(baseline.measurements, *(each.measurements for each in rivals))
    base, *theirs = matrices
    runs = np.concatenate(theirs)
    gain = largest_gain(runs, base.mean(axis=0), clusters)
    names = [each for each, matrix in zip(rivals, theirs, strict=True) for _ in matrix]
    return CapabilityGap(
        model=baseline.model,
        task=baseline.task,
        capability=capability,
        best=name_of(names[gain.place]),
        over=name_of(baseline),
        rivals=len(runs),
        gain=gain,
    )
