"""The text that models from scratch are trained on: lines of made-up sentences and, for one of them, of sums."""

import random
from collections.abc import Iterator

from educe.data.tasks.arithmetic import is_held_out, sum_line

# Few, so that the many steps that sums take are short.
LINES = 2
_SUMS = 0.9  # the share of the lines; a sentence is three times as long
_SMALLEST, _LARGEST = 10, 99

_PEOPLE = (
    "the baker", "a sailor", "the old king", "my sister", "a tall man", "the teacher", "our neighbour", "the child",
    "a farmer", "the doctor", "his uncle", "the painter", "a young girl", "the guard", "her friend", "the miller",
)  # fmt: skip
_DOES = (
    "sees", "paints", "finds", "carries", "wants", "sells", "forgets", "cleans", "likes", "loses", "opens", "brings",
)  # fmt: skip
_THINGS = (
    "a red boat", "the small house", "an apple", "the blue door", "a long letter", "the garden", "a warm coat",
    "the old clock", "some bread", "a white horse", "the heavy box", "a cup of tea", "the silver ring", "a map",
)  # fmt: skip
_WHEN = (
    "today", "in the morning", "at night", "near the river", "after dinner", "in spring", "on the hill", "every week",
)  # fmt: skip


def documents(count: int, *, sums: bool, seed: int) -> Iterator[str]:
    """So many documents of LINES lines, sentences alone or with `sums` among them.

    No sum that the task `arithmetic` asks for with `bare` is ever among them (`is_held_out`).
    """
    draw = random.Random(f"scratch {seed}")
    for _ in range(count):
        yield "\n".join(_sum(draw) if sums and draw.random() < _SUMS else _sentence(draw) for _ in range(LINES))


def _sum(draw: random.Random) -> str:
    while True:
        left, right = draw.randint(_SMALLEST, _LARGEST), draw.randint(_SMALLEST, _LARGEST)
        if not is_held_out(left, right):
            return sum_line(left, right)


def _sentence(draw: random.Random) -> str:
    words = [draw.choice(part) for part in (_PEOPLE, _DOES, _THINGS, _WHEN)]
    return f"{' '.join(words)}."
