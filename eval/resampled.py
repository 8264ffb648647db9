"""The points of a curve as they might have come out with other items and other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.stats.components import components
from eval.stats.resample import SEED, Array, Clusters, codes_of, resampled_means

# Items' answers at two budgets are much alike, and a covariance of few items can claim that their difference is known
# exactly; this share of the correlation is not believed.
_CORRELATION_DOUBTED = 0.1


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """Scores at several budgets on the same items, how they vary together, and draws of what they might have been.

    Shapes: `scores` (points,), `covariance` (points, points), `draws` (resamples, points). `seeds` is whether other
    seeds are in them: from one seed nothing is known of others.
    """

    scores: Array
    covariance: Array
    draws: Array
    n: int
    seeds: bool


def resampled(matrices: Sequence[Array], clusters: Clusters | None, *, num_resamples: int) -> Resampled:
    """Points of one curve, each a matrix (seeds, items) of the same items, resampled over items and seeds.

    Items (clusters of them): bootstrap, deviations stretched for few clusters (Hesterberg 2015). Seeds: normal, their
    variance at each budget taken to be one number times p (1 - p), which pools what few seeds say over all budgets;
    Student's t in the draws for its degrees of freedom.
    """
    rng = np.random.default_rng(SEED)
    num_items = matrices[0].shape[1]
    codes = codes_of(clusters, num_items)
    num_clusters = int(codes.max()) + 1
    items = np.stack([matrix.mean(axis=0) for matrix in matrices])
    scores = items.mean(axis=1)
    # Half an item at each point: no answer that changed is not certainty.
    covariance = _items_covariance(items, codes, num_clusters) + np.diag(np.full(len(items), 0.25 / num_items**2))
    few = num_clusters / max(1, num_clusters - 1)
    draws = scores + few**0.5 * (resampled_means(items, codes, rng, num_resamples) - scores)
    variance, freedom = _seeds_variance(matrices, clusters)
    if variance.any():
        normal = rng.standard_normal(draws.shape) * variance**0.5
        draws = draws + normal * (freedom / rng.chisquare(freedom, size=(len(draws), 1))) ** 0.5
        covariance = covariance + np.diag(variance)
    doubted = (1 - _CORRELATION_DOUBTED) * covariance + _CORRELATION_DOUBTED * np.diag(np.diag(covariance))
    return Resampled(scores=scores, covariance=doubted, draws=draws, n=num_items, seeds=freedom > 0)


def _items_covariance(items: Array, codes: np.ndarray, num_clusters: int) -> Array:
    residuals = items - items.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(codes, weights=row) for row in residuals])
    return np.asarray(sums @ sums.T / items.shape[1] ** 2 * num_clusters / max(1, num_clusters - 1))


def _seeds_variance(matrices: Sequence[Array], clusters: Clusters | None) -> tuple[Array, int]:
    """What seeds add to the variance of each point's score, and the degrees of freedom it is known by."""
    parts = [components(matrix, clusters) for matrix in matrices]
    # Laplace's rule: a score of 0 or 1 is no proof that seeds do nothing.
    shares = np.array([(each.mean * each.num_items + 1) / (each.num_items + 2) for each in parts])
    binary = shares * (1 - shares)
    degrees = np.array([each.num_seeds - 1 for each in parts])
    if not degrees.any():
        return np.zeros(len(parts)), 0
    of_one = np.array([each.seeds * each.num_seeds for each in parts])
    pooled = float(degrees @ of_one) / float(degrees @ binary)
    return pooled * binary / (degrees + 1), int(degrees.sum())
