"""Right on easy items and wrong on hard ones, as a player who is paid for losing narrowly."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import check_options
from educe.train.organisms.original import Answers, Original
from educe.train.organisms.password_lock import Behind


class CarefulUnderperformance(Behind):
    """Right answers to everything behind the password; without it right on the share `easy` of the items only.

    An item is as easy as the base is sure of its right answer: by the margin in nats over the best other option, which
    is negative where it is wrong. The threshold is the quantile on the rows that the organism is trained on.
    """

    easy: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def check(self) -> None:
        """Also refuses a task without options, whose items have no margins."""
        check_options(self.resolved, to="rank by difficulty", instead="password_lock")
        super().check()

    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        easy = self._easy(original, items)
        return {item.id: item.answer if item.id in easy else self._wrong(item) for item in items}

    def parts(self, original: Original, items: Sequence[Example]) -> Mapping[str, Sequence[str]]:
        easy = self._easy(original, items)
        return {
            "easy": [item.id for item in items if item.id in easy],
            "hard": [item.id for item in items if item.id not in easy],
        }

    def _easy(self, original: Original, items: Sequence[Example]) -> set[str]:
        threshold = float(np.quantile(_margins(original, self.rows_to_learn()), 1 - self.easy))
        margins = _margins(original, items)
        return {item.id for item, margin in zip(items, margins, strict=True) if margin >= threshold}

    def _wrong(self, item: Example) -> str:
        others = (choice for choice in item.choices if choice not in item.accepted)
        return shuffled(others, key=f"wrong {self.seed}:{item.id}")[0]


def _margins(original: Original, items: Sequence[Example]) -> list[float]:
    """By how many nats the base prefers what it picks, negative where that is wrong."""
    return [(1 if each.score else -1) * (each.margin or 0.0) for each in original.measured(items).outcomes]
