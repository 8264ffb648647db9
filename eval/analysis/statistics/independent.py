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
    """The first score less the second, with an interval from both scores' intervals.

    Newcombe (1998), method 10: the distances from each score to the ends of its interval add as squares. `n` is the
    number of items to report with the difference.
    """
    gap = first.score - second.score
    return Difference(
        difference=gap,
        low=gap - math.hypot(first.score - first.low, second.high - second.score),
        high=gap + math.hypot(first.high - first.score, second.score - second.low),
        kind="Newcombe 95%",
        n=n,
    )
