"""Which country is called Allemagne in French?

Source: Unicode CLDR (Unicode licence), through babel (BSD-3-Clause).
"""

from babel import Locale

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.geonames import countries
from educe.data.tasks.letters import bare

_MAX_LETTERS = 24


def french_countries(*, written: bool = False) -> Task:
    """The country of each French name, ten options near it in the English alphabet.

    Names that are the same in both languages but for accents are left out. Most others share letters, so the option
    spelled most like the question is nearly always right. `written` asks for the English name.
    """
    return bundled("french_countries", _examples, written=written)


def _examples() -> list[Example]:
    names = {code: (Locale("en").territories.get(code), Locale("fr").territories.get(code)) for code in _codes()}
    differing = {
        code: (english, french)
        for code, (english, french) in names.items()
        if english and french and bare(english) != bare(french) and _is_plain(english) and _is_plain(french)
    }
    facts = [
        Fact(
            id=code,
            question=f'Which country is called "{french}" in French?',
            answer=english,
            cluster=f"country:{code}",
        )
        for code, (english, french) in sorted(differing.items(), key=lambda each: each[1])
    ]
    return near_choices(facts, num_choices=10, width=16)


def _codes() -> list[str]:
    return [country.code for country in countries()]


def _is_plain(name: str) -> bool:
    return len(name) <= _MAX_LETTERS and not set("&(),.") & set(name)
