"""How well a statistic tells two groups of models apart: the ROC curve, its area, and thresholds for few models.

Models are few. So every interval is exact or wider, and the threshold for a model is chosen on other models alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.statistics.resample import (
    NUM_RESAMPLES,
    SEED,
    Array,
    interval_kind,
    percentiles,
    small_sample_stretch,
)

# With fewer clusters nothing is said of others, as with fewer seeds (variance.py).
MIN_CLUSTERS = 3
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Member:
    """One model's statistic, higher where it rather is a positive, and the cluster of models that it belongs to."""

    value: float
    cluster: str


@dataclass(frozen=True, kw_only=True)
class Rate:
    """`found` models of so many, with the exact interval of Clopper & Pearson (1934); all of [0, 1] for none."""

    found: int
    of: int
    low: float
    high: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class Area:
    """The area under the ROC curve: how often a positive is above a negative, ties counting half.

    With `clusters` below MIN_CLUSTERS its interval speaks of other models of these clusters alone.
    """

    value: float
    low: float
    high: float
    kind: str
    clusters: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a rule finds among positives and among negatives, and the false-positive rate that the rule promises."""

    positives: Rate
    negatives: Rate
    promised: float


def rate(found: int, of: int, *, level: float = 0.95) -> Rate:
    """A share of models with its exact interval."""
    low, high = proportion_confint(found, of, alpha=1 - level, method="beta") if of else (0.0, 1.0)
    return Rate(found=found, of=of, low=float(low), high=float(high), kind=interval_kind("Clopper-Pearson", level))


def needed(bound: float = 0.05, *, found: int = 0, level: float = 0.95) -> int:
    """The fewest negatives of which, with so many found, the interval of the rate ends at `bound` or below."""
    return next(of for of in range(max(1, found), _MOST) if rate(found, of, level=level).high <= bound)


def needed_to_choose(bound: float = 0.05) -> int:
    """The fewest negatives on which a threshold can be chosen that promises `bound` for a further one."""
    return next(count for count in range(1, _MOST) if int(bound * (count + 1) + 1e-9) >= 1)


def roc_curve(positives: Sequence[float], negatives: Sequence[float]) -> list[tuple[float, float]]:
    """False- and true-positive rates above every threshold, from (0, 0) to (1, 1)."""
    thresholds = sorted({*positives, *negatives}, reverse=True)
    points = [(_share_from(negatives, each), _share_from(positives, each)) for each in thresholds]
    return [(0.0, 0.0), *points]


def area_under_roc(positives: Sequence[Member], negatives: Sequence[Member], *, level: float = 0.95) -> Area:
    """The area with an interval that assumes nothing of how the statistic is distributed.

    Bootstrap over clusters of models, stretched for few (`small_sample_stretch`), and never narrower than the exact
    interval of a share of min(positives, negatives) trials: no area of independent models has a larger variance than
    such a share (van Dantzig 1951, Birnbaum & Klose 1957), and where all positives are above all negatives a bootstrap
    sees no variance at all. ValueError without positives or without negatives.
    """
    if not positives or not negatives:
        raise ValueError(f"an area takes models of both kinds, got {len(positives)} and {len(negatives)}")
    ours, theirs = (np.array([each.value for each in side], dtype=float) for side in (positives, negatives))
    above = (ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)
    value, trials = float(above.mean()), min(len(ours), len(theirs))
    low, high = exact_share(value, trials, level)
    names = sorted({each.cluster for each in (*positives, *negatives)})
    if len(names) >= MIN_CLUSTERS:
        codes = [np.array([names.index(each.cluster) for each in side]) for side in (positives, negatives)]
        areas = _resampled_areas(above, codes[0], codes[1], len(names))
        ends = percentiles(value + small_sample_stretch(len(names), level) * (areas - value), level)
        low, high = max(0.0, min(low, ends[0])), min(1.0, max(high, ends[1]))
    name = "cluster bootstrap, exact at least," if len(names) >= MIN_CLUSTERS else "exact"
    return Area(value=value, low=low, high=high, kind=interval_kind(name, level), clusters=len(names))


def found_above(positives: Sequence[float], negatives: Sequence[float], threshold: float, *, promised: float) -> Found:
    """What is above a threshold that was stated beforehand."""
    sides = [rate(sum(each > threshold for each in side), len(side)) for side in (positives, negatives)]
    return Found(positives=sides[0], negatives=sides[1], promised=promised)


def found_by_others(positives: Sequence[Member], negatives: Sequence[Member], *, bound: float = 0.05) -> Found | None:
    """What is found where the threshold for each model is chosen on negatives of other clusters.

    With negatives of one cluster, on the other models of that cluster. The threshold is an order statistic of the k
    negatives that it is chosen on, so that a further one like them is above it with a probability of at most `bound`,
    whatever their distribution (conformal prediction, Vovk et al. 2005). Fewer than `needed_to_choose` cannot promise
    that; they promise 1 / (k + 1), which is then what is promised of all. None where there are no others to choose on.
    """
    alone = len({each.cluster for each in negatives}) == 1
    counts, promised = [], bound
    for side in (positives, negatives):
        count = 0
        for one in side:
            others = [each.value for each in negatives if each is not one and (alone or each.cluster != one.cluster)]
            if not others:
                return None
            promised = max(promised, 1 / (len(others) + 1))
            count += one.value > _threshold(others, max(bound, 1 / (len(others) + 1)))
        counts.append(rate(count, len(side)))
    return Found(positives=counts[0], negatives=counts[1], promised=promised)


def _threshold(values: Sequence[float], promised: float) -> float:
    """The value that a further one like these is above with at most this probability."""
    place = int(promised * (len(values) + 1) + 1e-9)
    return sorted(values, reverse=True)[place - 1]


def _share_from(values: Sequence[float], threshold: float) -> float:
    return sum(each >= threshold for each in values) / len(values)


def exact_share(value: float, trials: int, level: float) -> tuple[float, float]:
    """Clopper & Pearson's interval of a share, of which the number found may be a fraction."""
    found, tail = value * trials, (1 - level) / 2
    low = float(special.betaincinv(found, trials - found + 1, tail)) if found > 0 else 0.0
    high = float(special.betaincinv(found + 1, trials - found, 1 - tail)) if found < trials else 1.0
    return low, high


def _resampled_areas(above: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], num_clusters: int) -> Array:
    """The areas of drawn clusters; draws without models of both kinds have none and are left out."""
    pairs = np.zeros((num_clusters, num_clusters))
    np.add.at(pairs, (rows[:, None], columns[None, :]), above)
    sizes = [np.bincount(codes, minlength=num_clusters).astype(float) for codes in (rows, columns)]
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=NUM_RESAMPLES).astype(float)
    totals = (drawn @ sizes[0]) * (drawn @ sizes[1])
    sums = np.einsum("dk,kl,dl->d", drawn, pairs, drawn)
    return np.asarray(sums[totals > 0] / totals[totals > 0])
