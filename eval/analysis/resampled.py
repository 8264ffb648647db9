"""The points of a curve as they might have come out with other items and other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.statistics.components import components, estimate_seed_variance
from educe.eval.analysis.statistics.resample import SEED, Array, Clusters, cluster_codes, resampled_means

# A few items answered alike at all budgets are no proof that their differences are known exactly.
_MOST_ALIKE = 0.95


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """Scores at several budgets on the same items, how they vary together, and draws of what they might have been.

    Shapes: `scores` (points,), `draws` (resamples, points). A score p varies by `relative_variance` * p (1 - p); any
    two scores have one `correlation`, because the same items were asked. `seeds` is whether other seeds are in this:
    from one seed nothing is known of others.
    """

    scores: Array
    draws: Array
    relative_variance: float
    correlation: float
    n: int
    seeds: bool

    def whitener(self, expected: Array) -> Array:
        """What makes residuals independent with variance 1 if these are the scores to be expected: (points, points).

        Not the variance at each point as it was seen: a score that luck made higher seems to vary less, and weights
        from what was seen would pull every fit towards lucky points.
        """
        shares = (expected * self.n + 1) / (self.n + 2)  # Laplace's rule: no score is expected with certainty
        sizes = (self.relative_variance * shares * (1 - shares)) ** 0.5
        alike = self.correlation + (1 - self.correlation) * np.eye(len(sizes))
        return np.linalg.inv(np.linalg.cholesky(sizes[:, None] * alike * sizes))


def resampled(matrices: Sequence[Array], clusters: Clusters | None, *, num_resamples: int) -> Resampled:
    """Points of one curve, each a matrix (seeds, items) of the same items, resampled over items and seeds.

    Items (clusters of them): bootstrap, deviations stretched for few clusters (Hesterberg 2015). Seeds: normal, their
    spread judged over all budgets together (`estimate_seed_variance`), with Student's t in the draws for its degrees of freedom.
    """
    rng = np.random.default_rng(SEED)
    num_items = matrices[0].shape[1]
    codes = cluster_codes(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    items = np.stack([matrix.mean(axis=0) for matrix in matrices])
    scores = items.mean(axis=1)
    # Half an item at each point: no answer that changed is not certainty.
    covariance = _items_covariance(items, codes, num_clusters) + np.diag(np.full(len(items), 0.25 / num_items**2))
    few = num_clusters / max(1, num_clusters - 1)
    draws = scores + few**0.5 * (resampled_means(items, codes, rng, num_resamples) - scores)
    # Where nearly all answers are alike, resampling shows less than other items would: Laplace's rule says how much.
    shares = (scores * num_items + 1) / (num_items + 2)
    binary = shares * (1 - shares)
    alike = scores * (1 - scores) < binary / 2
    hidden = np.where(alike, np.maximum(0.0, binary / num_clusters - draws.var(axis=0)), 0.0)
    draws = draws + rng.standard_normal(draws.shape) * hidden**0.5
    spread = estimate_seed_variance((matrix, clusters) for matrix in matrices)
    if spread is not None and spread.latent_variance > 0:
        variance = np.array([components(matrix, clusters, spread).seeds for matrix in matrices])
        normal = rng.standard_normal(draws.shape) * variance**0.5
        draws = draws + normal * (spread.df / rng.chisquare(spread.df, size=(len(draws), 1))) ** 0.5
        covariance = covariance + np.diag(variance)
    seen = np.diag(covariance)
    apart = ~np.eye(len(seen), dtype=bool)
    together = covariance / np.sqrt(np.outer(seen, seen))
    return Resampled(
        scores=scores,
        draws=draws,
        relative_variance=float(seen.sum() / binary.sum()),
        correlation=min(_MOST_ALIKE, max(0.0, float(together[apart].mean()))) if apart.any() else 0.0,
        n=num_items,
        seeds=spread is not None,
    )


def _items_covariance(items: Array, codes: np.ndarray, num_clusters: int) -> Array:
    residuals = items - items.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(codes, weights=row) for row in residuals])
    return np.asarray(sums @ sums.T / items.shape[1] ** 2 * num_clusters / max(1, num_clusters - 1))
