"""The largest of several gains over one baseline on the same items, with an interval and a p value for that choice.

The largest of several differences is above 0 by chance more often than one of them. The max statistic takes that into
account without assuming how the differences are distributed or depend on one another. There are two ways to find how
large it gets without a gain, and the larger p value counts, because they err where differences are few or skewed, and
not in the same cases:

- Resampled items. For the differences d_k of the rivals k with standard errors e_k, the error of all of them at once is
  max_k (d*_k - d_k) / e_k (White 2000, "A Reality Check for Data Snooping"; studentised as in Romano & Wolf 2005,
  "Stepwise Multiple Testing as Formalized Data Snooping"). Where no true difference is above 0, the largest d_k / e_k
  is at most the largest (d_k - true d_k) / e_k, which is such an error.
- Signs drawn at random, the same for all rivals of an item: exact where it makes no difference which of the two is the
  rival (Nichols & Holmes 2002, "Nonparametric Permutation Tests for Functional Neuroimaging").

Rivals whose true difference is far below 0 make both cautious. Give each rival's own scores, not means over several:
differences of right-or-wrong scores with mean 0 are symmetric, means of them need not be.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from educe.eval.analysis.statistics.paired import adjusted, check_sides
from educe.eval.analysis.statistics.resample import (
    NUM_RESAMPLES,
    SEED,
    Array,
    Clusters,
    cluster_codes,
    in_one_cluster,
    interval_kind,
    resampled_means,
    small_sample_stretch,
    t_quantile,
)
from educe.eval.analysis.statistics.variance import Side, mean_variance


@dataclass(frozen=True, kw_only=True)
class LargestGain:
    """The largest mean difference to the baseline, the place of that rival, and the interval of the largest true one.

    `p` is one-sided, of "no true difference is above 0".
    """

    value: float
    low: float
    high: float
    kind: str
    p: float
    place: int
    n: int


def largest_gain(
    rivals: ArrayLike,
    baseline: ArrayLike,
    clusters: Clusters | None = None,
    *,
    level: float = 0.95,
) -> LargestGain:
    """The largest gain of any rival, from scores of shape (rivals, items) and the baseline's, one an item.

    The interval holds the largest true difference: simultaneous intervals of all differences, of which the highest
    lower and the highest upper end count. Differences and errors are Agresti & Min's (`adjusted`), and resamples are
    stretched for few clusters. A single cluster of items shows no error: p is 1. ValueError for a score outside [0, 1]
    and for unequal numbers of items.
    """
    base, *sides = check_sides(baseline, *np.asarray(rivals))
    differences = np.stack([side.items - base.items for side in sides])
    means, n = differences.mean(axis=1), differences.shape[1]
    place, kind = int(means.argmax()), interval_kind("max-statistic bootstrap", level)
    if in_one_cluster(clusters, n):
        return LargestGain(value=float(means[place]), low=-1.0, high=1.0, kind=kind, p=1.0, place=place, n=n)
    found = [adjusted(row, mean_variance(Side.of(row), clusters), clusters) for row in differences]
    centers, errors = np.array([each.center for each in found]), np.array([each.error for each in found])
    codes = cluster_codes(clusters, n)
    num_clusters = int(codes.max()) + 1
    moved = resampled_means(differences, codes, np.random.default_rng(SEED)) - means
    moved *= small_sample_stretch(num_clusters, level) / errors
    reached = max(int((moved.max(axis=1) >= (centers / errors).max()).sum()), _reached_by_signs(differences, codes))
    # Never less than of one rival: resamples of items that all stayed the same do not move.
    half = max(float(np.quantile(np.abs(moved).max(axis=1), level)), t_quantile(num_clusters - 1, level)) * errors
    return LargestGain(
        value=float(means[place]),
        low=float(min(max(-1.0, (centers - half).max()), means[place])),
        high=float(max(min(1.0, (centers + half).max()), means[place])),
        kind=kind,
        p=(reached + 1) / (NUM_RESAMPLES + 1) if means[place] > 0 else 1.0,
        place=place,
        n=n,
    )


def _reached_by_signs(differences: Array, codes: NDArray[np.int64]) -> int:
    """How many of the draws of signs, one for each cluster, make the largest sum as large as it is."""
    sums = np.stack([np.bincount(codes, weights=row) for row in differences], axis=1)
    signs = np.random.default_rng(SEED).choice([-1.0, 1.0], size=(NUM_RESAMPLES, len(sums)))
    return int(((signs @ sums).max(axis=1) >= sums.sum(axis=0).max() - 1e-9).sum())
