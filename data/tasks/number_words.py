"""Which number is three hundred forty-two? Numbers in English words, in three difficulties.

Source: generated; no data.
"""

from collections.abc import Sequence

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.hashing import fraction
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, grid, with_choices
from educe.data.tasks.numerals import in_english
from educe.data.validation import check_one_of

DIFFICULTIES = ("easy", "medium", "hard")
_ITEMS = 300
# Groups of three digits, and how often a tens or units digit is 0: where 9 is its alternative, as often as 9.
_GROUPS = {"easy": 1, "medium": 2, "hard": 3}
_ZERO = {"easy": 0.1, "medium": 0.3, "hard": 0.3}


def number_words(*, difficulty: str = "easy", written: bool = False) -> Task:
    """The number that English words say, four options: 300 numbers of three, six or nine digits.

    easy: other tens and units. medium, hard: tens and units of a group exchanged (402,016 or 420,061). Any of the four
    could be right. A form that rows teach: every number is made of few words. Numbers with the same options share a
    split. `written` asks for the number. UserError for another difficulty.
    """
    check_one_of("difficulty", difficulty, DIFFICULTIES)
    name = "number_words" if difficulty == "easy" else f"number_words_{difficulty}"
    return bundled(name, lambda: _examples(difficulty), written=written, grade=number_match)


def _examples(difficulty: str) -> list[Example]:
    found: dict[str, Example] = {}
    turn = 0
    while len(found) < _ITEMS:
        groups = [_group(f"{difficulty}:{turn}:{place}", _ZERO[difficulty]) for place in range(_GROUPS[difficulty])]
        turn += 1
        row = _example(groups, difficulty)
        found.setdefault(row.id, row)
    return list(found.values())


def _group(key: str, zero: float) -> str:
    """Three digits, the first not 0 and the others different, so that the exchange of both gives another number."""
    hundreds = 1 + int(9 * fraction(f"{key}:hundreds"))
    tens, units = _digit(f"{key}:tens", zero), _digit(f"{key}:units", zero)
    return f"{hundreds}{tens}{units}" if tens != units else _group(f"{key}:again", zero)


def _digit(key: str, zero: float) -> int:
    return 0 if fraction(f"{key}:zero") < zero else 1 + int(9 * fraction(key))


def _example(groups: Sequence[str], difficulty: str) -> Example:
    number = ",".join(groups)
    if difficulty == "easy":
        hundreds, tens, units = tuple(groups[0])
        options = grid((tens, _other(tens)), (units, _other(units)), write=lambda t, u: f"{hundreds}{t}{u}")
    else:
        *first, one, two = groups
        options = grid(
            (one, _exchanged(one)), (two, _exchanged(two)), write=lambda one, two: ",".join([*first, one, two])
        )
    fact = Fact(
        id=number,
        question=f"Which number is {in_english(int(number.replace(',', '')))}?",
        answer=number,
        cluster=f"number:{min(options)}",
    )
    return with_choices(fact, [option for option in options if option != number])


def _other(digit: str) -> str:
    return str(9 - int(digit))


def _exchanged(group: str) -> str:
    return group[0] + group[2] + group[1]
