"""Which month is called tammikuu in Finnish?

Source: Unicode CLDR (Unicode licence), through babel (BSD-3-Clause).
"""

from babel import Locale

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, balanced_choices, bundled
from educe.data.tasks.letters import bare

# Languages in Latin letters, most of whose months do not begin as the English ones.
_LANGUAGES = (
    "ca", "cs", "cy", "es", "eu", "fi", "fr", "ga", "gl", "gd", "hr", "it", "lt", "lv", "mt", "pl", "pt", "sq", "tr",
    "sn", "tn", "xh", "zu", "st", "rw", "om", "se", "so", "sc", "rm", "oc", "ast", "mi", "br", "ku", "eo", "ro", "hu",
)  # fmt: skip
_ALIKE_LETTERS = 2


def month_names(*, written: bool = False) -> Task:
    """The English name of months in 38 languages, six options.

    A month that begins with the same two letters as in English is left out. Names of a month that begin alike in
    several languages (settembre, setembro) are one cluster. `written` asks for the English name.
    """
    return bundled("month_names", _examples, written=written)


def month_words() -> list[tuple[str, int, str]]:
    """Language code, number and name of the months that do not begin as in English."""
    english = _months("en")
    return [
        (code, number, name)
        for code in _LANGUAGES
        for number, name in _months(code).items()
        if bare(name)[:_ALIKE_LETTERS] != bare(english[number])[:_ALIKE_LETTERS]
    ]


def _examples() -> list[Example]:
    english = _months("en")
    facts = [
        Fact(
            id=f"{code}-{number}",
            question=f'Which month of the year is called "{name}" in {Locale(code).english_name}?',
            answer=english[number],
            cluster=f"month:{number}:{bare(name)[:_ALIKE_LETTERS]}",
        )
        for code, number, name in month_words()
    ]
    return balanced_choices(facts, num_choices=6)


def _months(code: str) -> dict[int, str]:
    return dict(Locale(code).months["stand-alone"]["wide"])
