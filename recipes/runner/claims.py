"""`educe claims`: the claims that results support, one sentence each, and those that they do not."""

from collections.abc import Sequence

from educe.eval.analysis.claims.claim import Claim, Refused


def claims_text(made: Sequence[Claim | Refused]) -> str:
    """Claims by model and task, what they assume, and then what is not claimed."""
    lines: list[str] = []
    for holds in (True, False):
        group: tuple[str, str] | None = None
        chosen = [each for each in made if each.holds is holds]
        lines += ["", f"not claimed: {len(chosen)}"] if not holds else [f"claimed: {len(chosen)}"]
        for each in chosen:
            if group != (each.model, each.task):
                group = (each.model, each.task)
                lines += ["", f"{each.model} on {each.task}"]
            lines.append(f"- {str(each).removeprefix('Not claimed: ')}")
        assumed = dict.fromkeys(one for each in chosen for one in getattr(each, "assumptions", ()))
        lines += ["", "assumed:", *(f"- {one}" for one in assumed)] if assumed else []
    return "\n".join(lines)
