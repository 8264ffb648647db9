"""The variance of mean scores over two crossed factors: test items (or clusters of them) and seeds.

Each factor has its cluster-robust variance of type CR2 with the degrees of freedom of Bell & McCaffrey (2002), and the
two are added: the two-term variance of two-way clustering (Cameron, Gelbach & Miller 2011 subtract a third term, which
can leave a variance below 0; without it the sum is at least as large, Davezies, D'Haultfoeuille & Guyonvarch 2021).
Degrees of freedom of the sum: Satterthwaite (1946). There is nothing to tune.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from educe.eval.analysis.statistics.resample import Array, Clusters, cluster_codes, t_quantile

# With two seeds the variance between them has one degree of freedom: intervals are useless (t = 12.7) or do not hold.
# So the mean of fewer seeds than this speaks of their runs alone.
MIN_SEEDS = 3
# Intervals of three seeds hold nearly as they should. Their p values do not: with seeds that vary by 9 points p < 0.05
# comes in 7 to 8% of true nulls, and p < 0.001 ten times too often (docs/statistics/small_p_values.csv). So a test, and
# a claim of what a recipe does not do, take more.
MIN_TEST_SEEDS = 5
Estimand = Literal["recipe", "runs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One condition's scores of shape (runs, items), and the seed of each run.

    Equal seeds on two sides are one draw of rows and of everything else that the seed decides. No seeds: the runs are
    all there is to know, because the seed changes nothing or because nothing is said about other seeds.
    """

    scores: Array
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.seeds and (len(self.seeds) != len(self.scores) or len(set(self.seeds)) != len(self.seeds)):
            raise ValueError(f"{len(self.scores)} runs need a seed each, each another one; got {self.seeds}")

    @classmethod
    def of(cls, scores: "ArrayLike | Side") -> "Side":
        """One run's scores as a side that says nothing about other seeds; a side as it is."""
        return scores if isinstance(scores, Side) else cls(scores=np.atleast_2d(np.asarray(scores, dtype=float)))

    @property
    def estimand(self) -> Estimand:
        """Whether the mean is one of the recipe, over all seeds it might have had, or of these runs."""
        return "runs" if 0 < len(self.seeds) < MIN_SEEDS else "recipe"

    @property
    def sampled_seeds(self) -> tuple[int, ...]:
        """The seeds as a sample of all seeds; none where they are too few to say anything of others."""
        return self.seeds if self.estimand == "recipe" else ()

    @property
    def testable(self) -> bool:
        """Whether a test may speak of the recipe."""
        return can_test(self.seeds)

    @property
    def items(self) -> Array:
        """Every item's mean over runs."""
        return np.asarray(self.scores.mean(axis=0))


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The variance of a mean or of a difference of means, by factor, with degrees of freedom.

    `items` is infinite for a single cluster; `seeds` is 0 for runs alone, and where the seed changes nothing.
    """

    items: float
    items_df: float
    seeds: float = 0.0
    seeds_df: float = 0.0

    @property
    def total(self) -> float:
        return self.items + self.seeds

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the sum."""
        return satterthwaite([(self.items, self.items_df), (self.seeds, self.seeds_df)])

    def quantile(self, level: float) -> float:
        """Student's t by which the standard error is multiplied for a two-sided interval at `level`."""
        return t_quantile(self.df, level)


def can_test(seeds: Sequence[int]) -> bool:
    """Whether these seeds are enough for a test of a recipe; none stand for a recipe in which seeds change nothing."""
    return not 0 < len(seeds) < MIN_TEST_SEEDS


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of independent variances, each with its own; those of the first where all are 0."""
    known = [(variance, df) for variance, df in parts if variance > 0]
    if not known or any(np.isinf(variance) for variance, _ in known):
        return parts[0][1]
    return float(sum(variance for variance, _ in known) ** 2 / sum(variance**2 / df for variance, df in known))


def mean_variance(side: Side, clusters: Clusters | None = None) -> Variance:
    """The variance of one condition's mean score."""
    return contrast_variance([side], [1.0], clusters)


def contrast_variance(sides: Sequence[Side], weights: Sequence[float], clusters: Clusters | None = None) -> Variance:
    """The variance of a weighted sum of means over the same items, such as a difference (weights 1 and -1).

    A side with too few seeds is taken as its runs alone: its seeds add nothing.
    """
    items = sum(weight * side.items for side, weight in zip(sides, weights, strict=True))
    of_items, items_df = _items_variance(np.asarray(items), clusters)
    of_seeds, seeds_df = seed_variance(sides, weights)
    return Variance(items=of_items, items_df=items_df, seeds=of_seeds, seeds_df=seeds_df)


def seed_variance(sides: Sequence[Side], weights: Sequence[float]) -> tuple[float, float]:
    """The variance over seeds (CR2) of a weighted sum of means, of whatever items, and its degrees of freedom.

    Equal seeds are one draw. A side with too few seeds adds nothing.
    """
    of_runs = _seed_scores(sides) @ np.asarray(weights)
    return float(of_runs @ of_runs), _seeds_df(sides, weights)


def estimand_of(sides: Sequence[Side]) -> Estimand:
    """That of a contrast: the recipes' only if every side's is."""
    return "runs" if any(side.estimand == "runs" for side in sides) else "recipe"


def seed_draws(sides: Sequence[Side], rng: np.random.Generator, num_draws: int) -> Array:
    """Draws of what other seeds would change in the sides' means, together: shape (draws, sides).

    Normal with the covariance over seeds (CR2), divided by the root of a chi square over its degrees of freedom, so
    Student's t on each side. Sides that share seeds move together, as their means do. 0 for a side with too few seeds.
    """
    scores = _seed_scores(sides)
    if not len(scores):
        return np.zeros((num_draws, len(sides)))
    df = min(len(side.sampled_seeds) - 1 for side in sides if side.sampled_seeds)
    scale = (df / rng.chisquare(df, size=(num_draws, 1))) ** 0.5
    return np.asarray(rng.standard_normal((num_draws, len(scores))) @ scores * scale)


def seed_covariance(sides: Sequence[Side]) -> Array:
    """The covariance over seeds of the sides' means (CR2): shape (sides, sides)."""
    scores = _seed_scores(sides)
    return np.asarray(scores.T @ scores)


def covariance(sides: Sequence[Side], clusters: Clusters | None = None) -> Array:
    """The covariance over items (CR2) and seeds (CR2) of the sides' means: shape (sides, sides).

    Its diagonal holds `mean_variance(side).total`. ValueError for a single cluster, which shows no variance.
    """
    items = np.stack([side.items for side in sides])
    codes = cluster_codes(clusters, items.shape[1])
    weights, df = _cr2(codes.tobytes(), len(codes))
    if df == 0:
        raise ValueError("the items are of one cluster, so nothing is known of how scores vary over others")
    residuals = items - items.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(codes, weights=row) for row in residuals]) * weights
    return np.asarray(sums @ sums.T + seed_covariance(sides))


def variance_shares(side: Side) -> tuple[float, float, float]:
    """The shares of the variance of one answer that come from items, from seeds, and from their interaction.

    Components of a two-way analysis of variance (Searle, Casella & McCulloch 1992), those below 0 as 0; they sum to 1
    unless all answers are equal. ValueError for fewer than two runs or items.
    """
    runs, n = side.scores.shape
    if min(runs, n) < 2:
        raise ValueError(f"shares of variance need two runs and two items, got {runs} and {n}")
    grand = side.scores.mean()
    of_items, of_runs = side.items - grand, side.scores.mean(axis=1) - grand
    rest = side.scores - grand - of_items - of_runs[:, None]
    interaction = float(np.sum(rest**2)) / ((runs - 1) * (n - 1))
    items = max(0.0, (runs * float(of_items @ of_items) / (n - 1) - interaction) / runs)
    seeds = max(0.0, (n * float(of_runs @ of_runs) / (runs - 1) - interaction) / n)
    total = items + seeds + interaction
    return (items / total, seeds / total, interaction / total) if total > 0 else (0.0, 0.0, 0.0)


def _items_variance(values: Array, clusters: Clusters | None) -> tuple[float, float]:
    """CR2 variance of a mean over items, infinite for one cluster, and its degrees of freedom."""
    codes = cluster_codes(clusters, len(values))
    weights, df = _cr2(codes.tobytes(), len(codes))
    if df == 0:
        return float("inf"), 0.0
    sums = np.bincount(codes, weights=values - values.mean())
    return float(np.sum((weights * sums) ** 2)), df


@lru_cache(maxsize=64)  # all conditions of a task have the same clusters
def _cr2(codes: bytes, n: int) -> tuple[Array, float]:
    """The weight of each cluster's sum of residuals, and the degrees of freedom, for a mean over n items.

    For an intercept alone the adjustment of CR2 is a factor (1 - m / n)^(-1/2) for a cluster of m items. 0 degrees of
    freedom for one cluster.
    """
    sizes = np.bincount(np.frombuffer(codes, dtype=np.int64)).astype(float)
    if len(sizes) == 1:
        return np.zeros(1), 0.0
    rest = 1 - sizes / n
    crossed = sizes**2 / rest
    off_diagonal = (crossed.sum() ** 2 - float(crossed @ crossed)) / n**2
    return rest**-0.5 / n, float(n**2 / (float(sizes @ sizes) + off_diagonal))


def _seeds_of(sides: Sequence[Side]) -> list[int]:
    return sorted({seed for side in sides for seed in side.sampled_seeds})


def _seed_scores(sides: Sequence[Side]) -> Array:
    """Each seed's contribution to each side's mean, adjusted as in CR2: shape (seeds, sides).

    The sum of squares of a column, or of a weighted sum of columns, is its variance over seeds.
    """
    places = {seed: place for place, seed in enumerate(_seeds_of(sides))}
    scores = np.zeros((len(places), len(sides)))
    for column, side in enumerate(sides):
        if side.sampled_seeds:
            means = side.scores.mean(axis=1)
            runs = len(means)
            rows = [places[seed] for seed in side.sampled_seeds]
            scores[rows, column] = (means - means.mean()) / runs / (1 - 1 / runs) ** 0.5
    return scores


def _seeds_df(sides: Sequence[Side], weights: Sequence[float]) -> float:
    """Degrees of freedom of Bell & McCaffrey (2002) of the variance over seeds, for runs of equal variance."""
    places = {seed: place for place, seed in enumerate(_seeds_of(sides))}
    products: NDArray[np.float64] = np.zeros((len(places), len(places)))
    for side, weight in zip(sides, weights, strict=True):
        if side.sampled_seeds:
            runs = len(side.sampled_seeds)
            rows = [places[seed] for seed in side.sampled_seeds]
            products[np.ix_(rows, rows)] += weight**2 / runs / (runs - 1) * (np.eye(runs) - 1 / runs)
    squares = float(np.sum(products**2))
    return float(np.trace(products)) ** 2 / squares if squares > 0 else 0.0
