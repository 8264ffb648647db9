"""The claims section: what the measurements carry as sentences, and what they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.claims.claim import Claim, Kind, Refused
from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import Condition
from educe.eval.report.fits import Fitted

# What a reader asks first stands first.
KINDS: dict[Kind, str] = {
    "ceiling": "How soon a method gives what it can",
    "robust": "What a method does not change",
    "inability": "What was not elicited",
    "threshold": "Above chance",
    "rare event": "Rare answers",
    "first success": "What the first right answer costs",
}
MOST_OF_A_KIND = 3


@dataclass(frozen=True, kw_only=True)
class Said:
    """Claims of one kind for one model and task, cut to what can be read; `more` is how many were left out."""

    title: str
    sentences: tuple[str, ...]
    assumptions: tuple[str, ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """Everything claimed and refused for one model and task."""

    model: str
    task: str
    made: tuple[Said, ...]
    refused: tuple[Said, ...]
    num_made: int
    num_refused: int


def claimed(pairs: Sequence[Sequence[Condition]], fits: Sequence[Fitted]) -> list[Claimed]:
    """Claims by task and model; of each kind those about the largest budgets come first."""
    conditions = [condition for pair in pairs for condition in pair]
    groups: dict[tuple[str, str], list[Claim | Refused]] = {}
    by_examples = [each for each in fits if each.curve.axis == "examples"]  # the axis that claims speak of
    known = {(each.curve.model, each.curve.task, each.curve.label): each.fit for each in by_examples}
    made = claims_of(conditions, fit_of=lambda curve: known.get((curve.model, curve.task, curve.label)))
    for each in made:
        groups.setdefault((each.task, each.model), []).append(each)
    return [_claimed(*key, groups[key]) for key in sorted(groups)]


def _claimed(task: str, model: str, found: Sequence[Claim | Refused]) -> Claimed:
    made = [each for each in found if isinstance(each, Claim)]
    refused = [each for each in found if isinstance(each, Refused)]
    return Claimed(
        model=model,
        task=task,
        made=_said(made),
        refused=_said(refused),
        num_made=len(made),
        num_refused=len(refused),
    )


def _said(found: Sequence[Claim | Refused]) -> tuple[Said, ...]:
    kinds = {kind: [each for each in found if each.kind == kind] for kind in KINDS}
    return tuple(
        Said(
            title=KINDS[kind],
            sentences=tuple(each.sentence for each in mine[:MOST_OF_A_KIND]),
            assumptions=tuple(
                dict.fromkeys(
                    text for each in mine[:MOST_OF_A_KIND] if isinstance(each, Claim) for text in each.assumptions
                )
            ),
            more=max(0, len(mine) - MOST_OF_A_KIND),
        )
        for kind, mine in kinds.items()
        if mine
    )
