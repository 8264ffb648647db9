"""PromptEval (Maia Polo et al. 2024): how accuracy varies over all formats, from a sparse, balanced sample of answers.

Whether an item is answered right in a format follows a Rasch model with random effects: logit = mean + format features
+ format + item. Published PromptEval takes the model's predictions for what was not asked; these are shrunk, and their
spread is too narrow. Here the model only says how hard the items were that a format happened to get: a format's
accuracy is its share of right answers plus that difference, unbiased whatever the model, and what sampling adds to the
spread of these is taken out again (constrained empirical Bayes, Louis 1984).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

Array = NDArray[np.float64]

_ROUNDS = 12
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Estimated accuracy of every format, and quantiles over formats."""

    accuracies: Array

    def quantile(self, level: float | Sequence[float]) -> Array:
        """Accuracy below which this share of the formats lies."""
        return np.asarray(np.quantile(self.accuracies, level))


def balanced_sample(num_formats: int, num_items: int, budget: int, *, seed: int) -> NDArray[np.int64]:
    """Pairs (format, item), none twice, such that formats are asked equally often up to one, and items nearly so.

    Shape (budget, 2). ValueError for a budget beyond the grid.
    """
    if not 0 <= budget <= num_formats * num_items:
        raise ValueError(f"a budget of {budget} does not fit a grid of {num_formats} x {num_items}")
    rng = np.random.default_rng(seed)
    formats, items = rng.permutation(num_formats), rng.permutation(num_items)
    # Round after round every format meets its next item, and the formats start evenly apart.
    place = np.arange(budget)
    turn, k = place // num_formats, place % num_formats
    start = k * num_items // num_formats
    return np.stack([formats[k], items[(start + turn) % num_items]], axis=1)


def estimate_spread(
    pairs: NDArray[np.int64],
    right: Sequence[float] | Array,
    *,
    num_formats: int,
    num_items: int,
    features: Array | None = None,
) -> Spread:
    """Accuracies of all formats on all items from the outcomes of some pairs of shape (observations, 2).

    `features` of shape (formats, columns) are what formats have in common (their instruction, their separator).
    """
    outcomes = np.asarray(right, dtype=float)
    chances = _Model(pairs, outcomes, num_formats, num_items, features).chances()
    rows, columns = pairs.T
    asked = np.bincount(rows, minlength=num_formats)
    if asked.min() < 2:
        raise ValueError(f"every format has to be asked twice or more, and one was asked {asked.min()} times")
    residuals = outcomes - chances[rows, columns]
    left_over = np.bincount(rows, weights=residuals, minlength=num_formats) / asked
    raw = chances.mean(axis=1) + left_over
    # What sampling adds: residuals over the items that were not asked.
    squares = np.bincount(rows, weights=residuals**2, minlength=num_formats) / asked
    noise = squares / asked * (1 - asked / num_items)
    centre = _fitted(raw, features)
    beyond = max(0.0, float(np.mean((raw - centre) ** 2)) - float(noise.mean()))
    kept = np.sqrt(beyond / (beyond + noise)) if beyond > 0 else np.zeros(num_formats)
    return Spread(accuracies=np.clip(centre + kept * (raw - centre), 0, 1))


def _fitted(raw: Array, features: Array | None) -> Array:
    """What formats have by their features, a little pulled to the mean."""
    if features is None or features.shape[1] == 0:
        return np.full(len(raw), raw.mean())
    columns = features - features.mean(axis=0)
    inner = columns.T @ columns + np.eye(columns.shape[1])
    return np.asarray(raw.mean() + columns @ np.linalg.solve(inner, columns.T @ (raw - raw.mean())))


class _Model:
    """A logistic regression whose format and item effects are drawn from normal distributions of unknown width."""

    def __init__(
        self, pairs: NDArray[np.int64], right: Array, num_formats: int, num_items: int, features: Array | None
    ) -> None:
        rows, ones = np.arange(len(pairs)), np.ones(len(pairs))
        self.features = np.zeros((num_formats, 0)) if features is None else features - features.mean(axis=0)
        self.pairs, self.right = pairs, right
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
        self.variance = [0.25, 1.0]  # of formats and items, in squared logits
        self.effects = np.zeros(sum(self.sizes))

    def chances(self) -> Array:
        """Every format's chance on every item, of shape (formats, items), once variances have settled."""
        for _ in range(_ROUNDS):
            self._maximise()
            for place, (part, known) in enumerate(zip(self._split()[2:], self._known(), strict=True)):
                left = 1 / (known + 1 / self.variance[place])
                self.variance[place] = max(_LEAST_VARIANCE, float(np.mean(part**2 + left)))
        self._maximise()
        base, slopes, formats, items = self._split()
        return np.asarray(special.expit((base + self.features @ slopes + formats)[:, None] + items))

    def _split(self) -> list[Array]:
        return np.split(self.effects, np.cumsum(self.sizes)[:-1])

    def _penalty(self) -> Array:
        parts = [0.0, 0.1, 1 / self.variance[0], 1 / self.variance[1]]
        return np.repeat(parts, self.sizes)

    def _known(self) -> tuple[Array, Array]:
        """What the observations say of each format and item: the sums of p (1 - p)."""
        chance = special.expit(self.design @ self.effects)
        weights = chance * (1 - chance)
        return tuple(  # type: ignore[return-value]
            np.bincount(self.pairs[:, side], weights=weights, minlength=size)
            for side, size in enumerate(self.sizes[2:])
        )

    def _maximise(self) -> None:
        from scipy.optimize import minimize

        penalty = self._penalty()

        def loss(effects: Array) -> tuple[float, Array]:
            logits = self.design @ effects
            value = np.logaddexp(0, logits).sum() - self.right @ logits + 0.5 * penalty @ effects**2
            slope = self.design.T @ (special.expit(logits) - self.right) + penalty * effects
            return float(value), slope

        self.effects = minimize(loss, self.effects, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
