"""Two scores on different items, compared as independent shares."""

import math
from dataclasses import dataclass

from educe.eval.analysis.statistics.paired import Difference


@dataclass(frozen=True, kw_only=True)
class ScoreInterval:
    """A score with the ends of its 95% interval."""

    score: float
    low: float
    high: float


def independent_difference(first: ScoreInterval, second: ScoreInterval, *, n: int) -> Difference:
    """The first score less the second, with the interval that their own intervals make.

    Newcombe (1998), method 10: the distances from each score to the ends of its interval add as squares. `n` is what
    the difference is said to rest on.
    """
    gap = first.score - second.score
    return Difference(
        difference=gap,
        low=gap - math.hypot(first.score - first.low, second.high - second.score),
        high=gap + math.hypot(first.high - first.score, second.score - second.low),
        kind="Newcombe 95%",
        n=n,
    )
