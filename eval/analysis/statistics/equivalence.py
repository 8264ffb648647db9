"""Equivalence: two sides score the same to within a margin, which an insignificant difference does not show."""

from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.resample import Clusters
from educe.eval.analysis.statistics.variance import Side


def equivalent(
    a: ArrayLike | Side,
    b: ArrayLike | Side,
    margin: float,
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> bool:
    """Two one-sided tests (Schuirmann 1987) that `a` and `b` differ by less than `margin` on the same items.

    Sides are as in `paired_difference`, the margin is a difference of mean scores. With alpha = 1 - level both tests
    reject where the 1 - 2 alpha interval lies within the margins. ValueError for a margin that is not over 0 and at
    most 1, for a level of one half or less, and as in `paired_difference`.
    """
    if not 0 < margin <= 1:
        raise ValueError(f"a margin is a difference of scores over 0 and at most 1, got {margin}")
    found = paired_difference(a, b, clusters, level=2 * level - 1)
    return -margin < found.low and found.high < margin
