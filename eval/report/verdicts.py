"""The section on verdicts: was each gain elicited or taught, and what shows it."""

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.formatting import format_p_value
from educe.eval.analysis.verdicts import LEVEL, TESTS, Test, Verdict, verdicts
from educe.eval.report.text import signed

_OF_VERDICT: dict[str, Callable[[Verdict], Any]] = {
    "model": lambda each: each.condition.model,
    "task": lambda each: each.condition.task,
    "recipe": lambda each: each.condition.recipe,
    "method": lambda each: each.condition.method,
    "settings": lambda each: each.condition.settings,
    "examples": lambda each: each.condition.examples,
    "seeds": lambda each: each.condition.num_seeds,
    "floor": lambda each: each.floor,
    "score": lambda each: each.condition.score,
    "gain": lambda each: each.gain and each.gain.difference,
    "gain_low": lambda each: each.gain and each.gain.low,
    "gain_high": lambda each: each.gain and each.gain.high,
    "verdict": lambda each: each.answer,
    "why": lambda each: each.why,
}
_OF_TEST = ("against", "margin", "p", "shown")
VERDICT_COLUMNS = (*_OF_VERDICT, *(f"{test} {part}" for test in TESTS for part in _OF_TEST))


def all_verdicts(pairs: Sequence[Sequence[Condition]]) -> list[Verdict]:
    """Those of every model and task."""
    return [each for pair in pairs for each in verdicts(pair)]


def verdict_sections(found: Sequence[Verdict]) -> dict[str, object]:
    """What verdicts add to the page, by its name in the template."""
    return {"verdicts": found, "verdict_tests": TESTS, "evidence_text": evidence_text, "level": LEVEL}


def evidence_text(verdict: Verdict, test: Test) -> str:
    """Points beyond what has to be passed, and p, bold where it is shown; a dash where it was not measured."""
    found = verdict.of(test)
    if found is None:
        return "–"
    text = f"{signed(100 * found.margin, '+.1f')}, {format_p_value(found.p, bare=True)}"
    return Markup("<strong>{}</strong>").format(text) if verdict.holds(test) else text


def verdict_table(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """One row per verdict, with the columns of VERDICT_COLUMNS."""
    rows = []
    for each in found:
        row = {name: read(each) for name, read in _OF_VERDICT.items()}
        for test in TESTS:
            shown = each.of(test)
            values = (None,) * 4 if shown is None else (shown.against, shown.margin, shown.p, each.holds(test))
            row |= {f"{test} {part}": value for part, value in zip(_OF_TEST, values, strict=True)}
        rows.append(row)
    return rows
