"""How widely accuracy varies over formats: a standard deviation with an interval, free of what few items add.

An item's mean over the formats that it met is taken from its outcomes. Products of what is left, of different items in
one format, have no sampling noise in expectation (a U-statistic), and a known share of the formats' variance, which the
design alone decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST = 0.5  # the standard deviation of accuracies that are 0 and 1 equally often


@dataclass(frozen=True, kw_only=True)
class FormatSd:
    """The standard deviation of accuracy over all formats that might have been drawn, with its interval."""

    sd: float
    low: float
    high: float
    kind: str


def format_sd(
    pairs: NDArray[np.int64], right: Sequence[float] | Array, *, num_formats: int, num_items: int, level: float = 0.95
) -> FormatSd:
    """From the outcomes of some pairs (format, item) of shape (observations, 2), none of them twice.

    The interval is that of a variance of normally distributed accuracies, its degrees of freedom lowered by the excess
    kurtosis of those seen (after Bonett 2006); simulated coverage stands in docs/statistics.md. ValueError where no two
    formats met two of the same items, so that nothing is known of how they differ.
    """
    from scipy import stats

    outcomes = np.asarray(right, dtype=float)
    rows, columns = pairs.T
    met = np.bincount(columns, minlength=num_items)
    means = np.bincount(columns, weights=outcomes, minlength=num_items) / np.maximum(met, 1)
    deviations = outcomes - means[columns]
    sums = np.bincount(rows, weights=deviations, minlength=num_formats)
    squares = np.bincount(rows, weights=deviations**2, minlength=num_formats)
    known = _known_shares(pairs, met, num_formats=num_formats, num_items=num_items)
    if num_formats < 2 or known <= 0:
        raise ValueError(f"{num_formats} formats met too few of the same items; ask more items in each")
    total = float(np.sum(sums**2)) / known
    variance = float(np.sum(sums**2 - squares)) / known
    excess = 0.0
    if num_formats > 3 and total > 0:
        asked = np.bincount(rows, minlength=num_formats)
        excess = max(0.0, float(stats.kurtosis(sums / np.maximum(asked, 1), bias=False)))
    freedom = 2 / (2 / (num_formats - 1) + excess / num_formats)
    ends = [
        total * freedom / stats.chi2.ppf(share, freedom) - (total - variance)
        for share in ((1 + level) / 2, (1 - level) / 2)
    ]
    low, high = (max(0.0, end) ** 0.5 for end in ends)
    # No disagreement at all is not certainty: half an item of each format might have been answered otherwise.
    least = 0.5 * num_formats / len(pairs) * (freedom / stats.chi2.ppf((1 - level) / 2, freedom)) ** 0.5
    high = min(MOST, max(high, least))
    return FormatSd(
        sd=min(MOST, max(0.0, variance) ** 0.5),
        low=min(MOST, low),
        high=high,
        kind=f"chi-square {level:.0%}, kurtosis-adjusted",
    )


def _known_shares(pairs: NDArray[np.int64], met: NDArray[np.int64], *, num_formats: int, num_items: int) -> float:
    """How many times the formats' variance the products of deviations hold in expectation.

    For items i and j that one format met, 1 - 1/m_i - 1/m_j + m_ij / (m_i m_j), with m formats that met an item and
    m_ij that met both; summed over all ordered pairs of different items of all formats.
    """
    grid = np.zeros((num_formats, num_items))
    grid[pairs[:, 0], pairs[:, 1]] = 1
    parts = grid / np.maximum(met, 1)
    asked, part = grid.sum(axis=1), parts.sum(axis=1)
    both = ((parts @ (grid.T @ grid)) * parts).sum(axis=1) - (parts**2 * met).sum(axis=1)
    return float(np.sum(asked * (asked - 1) - 2 * (asked - 1) * part + both))
