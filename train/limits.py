"""How many runs train together. No torch: planning a study needs it."""

import math
from collections.abc import Sequence
from typing import TypeVar

# Each more holds six times its parameters: themselves, their gradient, Adam's two moments, and two good copies.
MAX_TOGETHER = 8
Each = TypeVar("Each")


def in_groups(each: Sequence[Each], *, largest: int = MAX_TOGETHER) -> list[Sequence[Each]]:
    """All of them in their order, in as few groups of at most `largest` as there can be, about equally large."""
    count = math.ceil(len(each) / largest)
    return [each[len(each) * group // count : len(each) * (group + 1) // count] for group in range(count)]
