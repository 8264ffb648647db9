"""The claims section: what is claimed for each model and task, and what is not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.anomalies import Audits, serious_findings
from educe.eval.analysis.claims.claim import Claim, Refused
from educe.eval.analysis.claims.study import Limits, claims_of
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.looks import Looks, confirmable
from educe.eval.analysis.primary import Pair, listing_of, planned_pairs
from educe.eval.measurement import Failure


@dataclass(frozen=True, kw_only=True)
class ClaimSection:
    """Everything claimed and refused for one model and task, the shortest sentence first, and the task's warnings."""

    model: str
    task: str
    made: tuple[str, ...]
    assumptions: tuple[str, ...]
    refused: tuple[str, ...]
    causes: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


def claims_at_this_look(
    conditions: Sequence[Condition],
    looks: Looks | None,
    limits: Limits | None,
    audits: Audits,
    primary: Sequence[Pair],
    failures: Sequence[Failure] = (),
) -> list[Claim | Refused]:
    """What is claimed and refused of the conditions of which something can be confirmed, with the error that is left.

    Primary comparisons count as planned, those of `failures` included. The page and the command both ask here, so that
    they say the same.
    """
    kept, _ = confirmable(looks, conditions)
    alpha = 0.05 if looks is None else looks.left(*kept)
    planned = sum(map(len, planned_pairs(listing_of(conditions, failures), primary).values()))
    return claims_of(kept, limits, audits=audits, primary=primary, planned=planned, alpha=alpha)


def claim_sections(
    found: Sequence[Claim | Refused], audits: Audits, warnings: Sequence[str] = ()
) -> list[ClaimSection]:
    """Claims by task and model, what they assume, and refusals counted by cause.

    Beside them stand serious findings on the task's rows, and those `warnings` of scores that name the model and task.
    """
    sections: dict[tuple[str, str], list[Claim | Refused]] = {}
    for each in found:
        sections.setdefault((each.task, each.model), []).append(each)
    made = []
    for task, model in sorted(sections):
        about = [each for each in warnings if f": {model}, {task}, " in each]
        said = [*serious_findings({task: audits.get(task, ())}), *about]
        made.append(_section(task, model, sections[task, model], said))
    return made


def _section(task: str, model: str, found: Sequence[Claim | Refused], warnings: Sequence[str]) -> ClaimSection:
    made = [each for each in found if isinstance(each, Claim)]
    refused = [each for each in found if isinstance(each, Refused)]
    return ClaimSection(
        model=model,
        task=task,
        made=_shortest_first(made),
        assumptions=tuple(dict.fromkeys(text for each in made for text in each.assumptions)),
        refused=tuple(each.removeprefix("Not claimed: ") for each in _shortest_first(refused)),
        causes=tuple(Counter(each.cause for each in refused).most_common()),
        warnings=tuple(warnings),
    )


def _shortest_first(found: Sequence[Claim | Refused]) -> tuple[str, ...]:
    return tuple(sorted((str(each) for each in found), key=lambda text: (len(text), text)))
