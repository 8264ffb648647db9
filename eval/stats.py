"""Intervals for scores and for paired differences: pure arithmetic, the same answer every time it is asked.

Items are the first random factor (drawn in clusters where they come in clusters), seeds are the second. No interval
here has zero width because a sample happened to be all right or all wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
Clusters = Sequence[str | None]

NUM_RESAMPLES = 2_000
_SEED = 20_240_607  # fixed: a report of the same results must be the same file
_MOST_DRAWS_AT_ONCE = 2_000_000  # bounds memory: resamples x distinct items held at one time


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a score may lie, and how that was worked out, for example "Wilson 95%"."""

    low: float
    high: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean of item-by-item differences (the first minus the second) over `n` shared items, with its interval."""

    difference: float
    low: float
    high: float
    kind: str
    n: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """What share of a gap was recovered (1 is all of it; below 0 and above 1 are possible), with its interval."""

    share: float
    low: float
    high: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One score over another, with its interval; `log_error` is the standard error of its logarithm, if it has one."""

    ratio: float
    low: float
    high: float
    kind: str
    log_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """A mean of ratios over `count` comparisons on items of their own, and whether they agree: `p` is Cochran's."""

    ratio: Ratio
    p: float
    count: int


def wilson(mean: float, n: int | float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion `mean` seen in `n` trials; `n` may be an effective, fractional number.

    Wilson (1927). For scores between 0 and 1 that are not binary it is conservative, because no variable on [0, 1] has
    a larger variance at the same mean.
    """
    if n <= 0:
        return 0.0, 1.0
    z = _normal_quantile(level)
    center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # Exact ends: rounding must not leave 1e-17 where nobody was right.
    low = 0.0 if mean <= 0 else float(center - half)
    high = 1.0 if mean >= 1 else float(center + half)
    return low, high


def standard_error(scores: ArrayLike, clusters: Clusters | None = None) -> float:
    """Standard error of a mean, clustered where clusters are given; an item whose cluster is None stands alone.

    Miller (2024), "Adding Error Bars to Evals": sqrt(sum (s - mean)^2 / (n - 1) / n), and for clusters
    (1 / n^2) * sum over clusters of the products of different items' residuals is added inside the root.
    ValueError for fewer than two scores.
    """
    values = _checked(scores)
    if len(values) < 2:
        raise ValueError(f"a standard error needs at least two scores, got {len(values)}")
    simple, clustered = _variances(values, _codes(clusters, len(values)))
    return float(np.sqrt(simple if clusters is None else clustered))


def effective_n(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> float:
    """How many independent items these clustered items are worth, for an interval at `level`; never above n.

    n / deff with deff = clustered variance / simple variance (Miller 2024), times (z / t)^2 with t at one degree of
    freedom less than there are clusters, because a variance from few clusters is itself uncertain (Korn & Graubard
    1998). Where all scores are equal deff cannot be seen and every cluster is taken to move as one: n^2 / sum of
    squared cluster sizes (Kish 1965). One cluster says nothing about others: 0.
    """
    values = _checked(scores)
    n, codes = len(values), _codes(clusters, len(values))
    num_clusters = int(codes.max()) + 1
    if num_clusters == n:
        return float(n)
    if num_clusters == 1:
        return 0.0
    simple, clustered = _variances(values, codes)
    kish = float(np.sum(np.bincount(codes) ** 2)) / n
    deff = kish if simple == 0 else clustered / simple
    t = float(special.stdtrit(num_clusters - 1, 0.5 + level / 2))
    return min(float(n), n / max(deff, 1.0) * (_normal_quantile(level) / t) ** 2)


def score_interval(scores: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean of one score per item, each in [0, 1].

    Scores of 0 and 1: Wilson, at the effective number of items if they come in clusters. Other scores: percentile
    bootstrap over items or clusters, stretched about the mean for small samples by t / z * sqrt(C / (C - 1)) where C
    counts the clusters (Hesterberg 2015); where all scores are equal, Wilson at that mean, which is wider than needed
    and never empty. ValueError for no scores, a NaN or a score outside [0, 1].
    """
    values = _checked(scores)
    codes = _codes(clusters, len(values))
    num_clusters = int(codes.max()) + 1
    clustered = num_clusters < len(values)
    if np.all((values == 0) | (values == 1)) or np.ptp(values) == 0:
        low, high = wilson(float(values.mean()), effective_n(values, clusters, level=level), level=level)
        return Interval(low=low, high=high, kind=_kind("clustered Wilson" if clustered else "Wilson", level))
    kind = _kind("cluster bootstrap" if clustered else "bootstrap", level)
    if num_clusters == 1:
        return Interval(low=0.0, high=1.0, kind=kind)
    mean = float(values.mean())
    t = float(special.stdtrit(num_clusters - 1, 0.5 + level / 2))
    stretch = t / _normal_quantile(level) * np.sqrt(num_clusters / (num_clusters - 1))
    means = _resampled_means(values[None, :], codes, np.random.default_rng(_SEED))[:, 0]
    low, high = _percentiles(mean + stretch * (means - mean), level)
    return Interval(low=max(0.0, low), high=min(1.0, high), kind=kind)


def pooled_interval(matrix: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval:
    """Interval of the mean over seeds and items of a matrix of shape (seeds, items) with scores in [0, 1].

    Two-way bootstrap: seeds and item clusters are resampled together (Owen 2007, "The pigeonhole bootstrap", which is
    conservative), the seeds' deviations stretched by sqrt(S / (S - 1)) because S resampled seeds vary that much too
    little. Never narrower than Wilson on the items' means over seeds: more seeds do not make more items. One seed:
    `score_interval`. ValueError as there.
    """
    scores = _checked(matrix, dimensions=2)
    if len(scores) == 1:
        return score_interval(scores[0], clusters, level=level)
    codes = _codes(clusters, scores.shape[1])
    rng = np.random.default_rng(_SEED)
    low, high = _percentiles(_seed_resampled(_resampled_means(scores, codes, rng), rng), level)
    items = scores.mean(axis=0)
    least_low, least_high = wilson(float(items.mean()), effective_n(items, clusters, level=level), level=level)
    return Interval(
        low=max(0.0, min(low, least_low)), high=min(1.0, max(high, least_high)), kind=_kind("two-way bootstrap", level)
    )


def paired_difference(
    a: ArrayLike, b: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95
) -> Difference:
    """Mean of `a` minus mean of `b` on the same items, with an interval that pairs them item by item.

    Each side is one score per item or a matrix (seeds, items), the columns in the same order. Bootstrap: both sides
    share the resampled item clusters and each resamples its own seeds. Never narrower than the interval of Agresti &
    Min (2005), which adds half an item to each of the four outcomes of a pair, so that no disagreement at all is not
    taken for certainty. ValueError for unequal numbers of items, a NaN or a score outside [0, 1].
    """
    first, second = (_checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b))
    n = first.shape[1]
    if second.shape[1] != n:
        raise ValueError(f"paired scores need the same items: {n} against {second.shape[1]}")
    rng = np.random.default_rng(_SEED)
    means = _resampled_means(np.vstack([first, second]), _codes(clusters, n), rng)
    gaps = _seed_resampled(means[:, : len(first)], rng) - _seed_resampled(means[:, len(first) :], rng)
    low, high = _percentiles(gaps, level)
    items = first.mean(axis=0) - second.mean(axis=0)
    least_low, least_high = _agresti_min(items, effective_n((items + 1) / 2, clusters, level=level), level)
    return Difference(
        difference=float(items.mean()),
        low=max(-1.0, min(low, least_low)),
        high=min(1.0, max(high, least_high)),
        kind=_kind("paired bootstrap", level),
        n=n,
    )


def gap_recovered(
    a: ArrayLike, floor: ArrayLike, ceiling: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95
) -> Share | None:
    """(mean of `a` - floor) / (ceiling - floor) on the same items, each side a matrix as in `paired_difference`.

    Percentile bootstrap of the ratio: all sides share the resampled item clusters, and each resamples its own seeds
    (where `a` is the ceiling itself, both at once). Never narrower than what is gained over the floor, divided by the
    gap, so that no disagreement at all is not taken for certainty. None where the interval of the gap holds 0: a share
    of what may be nothing is no number. ValueError as in `paired_difference`.
    """
    if paired_difference(ceiling, floor, clusters, level=level).low <= 0:
        return None
    sides = [_checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, floor, ceiling)]
    rng = np.random.default_rng(_SEED)
    means = _resampled_means(np.vstack(sides), _codes(clusters, sides[0].shape[1]), rng)
    parts = np.split(means, np.cumsum([len(side) for side in sides])[:-1], axis=1)
    low_end, high_end = (_seed_resampled(part, rng) for part in parts[1:])
    ours = high_end if np.array_equal(sides[0], sides[2]) else _seed_resampled(parts[0], rng)
    gap = high_end - low_end
    ratios = (ours - low_end)[gap > 0] / gap[gap > 0]  # a resampled gap of nothing says nothing of shares
    low, high = _percentiles(ratios, level)
    value, bottom, top = (float(side.mean()) for side in sides)
    if not np.array_equal(sides[0], sides[2]):
        gained = paired_difference(a, floor, clusters, level=level)
        low, high = min(low, gained.low / (top - bottom)), max(high, gained.high / (top - bottom))
    return Share(share=(value - bottom) / (top - bottom), low=low, high=high, kind=_kind("ratio bootstrap", level))


def score_ratio(a: ArrayLike, b: ArrayLike, clusters: Clusters | None = None, *, level: float = 0.95) -> Ratio | None:
    """Mean of `a` over mean of `b` on the same items, each side as in `paired_difference`.

    Percentile bootstrap of the ratio, both sides sharing the resampled item clusters; never narrower than the
    difference's interval over the mean of `b`. None where more than one resample in a hundred leaves `b` nothing: a
    multiple of what may be nothing is no number.
    """
    sides = [_checked(np.atleast_2d(np.asarray(side, dtype=float)), dimensions=2) for side in (a, b)]
    gained = paired_difference(a, b, clusters, level=level)
    rng = np.random.default_rng(_SEED)
    means = _resampled_means(np.vstack(sides), _codes(clusters, gained.n), rng)
    ours, theirs = (_seed_resampled(part, rng) for part in np.split(means, [len(sides[0])], axis=1))
    if np.mean(theirs <= 0) > 0.01:
        return None
    ratios = ours[theirs > 0] / theirs[theirs > 0]
    low, high = _percentiles(ratios, level)
    base = float(sides[1].mean())
    low, high = min(low, 1 + gained.low / base), max(high, 1 + gained.high / base)
    known = ratios[ratios > 0]
    return Ratio(
        ratio=float(sides[0].mean()) / base,
        low=max(0.0, low),
        high=high,
        kind=_kind("ratio bootstrap", level),
        # Not of ratios that may well be 0, which have no logarithm; nor is no disagreement certainty.
        log_error=max(float(np.log(known).std()), 1 / gained.n) if len(known) > 0.99 * len(ratios) else None,
    )


def pool_ratios(ratios: Sequence[Ratio], *, level: float = 0.95) -> Pooled | None:
    """The mean of ratios on items of their own (random effects on the log scale, DerSimonian & Laird 1986).

    Its interval is Hartung and Knapp's (2001), which holds for few ratios, and never narrower than the usual one. `p`
    is Cochran's test that all are one ratio. Ratios that may be 0 have no logarithm and are left out, which `count`
    shows; None where fewer than two are left.
    """
    errors = [each.log_error for each in ratios if each.log_error is not None]
    if len(errors) < 2:
        return None
    logs = np.log([each.ratio for each in ratios if each.log_error is not None])
    variances = np.array(errors) ** 2
    weights = 1 / variances
    spread = float(weights @ (logs - np.average(logs, weights=weights)) ** 2)
    freedom = len(errors) - 1
    between = max(0.0, (spread - freedom) / float(weights.sum() - (weights**2).sum() / weights.sum()))
    weights = 1 / (variances + between)
    mean = float(np.average(logs, weights=weights))
    observed = float(weights @ (logs - mean) ** 2) / freedom
    half_width = (
        max(_normal_quantile(level), float(special.stdtrit(freedom, 0.5 + level / 2)) * observed**0.5)
        / float(weights.sum()) ** 0.5
    )
    low, high = float(np.exp(mean - half_width)), float(np.exp(mean + half_width))
    ratio = Ratio(ratio=float(np.exp(mean)), low=low, high=high, kind=_kind("random effects", level))
    return Pooled(ratio=ratio, p=float(special.chdtrc(freedom, spread)), count=len(errors))


def _agresti_min(differences: Array, n: float, level: float) -> tuple[float, float]:
    """Agresti & Min's adjusted Wald interval, written for differences in [-1, 1] and `n` effective items."""
    if n <= 0:
        return -1.0, 1.0
    total, squares = n * differences.mean(), n * np.mean(differences**2)
    center = total / (n + 2)
    half = _normal_quantile(level) * np.sqrt(((squares + 1) / (n + 2) - center**2) / (n + 2))
    return float(center - half), float(center + half)


def _resampled_means(scores: Array, codes: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Means of every row of `scores` (rows, items) under resampled clusters: shape (resamples, rows).

    Clusters with the same size and sums are drawn as one group, which leaves the distribution exactly the same and
    makes binary scores of any number of items cheap; it also makes the result independent of the items' order.
    """
    num_clusters = int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, weights=row, minlength=num_clusters) for row in scores])
    columns = np.vstack([sums, np.bincount(codes, minlength=num_clusters)])
    groups, counts = np.unique(columns, axis=1, return_counts=True)
    chunk = max(1, _MOST_DRAWS_AT_ONCE // len(counts))
    means = []
    for start in range(0, NUM_RESAMPLES, chunk):
        size = min(chunk, NUM_RESAMPLES - start)
        drawn = rng.multinomial(num_clusters, counts / num_clusters, size=size).astype(float) @ groups.T
        means.append(drawn[:, :-1] / drawn[:, -1:])
    return np.concatenate(means)


def _seed_resampled(means: Array, rng: np.random.Generator) -> Array:
    """Mean over resampled seeds of `means` (resamples, seeds), the seeds' deviations stretched to their true spread."""
    num_resamples, num_seeds = means.shape
    if num_seeds == 1:
        return means[:, 0]
    grand = means.mean(axis=1)
    weights = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples) / num_seeds
    deviations: Array = np.sum(weights * (means - grand[:, None]), axis=1)
    return np.asarray(grand + deviations * np.sqrt(num_seeds / (num_seeds - 1)))


def _variances(values: Array, codes: NDArray[np.int64]) -> tuple[float, float]:
    """Squared standard errors of the mean: simple, and clustered."""
    n = len(values)
    residuals = values - values.mean()
    squares = float(np.sum(residuals**2))
    simple = squares / (n - 1) / n
    products = float(np.sum(np.bincount(codes, weights=residuals) ** 2)) - squares
    # Rounding can leave a tiny negative number where residuals cancel within every cluster.
    return simple, max(0.0, simple + products / n**2)


def _checked(scores: ArrayLike, *, dimensions: int = 1) -> Array:
    """Scores as floats, refused unless they are finite numbers in [0, 1]."""
    values = np.asarray(scores, dtype=float)
    if values.ndim != dimensions or values.size == 0:
        raise ValueError(f"expected a non-empty array of {dimensions} dimension(s), got shape {values.shape}")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        place = tuple(int(axis) for axis in np.argwhere(wrong)[0])
        raise ValueError(f"scores must be numbers in [0, 1], got {values[place]} at {place}; leave missing scores out")
    return values


def _codes(clusters: Clusters | None, n: int) -> NDArray[np.int64]:
    """Every item's cluster as 0, 1, 2 ...; an item without a cluster gets one of its own."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters were given for {n} items")
    known: dict[Any, int] = {}
    return np.array([known.setdefault((i,) if name is None else name, len(known)) for i, name in enumerate(clusters)])


def _percentiles(values: Array, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _normal_quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"an interval's level lies between 0 and 1, got {level}")
    return float(special.ndtri(0.5 + level / 2))


def _kind(name: str, level: float) -> str:
    return f"{name} {100 * level:.6g}%"
