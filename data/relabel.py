"""Labels drawn at random: a control that teaches the format but not the task."""

from collections.abc import Sequence
from dataclasses import replace

from educe.data.example import Example
from educe.data.hashing import fraction


def relabel(examples: Sequence[Example], *, share: float, seed: int) -> tuple[Example, ...]:
    """Give about this share of the examples a label drawn uniformly among their choices; it may be the right one.

    The example's id and the seed decide: a larger share, or a larger set of examples, changes no other label.
    """
    return tuple(
        replace(each, answer=each.choices[int(_draw(each, seed, "label") * len(each.choices))], worked=None)
        if _draw(each, seed, "whether") < share
        else each
        for each in examples
    )


def _draw(example: Example, seed: int, what: str) -> float:
    return fraction(f"{what} {seed} {example.id}")
