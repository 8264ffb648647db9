"""What is the atomic number of gold?

Source: periodictable (public domain).
"""

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices
from educe.data.tasks.element_symbols import named_elements


def atomic_numbers(*, written: bool = False) -> Task:
    """The atomic number of each of 118 elements, ten options near it as numbers. `written` asks for the number."""
    return bundled("atomic_numbers", _examples, written=written, grade=number_match)


def _examples() -> list[Example]:
    facts = [
        Fact(
            id=symbol,
            question=f"What is the atomic number of {name}?",
            answer=str(number),
            cluster=f"element:{symbol}",
        )
        for number, name, symbol in named_elements()
    ]
    return near_choices(facts, num_choices=10, width=20)
