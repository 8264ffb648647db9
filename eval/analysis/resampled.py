"""The points of a curve, resampled over items and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.statistics.resample import SEED, Array, Clusters, cluster_codes, resampled_means
from educe.eval.analysis.statistics.variance import Side, seed_covariance, seed_draws

# A few items with the same answers at all budgets do not prove that the points differ by a known amount.
_MAX_CORRELATION = 0.95


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """Scores at several budgets on the same items, their covariance, and draws from their sampling distribution.

    Shapes: `scores` (points,), `draws` (resamples, points). A score p varies by `relative_variance` * p (1 - p); any
    two scores have one `correlation`, because the items are the same. `seeds` is whether the seed variance is included;
    one seed does not show it.
    """

    scores: Array
    draws: Array
    relative_variance: float
    correlation: float
    n: int
    seeds: bool

    def whitener(self, expected: Array) -> Array:
        """The matrix (points, points) that makes residuals independent with variance 1, for these expected scores.

        It does not use the variance at each observed score: a score that is high by noise seems to vary less, and
        weights from observed scores would pull every fit towards such points.
        """
        shares = (expected * self.n + 1) / (self.n + 2)  # Laplace's rule: no score is certain
        sizes = (self.relative_variance * shares * (1 - shares)) ** 0.5
        correlations = self.correlation + (1 - self.correlation) * np.eye(len(sizes))
        return np.linalg.inv(np.linalg.cholesky(sizes[:, None] * correlations * sizes))


def resampled(sides: Sequence[Side], clusters: Clusters | None, *, num_resamples: int) -> Resampled:
    """Points of one curve, each a side of the same items, resampled over items and seeds.

    Items (clusters of them): bootstrap, deviations stretched for few clusters (Hesterberg 2015). Seeds: `seed_draws`,
    in which points that share seeds move together.
    """
    rng = np.random.default_rng(SEED)
    items = np.stack([side.items for side in sides])
    num_items = items.shape[1]
    codes = cluster_codes(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    scores = items.mean(axis=1)
    # Half an item at each point: equal answers at two budgets do not make their difference certain.
    covariance = _items_covariance(items, codes, num_clusters) + np.diag(np.full(len(items), 0.25 / num_items**2))
    few = num_clusters / max(1, num_clusters - 1)
    draws = scores + few**0.5 * (resampled_means(items, codes, rng, num_resamples) - scores)
    # Where nearly all answers are the same, resampling underestimates the variance: Laplace's rule corrects it.
    shares = (scores * num_items + 1) / (num_items + 2)
    binary = shares * (1 - shares)
    extreme = scores * (1 - scores) < binary / 2
    missing = np.where(extreme, np.maximum(0.0, binary / num_clusters - draws.var(axis=0)), 0.0)
    draws = draws + rng.standard_normal(draws.shape) * missing**0.5 + seed_draws(sides, rng, num_resamples)
    covariance = covariance + seed_covariance(sides)
    seen = np.diag(covariance)
    off_diagonal = ~np.eye(len(seen), dtype=bool)
    correlations = covariance / np.sqrt(np.outer(seen, seen))
    return Resampled(
        scores=scores,
        draws=draws,
        relative_variance=float(seen.sum() / binary.sum()),
        correlation=min(_MAX_CORRELATION, max(0.0, float(correlations[off_diagonal].mean())))
        if off_diagonal.any()
        else 0.0,
        n=num_items,
        seeds=all(side.sampled_seeds for side in sides),
    )


def _items_covariance(items: Array, codes: np.ndarray, num_clusters: int) -> Array:
    residuals = items - items.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(codes, weights=row) for row in residuals])
    return np.asarray(sums @ sums.T / items.shape[1] ** 2 * num_clusters / max(1, num_clusters - 1))
