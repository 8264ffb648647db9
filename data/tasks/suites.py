"""SUITES: lists of bundled tasks that a study names at once, as in `tasks: [suite:latent]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from educe.data.errors import UserError, did_you_mean

PREFIX = "suite:"


@dataclass(frozen=True)
class Suite:
    """Task specs as a study writes them, and one sentence of at most 62 characters."""

    tasks: tuple[str | dict[str, dict[str, Any]], ...]
    description: str


SUITES: dict[str, Suite] = {
    "latent": Suite(
        (
            "element_symbols", "atomic_numbers", "currencies", "continents", "city_countries", "country_codes",
            "calling_codes", "month_names", "emoji_names", "rhymes", "french_countries", "word_language", "scripts",
            "first_names", "past_tense", "plurals", "syllables", "number_words",
            {"number_words": {"difficulty": "medium"}}, {"number_words": {"difficulty": "hard"}}, "french_numbers",
            "roman_numerals", "weekdays", "python_results", "csv_lines",
        ),
        "Facts, forms and floors: 25 bundled tasks.",
    ),
    "quick": Suite(
        ("element_symbols", "currencies", "french_countries", "first_names", "past_tense", "number_words"),
        "Six short tasks of the latent suite.",
    ),
}  # fmt: skip


def with_suites(specs: Sequence[Any]) -> list[Any]:
    """The specs with each known suite replaced by its tasks; others are left for `refuse_suite` and the reader."""
    found: list[Any] = []
    for spec in specs:
        suite = SUITES.get(_name(spec) or "")
        found += suite.tasks if suite else [spec]
    return found


def refuse_suite(spec: Any) -> None:
    """UserError where a spec of one task names a suite: an unknown one, or one with options, or one in its place."""
    written = next(iter(spec), None) if isinstance(spec, dict) else spec
    name = _name(written)
    if name is None:
        return
    if name not in SUITES:
        raise UserError(f"unknown suite {name!r}; {did_you_mean(name, SUITES)}")
    if isinstance(spec, dict):
        raise UserError(f"suite {name!r} takes no options; list its tasks with theirs: {', '.join(_names(name))}")
    raise UserError(f"suite {name!r} is a list of tasks, not one; write it in `tasks:` of a study")


def _name(spec: Any) -> str | None:
    return spec.removeprefix(PREFIX) if isinstance(spec, str) and spec.startswith(PREFIX) else None


def _names(name: str) -> list[str]:
    return list(dict.fromkeys(spec if isinstance(spec, str) else next(iter(spec)) for spec in SUITES[name].tasks))
