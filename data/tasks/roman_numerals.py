"""Which number is the Roman numeral XLII?

Source: generated; no data.
"""

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, grid, with_choices
from educe.data.tasks.numerals import in_roman

_ITEMS = 400


def roman_numerals(*, written: bool = False) -> Task:
    """The value of 400 Roman numerals from 11 to 3,999, four options that read tens and units in another order.

    IV or VI, XL or LX: the options have 4 and 6, 1 and 9 and the like in the same place. A form that rows teach.
    Numerals with the same options share a split. `written` asks for the number.
    """
    return bundled("roman_numerals", _examples, written=written, grade=number_match)


def _examples() -> list[Example]:
    numbers = (str(number) for number in range(11, 4000) if not set("05") & set(str(number)[-2:]))
    return [_example(number) for number in shuffled(numbers, key="roman")[:_ITEMS]]


def _example(number: str) -> Example:
    first, tens, units = number[:-2], number[-2], number[-1]
    options = grid(
        (tens, _mirrored(tens)), (units, _mirrored(units)), write=lambda tens, units: f"{first}{tens}{units}"
    )
    fact = Fact(
        id=number,
        question=f"Which number is the Roman numeral {in_roman(int(number))}?",
        answer=number,
        cluster=f"roman:{min(options)}",
    )
    return with_choices(fact, [option for option in options if option != number])


def _mirrored(digit: str) -> str:
    return str(10 - int(digit))
