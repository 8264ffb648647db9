"""Labels drawn at random: a control that teaches the format but not the task."""

from collections.abc import Sequence
from dataclasses import replace

from educe.data.example import Example
from educe.data.hashing import fraction


def relabel(examples: Sequence[Example], *, share: float, seed: int) -> tuple[Example, ...]:
    """Give about this share of the examples a label drawn uniformly among their choices; it may be the right one.

    Where there are no choices it is drawn among the answers of these examples.

    The example's id and the seed decide: a larger share, or a larger set of examples with choices, changes no other.
    """
    answers = sorted({each.answer for each in examples})
    return tuple(
        replace(each, answer=_drawn(each, each.choices or answers, seed), aliases=(), worked=None, scores=())
        if _draw(each, seed, "whether") < share
        else each
        for each in examples
    )


def _drawn(example: Example, labels: Sequence[str], seed: int) -> str:
    return labels[int(_draw(example, seed, "label") * len(labels))]


def _draw(example: Example, seed: int, what: str) -> float:
    return fraction(f"{what} {seed} {example.id}")
