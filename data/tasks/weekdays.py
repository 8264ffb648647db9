"""Which day of the week was 14 March 1987? Dates of the Gregorian calendar, drawn by hash.

Source: generated; no data.
"""

from datetime import date, timedelta

from educe.data.example import Example
from educe.data.hashing import fraction, shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import bundled

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST, _DAYS, _ITEMS = date(1950, 1, 1), 36_500, 400


def weekdays() -> Task:
    """The weekday of 400 dates from 1950 to 2049, seven options.

    Dates of one month and year share a split, so no other split has a date that is whole weeks away within the month.
    Who can count over years can still derive every date from another. Small models are at chance.
    """
    return bundled("weekdays", _examples)


def _examples() -> list[Example]:
    drawn = {_FIRST + timedelta(days=int(fraction(f"weekdays:{turn}") * _DAYS)): None for turn in range(2 * _ITEMS)}
    return [
        Example(
            id=day.isoformat(),
            question=f"Which day of the week is {day.day} {day:%B} {day.year}?",
            answer=NAMES[day.weekday()],
            choices=shuffled(NAMES, key=f"{day}:order"),
            cluster=f"{day:%Y-%m}",
        )
        for day in list(drawn)[:_ITEMS]
    ]
