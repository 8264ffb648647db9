"""Which number is cent soixante-douze in French?

Source: generated; no data.
"""

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.numerals import in_french


def french_numbers(*, written: bool = False) -> Task:
    """The 400 numbers below 1,000 whose last two digits are 60 to 99, from their French words, four options.

    Seventy is said as sixty-ten and ninety as eighty-ten. The options have the same hundreds and near tens and units.
    Numbers with the same last two digits share a split: soixante-douze is in one of them alone. `written` asks for the
    number.
    """
    return bundled("french_numbers", _examples, written=written, grade=number_match)


def _examples() -> list[Example]:
    # 162 stands beside 172, 182 and 192.
    last = sorted(range(60, 100), key=lambda number: (number % 10, number))
    facts = [_fact(100 * hundreds + number) for hundreds in range(10) for number in last]
    return near_choices(facts, num_choices=4, width=8)


def _fact(number: int) -> Fact:
    return Fact(
        id=str(number),
        question=f'Which number is "{in_french(number)}" in French?',
        answer=str(number),
        cluster=f"french:{number % 100}",
        group=str(number // 100),
    )
