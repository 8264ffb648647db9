"""`educe claims`: the claims that results support, one sentence each, and how many they do not."""

from collections.abc import Sequence

from educe.eval.analysis.anomalies import Audits
from educe.eval.analysis.claims.claim import Claim, Refused
from educe.eval.report.claims import claim_sections


def claims_text(
    made: Sequence[Claim | Refused], audits: Audits, *, warnings: Sequence[str] = (), refused: bool = False
) -> str:
    """Claims by task and model, the shortest first, what they assume, and refusals: counted, or all with `refused`."""
    sections = claim_sections(made, audits, warnings)
    lines = [f"claimed: {sum(each.holds for each in made)}"]
    for each in sections:
        if each.made:
            lines += ["", f"{each.model} on {each.task}"]
            lines += [f"  warning: {warning}" for warning in each.warnings]
            lines += [f"- {sentence}" for sentence in each.made]
    assumed = dict.fromkeys(one for each in sections for one in each.assumptions)
    lines += ["", "assumed:", *(f"- {one}" for one in assumed)] if assumed else []
    lines += ["", f"not claimed: {sum(not each.holds for each in made)}"]
    if refused:
        for each in sections:
            lines += ["", f"{each.model} on {each.task}", *(f"- not claimed: {sentence}" for sentence in each.refused)]
        return "\n".join(lines)
    causes: dict[str, int] = {}
    for each in sections:
        for cause, number in each.causes:
            causes[cause] = causes.get(cause, 0) + number
    lines += [f"- {cause}: {number}" for cause, number in sorted(causes.items(), key=lambda one: -one[1])]
    return "\n".join([*lines, *(["list them with --refused"] if causes else [])])
