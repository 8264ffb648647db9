"""The claims section: what is claimed for each model and task, and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.claims.claim import Claim, Kind, Refused
from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import Condition
from educe.eval.report.fits import Fitted

# In the order of the page.
TITLES: dict[Kind, str] = {
    "ceiling": "Budget that comes near the ceiling",
    "robust": "Methods that change little",
    "inability": "Capability that was not elicited",
    "threshold": "Scores above chance",
    "rare event": "Rare answers",
    "first success": "Cost of the first right answer",
}
MAX_OF_A_KIND = 3


@dataclass(frozen=True, kw_only=True)
class ClaimGroup:
    """Claims of one kind for one model and task, cut to a readable length; `more` were left out."""

    title: str
    sentences: tuple[str, ...]
    assumptions: tuple[str, ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class ClaimSection:
    """Everything claimed and refused for one model and task."""

    model: str
    task: str
    made: tuple[ClaimGroup, ...]
    refused: tuple[ClaimGroup, ...]
    num_made: int
    num_refused: int


def claim_sections(pairs: Sequence[Sequence[Condition]], fits: Sequence[Fitted]) -> list[ClaimSection]:
    """Claims by task and model; within a kind, those about the largest budgets come first."""
    sections: dict[tuple[str, str], list[Claim | Refused]] = {}
    by_examples = [each for each in fits if each.curve.axis == "examples"]  # the axis that claims are made along
    known = {(each.curve.model, each.curve.task, each.curve.label): each.fit for each in by_examples}
    conditions = [condition for pair in pairs for condition in pair]
    for each in claims_of(conditions, fit_of=lambda curve: known.get((curve.model, curve.task, curve.label))):
        sections.setdefault((each.task, each.model), []).append(each)
    return [_section(*key, sections[key]) for key in sorted(sections)]


def _section(task: str, model: str, found: Sequence[Claim | Refused]) -> ClaimSection:
    made = [each for each in found if isinstance(each, Claim)]
    refused = [each for each in found if isinstance(each, Refused)]
    return ClaimSection(
        model=model,
        task=task,
        made=_groups(made),
        refused=_groups(refused),
        num_made=len(made),
        num_refused=len(refused),
    )


def _groups(found: Sequence[Claim | Refused]) -> tuple[ClaimGroup, ...]:
    groups = []
    for kind, title in TITLES.items():
        mine = [each for each in found if each.kind == kind]
        shown = mine[:MAX_OF_A_KIND]
        assumptions = dict.fromkeys(text for each in shown if isinstance(each, Claim) for text in each.assumptions)
        if mine:
            groups.append(
                ClaimGroup(
                    title=title,
                    sentences=tuple(each.sentence for each in shown),
                    assumptions=tuple(assumptions),
                    more=len(mine) - len(shown),
                )
            )
    return tuple(groups)
