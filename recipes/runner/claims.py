"""`educe claims`: what a run directory's results carry, a sentence each, and what they do not."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line answers without scipy until this command runs
    from educe.eval.analysis.claims.claim import Claim, Refused

# What may be asked for, as the options of the command: its default, its name on the page of help, what it is.
ASKED: dict[str, tuple[float | None, str, str]] = {
    "above": (None, "SHARE", "a score to be above, and to be shown out of reach (chance, and no such score)"),
    "within": (0.02, "SHARE", "how near to the ceiling counts as elicited"),
    "rarer": (1e-4, "SHARE", "how rare an answer is to be"),
    "margin": (0.05, "SHARE", "the gain that a robust model does not show"),
    "flops": (None, "FLOP", "elicitation to speak of (as much as was measured)"),
    "power": (0.9, "SHARE", "how surely a gain would have been found"),
}


def add_claims(commands: Any) -> None:
    """Put the command among the others."""
    parser = commands.add_parser("claims", help="what the results carry, one sentence each, and what they do not")
    parser.add_argument("folder", metavar="DIR")
    for name, (default, metavar, statement) in ASKED.items():
        shown = "" if default is None else f" ({default:g})"
        parser.add_argument(f"--{name}", type=float, default=default, metavar=metavar, help=statement + shown)
    parser.set_defaults(command=_claims)


def _claims(options: argparse.Namespace) -> int:
    from educe.eval.analysis.claims.study import claims_of
    from educe.eval.analysis.conditions import pool
    from educe.recipes.runner.results import Results

    results = Results.read(options.folder)
    print(claims_text(claims_of(pool(results.measurements), **{name: getattr(options, name) for name in ASKED})))
    results.warn_missing()
    return 0


def claims_text(made: "Sequence[Claim | Refused]") -> str:
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
