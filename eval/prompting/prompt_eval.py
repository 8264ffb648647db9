"""PromptEval (Maia Polo et al. 2024): accuracy of every format, estimated from a sparse, balanced sample of answers.

Whether an item is answered correctly in a format follows a Rasch model with random effects: logit = mean + format
features + format + item. Published PromptEval takes the model's predictions for the pairs that were not asked; these
are shrunk, so their spread is too narrow. Here the model only adjusts for how difficult a format's items were: a
format's accuracy is its share of correct answers plus that adjustment, which is unbiased whatever the model. The
variance that sampling adds between formats is then removed (constrained empirical Bayes, Louis 1984).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse, special

Array = NDArray[np.float64]

_ROUNDS = 12
_MIN_VARIANCE = 1e-4


def balanced_sample(num_formats: int, num_items: int, budget: int, *, seed: int) -> NDArray[np.int64]:
    """Pairs (format, item) without repetition; formats are asked equally often up to one, items nearly so.

    Shape (budget, 2). ValueError for a budget larger than the grid.
    """
    if not 0 <= budget <= num_formats * num_items:
        raise ValueError(f"a budget of {budget} does not fit a grid of {num_formats} x {num_items}")
    rng = np.random.default_rng(seed)
    formats, items = rng.permutation(num_formats), rng.permutation(num_items)
    # In every round each format takes its next item; the formats start at evenly spaced items.
    pair = np.arange(budget)
    turn, k = pair // num_formats, pair % num_formats
    start = k * num_items // num_formats
    return np.stack([formats[k], items[(start + turn) % num_items]], axis=1)


def estimate_accuracies(
    pairs: NDArray[np.int64],
    scores: Sequence[float] | Array,
    *,
    num_formats: int,
    num_items: int,
    features: Array | None = None,
) -> Array:
    """Accuracy of every format on all items, from the scores of some pairs of shape (observations, 2).

    `features` of shape (formats, columns) describe what formats share (their instruction, their separator).
    """
    observed = np.asarray(scores, dtype=float)
    probabilities = _RaschModel(pairs, observed, num_formats, num_items, features).fit()
    rows, columns = pairs.T
    asked = np.bincount(rows, minlength=num_formats)
    if asked.min() < 2:
        raise ValueError(f"one format was asked {asked.min()} times; ask each at least twice")
    residuals = observed - probabilities[rows, columns]
    raw = probabilities.mean(axis=1) + np.bincount(rows, weights=residuals, minlength=num_formats) / asked
    # The sampling variance of each raw accuracy: from the residuals, over the items that were not asked.
    squares = np.bincount(rows, weights=residuals**2, minlength=num_formats) / asked
    noise = squares / asked * (1 - asked / num_items)
    centre = _regress_on_features(raw, features)
    excess = max(0.0, float(np.mean((raw - centre) ** 2)) - float(noise.mean()))
    kept = np.sqrt(excess / (excess + noise)) if excess > 0 else np.zeros(num_formats)
    return np.asarray(np.clip(centre + kept * (raw - centre), 0, 1))


def _regress_on_features(raw: Array, features: Array | None) -> Array:
    """Ridge regression of the raw accuracies on the features."""
    if features is None or features.shape[1] == 0:
        return np.full(len(raw), raw.mean())
    columns = features - features.mean(axis=0)
    inner = columns.T @ columns + np.eye(columns.shape[1])
    return np.asarray(raw.mean() + columns @ np.linalg.solve(inner, columns.T @ (raw - raw.mean())))


class _RaschModel:
    """A logistic regression; effects of formats and items are normally distributed with unknown variances."""

    def __init__(
        self, pairs: NDArray[np.int64], scores: Array, num_formats: int, num_items: int, features: Array | None
    ) -> None:
        rows, ones = np.arange(len(pairs)), np.ones(len(pairs))
        self.features = np.zeros((num_formats, 0)) if features is None else features - features.mean(axis=0)
        self.pairs, self.scores = pairs, scores
        self.sizes = [1, self.features.shape[1], num_formats, num_items]
        self.design = sparse.hstack(
            [
                sparse.csr_matrix(ones[:, None]),
                sparse.csr_matrix(self.features[pairs[:, 0]]),
                sparse.csr_matrix((ones, (rows, pairs[:, 0])), shape=(len(pairs), num_formats)),
                sparse.csr_matrix((ones, (rows, pairs[:, 1])), shape=(len(pairs), num_items)),
            ],
            format="csr",
        )
        self.variances = [0.25, 1.0]  # of formats and items, in squared logits
        self.effects = np.zeros(sum(self.sizes))

    def fit(self) -> Array:
        """Each format's probability of a correct answer on each item, shape (formats, items)."""
        for _ in range(_ROUNDS):
            self._maximise_posterior()
            for index, (effects, information) in enumerate(zip(self._split()[2:], self._information(), strict=True)):
                posterior_variance = 1 / (information + 1 / self.variances[index])
                self.variances[index] = max(_MIN_VARIANCE, float(np.mean(effects**2 + posterior_variance)))
        self._maximise_posterior()
        base, slopes, formats, items = self._split()
        return np.asarray(special.expit((base + self.features @ slopes + formats)[:, None] + items))

    def _split(self) -> list[Array]:
        return np.split(self.effects, np.cumsum(self.sizes)[:-1])

    def _information(self) -> tuple[Array, Array]:
        """Fisher information of the observations about each format and each item: the sums of p (1 - p)."""
        p = special.expit(self.design @ self.effects)
        weights = p * (1 - p)
        return tuple(  # type: ignore[return-value]
            np.bincount(self.pairs[:, side], weights=weights, minlength=size)
            for side, size in enumerate(self.sizes[2:])
        )

    def _maximise_posterior(self) -> None:
        penalty = np.repeat([0.0, 0.1, 1 / self.variances[0], 1 / self.variances[1]], self.sizes)

        def loss(effects: Array) -> tuple[float, Array]:
            logits = self.design @ effects
            value = np.logaddexp(0, logits).sum() - self.scores @ logits + 0.5 * penalty @ effects**2
            slope = self.design.T @ (special.expit(logits) - self.scores) + penalty * effects
            return float(value), slope

        self.effects = optimize.minimize(loss, self.effects, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
