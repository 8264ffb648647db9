"""Differences between two methods, beside a mixed logistic model with crossed random effects of items and seeds."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

from educe.eval.analysis.statistics.variance import Side, contrast_variance

ITEMS, SEEDS = 60, 5
# Standard deviations, in logits: items, items by method, seeds, seeds by method.
SPREADS = (1.5, 0.5, 0.3, 0.3)


def answers(rng: np.random.Generator, gain: float) -> Any:
    """Right or wrong, shape (2 methods, seeds, items); the second method gains so many logits."""
    items, by_method = rng.normal(0, SPREADS[0], ITEMS), rng.normal(0, SPREADS[1], (2, ITEMS))
    seeds, of_method = rng.normal(0, SPREADS[2], SEEDS), rng.normal(0, SPREADS[3], (2, SEEDS))
    logits = items + by_method[:, None] + seeds[:, None] + of_method[:, :, None] + gain * np.arange(2)[:, None, None]
    return (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)


def logistic_z(right: Any) -> float:
    """The gain over its standard error: variances of the random effects by variational Bayes, then the precision of
    all effects together at these variances (variational Bayes alone takes them as independent)."""
    method, seed, item = np.indices(right.shape).reshape(3, -1)
    fixed = np.column_stack([np.ones(method.size), method - 0.5])
    groups = [item, method * ITEMS + item, seed, method * SEEDS + seed]
    ones, rows = np.ones(method.size), np.arange(method.size)
    random = sparse.hstack([sparse.csr_matrix((ones, (rows, group))) for group in groups]).tocsr()
    kind = np.repeat(np.arange(4), [ITEMS, 2 * ITEMS, SEEDS, 2 * SEEDS])
    fitted = BinomialBayesMixedGLM(right.ravel(), fixed, random, kind, vcp_p=1.0, fe_p=5.0).fit_vb()
    design = np.hstack([fixed, random.toarray()])
    p = 1 / (1 + np.exp(-design @ np.r_[fitted.fe_mean, fitted.vc_mean]))
    prior = np.r_[np.full(2, 5.0), np.exp(fitted.vcp_mean)[kind]] ** -2
    precision = design.T @ (design * (p * (1 - p))[:, None]) + np.diag(prior)
    return float(fitted.fe_mean[1] / np.linalg.inv(precision)[1, 1] ** 0.5)


@pytest.mark.slow
def test_a_mixed_logistic_model_ranks_evidence_alike_and_is_mostly_less_cautious() -> None:
    rng = np.random.default_rng(0)
    logistic, ours = [], []
    for gain in np.repeat((0.0, 0.4, 0.8, 1.2), 5):
        right = answers(rng, gain)
        logistic.append(logistic_z(right))
        before, after = (Side(scores=scores, seeds=tuple(range(SEEDS))) for scores in right)
        difference = after.items.mean() - before.items.mean()
        ours.append(difference / contrast_variance([before, after], [-1.0, 1.0]).total ** 0.5)
    assert np.corrcoef(logistic, ours)[0, 1] > 0.95
    # Here the variances over items and over seeds both hold the noise of single answers, and are added.
    assert 0.5 < np.median(np.array(ours) / logistic) < 1
