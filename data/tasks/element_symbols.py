"""What is the symbol of gold, and which element has the symbol Au?

Source: periodictable (public domain).
"""

from periodictable import elements

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices

# Names as the IUPAC and most of the world write them, beside those of the package.
ALIASES = {"aluminum": "aluminium", "cesium": "caesium", "sulfur": "sulphur"}


def element_symbols(*, written: bool = False) -> Task:
    """The symbol of each of 118 elements and the element of each symbol, four options near it in the alphabet.

    Both questions about an element share a split. Most symbols begin as the name does, so half of the items are
    answered by spelling alone. `written` asks for the symbol or the name.
    """
    return bundled("element_symbols", _examples, written=written)


def named_elements() -> list[tuple[int, str, str]]:
    """Atomic number, name and symbol of every element."""
    return [(each.number, each.name, each.symbol) for each in elements if each.number > 0]


def _examples() -> list[Example]:
    asked = named_elements()
    symbols = [
        Fact(
            id=f"{symbol}-symbol",
            question=f"What is the chemical symbol of {name}?",
            answer=symbol,
            cluster=f"element:{symbol}",
        )
        for _, name, symbol in sorted(asked, key=lambda each: each[2])
    ]
    names = [
        Fact(
            id=f"{symbol}-name",
            question=f"Which chemical element has the symbol {symbol}?",
            answer=name,
            aliases=(ALIASES[name],) if name in ALIASES else (),
            cluster=f"element:{symbol}",
        )
        for _, name, symbol in sorted(asked, key=lambda each: each[1])
    ]
    return [row for facts in (symbols, names) for row in near_choices(facts, num_choices=4, width=10)]
