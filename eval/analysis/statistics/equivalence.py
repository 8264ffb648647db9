"""Equivalence: that two sides score alike to within a margin, which finding no difference does not show."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.paired import SeedVariances, paired_difference
from educe.eval.analysis.statistics.resample import Clusters


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Whether the interval of a paired difference lies within (-margin, margin), and the margin at which it just would.

    `low` and `high` are at twice the error: a 90% interval decides at 5%.
    """

    difference: float
    low: float
    high: float
    kind: str
    margin: float
    equivalent: bool
    smallest_margin: float
    n: int


def equivalence(
    a: ArrayLike,
    b: ArrayLike,
    margin: float,
    clusters: Clusters | None = None,
    *,
    seed_variances: SeedVariances = (None, None),
    level: float = 0.95,
) -> Equivalence:
    """Two one-sided tests (Schuirmann 1987) that `a` and `b` differ by less than `margin` on the same items.

    Sides are as in `paired_difference`, the margin a difference of mean scores. With alpha = 1 - level both tests
    reject where the 1 - 2 alpha interval lies within the margins. ValueError for a margin that is not over 0 and at
    most 1, for a level of one half or less, and as in `paired_difference`.
    """
    if not 0 < margin <= 1:
        raise ValueError(f"a margin is a difference of scores over 0 and at most 1, got {margin}")
    inner = 2 * level - 1
    found = paired_difference(a, b, clusters, seed_variances=seed_variances, level=inner)
    return Equivalence(
        difference=found.difference,
        low=found.low,
        high=found.high,
        kind=found.kind,
        margin=margin,
        equivalent=-margin < found.low and found.high < margin,
        smallest_margin=max(-found.low, found.high),
        n=found.n,
    )
