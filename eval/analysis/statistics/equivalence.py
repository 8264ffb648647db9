"""Equivalence: two sides score the same to within a margin, which an insignificant difference does not show."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from educe.eval.analysis.statistics.paired import adjusted, check_sides
from educe.eval.analysis.statistics.resample import Clusters
from educe.eval.analysis.statistics.variance import Side, contrast_variance


def equivalence_p(a: ArrayLike | Side, b: ArrayLike | Side, margin: float, clusters: Clusters | None = None) -> float:
    """The p value of two one-sided tests (Schuirmann 1987) that `a` and `b` differ by less than `margin`.

    Sides are as in `paired_difference`, the margin is a difference of mean scores. The larger p of both tests: it is
    below alpha where the 1 - 2 alpha interval of `paired_difference` lies within the margins. ValueError for a margin
    that is not over 0 and at most 1, and as in `paired_difference`.
    """
    if not 0 < margin <= 1:
        raise ValueError(f"a margin is a difference of scores over 0 and at most 1, got {margin}")
    first, second = check_sides(a, b)
    items = first.items - second.items
    found = adjusted(items, contrast_variance((first, second), (1.0, -1.0), clusters), clusters)
    if not abs(items.mean()) < margin or not np.isfinite(found.error):
        return 1.0
    return float(special.stdtr(found.df, -(margin - abs(found.center)) / found.error))
