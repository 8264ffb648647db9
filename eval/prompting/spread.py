"""The standard deviation of accuracy over formats, with an interval, free of the noise that few items add.

Each score is taken as its deviation from the item's mean over the formats that were asked it. Products of deviations of
different items in one format have no sampling noise in expectation (a U-statistic). They hold a known share of the
variance over formats, which the design alone decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
MAX_SD = 0.5  # the standard deviation of accuracies that are 0 and 1 equally often


@dataclass(frozen=True, kw_only=True)
class FormatSd:
    """The standard deviation of accuracy over all formats that might have been drawn, with its interval."""

    sd: float
    low: float
    high: float
    kind: str


def format_sd(
    pairs: NDArray[np.int64], scores: Sequence[float] | Array, *, num_formats: int, num_items: int, level: float = 0.95
) -> FormatSd:
    """From the scores of some pairs (format, item) of shape (observations, 2), each asked once.

    The interval is that of the variance of normally distributed accuracies, with degrees of freedom reduced by the
    excess kurtosis of the accuracies that were seen (after Bonett 2006). Its simulated coverage is in
    docs/statistics.md. ValueError where no two formats were asked two of the same items, so that their differences are
    unknown.
    """
    observed = np.asarray(scores, dtype=float)
    rows, columns = pairs.T
    formats_of_item = np.bincount(columns, minlength=num_items)
    means = np.bincount(columns, weights=observed, minlength=num_items) / np.maximum(formats_of_item, 1)
    deviations = observed - means[columns]
    sums = np.bincount(rows, weights=deviations, minlength=num_formats)
    squares = np.bincount(rows, weights=deviations**2, minlength=num_formats)
    share = _variance_share(pairs, formats_of_item, num_formats=num_formats, num_items=num_items)
    if num_formats < 2 or share <= 0:
        raise ValueError(f"{num_formats} formats have too few items in common; ask more items in each")
    total = float(np.sum(sums**2)) / share
    variance = float(np.sum(sums**2 - squares)) / share
    kurtosis = 0.0
    if num_formats > 3 and total > 0:
        asked = np.bincount(rows, minlength=num_formats)
        kurtosis = max(0.0, float(stats.kurtosis(sums / np.maximum(asked, 1), bias=False)))
    freedom = 2 / (2 / (num_formats - 1) + kurtosis / num_formats)
    ends = [
        total * freedom / stats.chi2.ppf(quantile, freedom) - (total - variance)
        for quantile in ((1 + level) / 2, (1 - level) / 2)
    ]
    low, high = (max(0.0, end) ** 0.5 for end in ends)
    # Formats that never differ are no proof of equal accuracy: half an item of each might have been scored otherwise.
    min_high = 0.5 * num_formats / len(pairs) * (freedom / stats.chi2.ppf((1 - level) / 2, freedom)) ** 0.5
    return FormatSd(
        sd=min(MAX_SD, max(0.0, variance) ** 0.5),
        low=min(MAX_SD, low),
        high=min(MAX_SD, max(high, min_high)),
        kind=f"chi-square {level:.0%}, kurtosis-adjusted",
    )


def _variance_share(
    pairs: NDArray[np.int64], formats_of_item: NDArray[np.int64], *, num_formats: int, num_items: int
) -> float:
    """How many times the products of deviations hold the variance over formats, in expectation.

    Items i and j that one format was asked add 1 - 1/m_i - 1/m_j + m_ij / (m_i m_j), where m formats were asked an item
    and m_ij both; summed over all ordered pairs of different items of all formats.
    """
    grid = np.zeros((num_formats, num_items))
    grid[pairs[:, 0], pairs[:, 1]] = 1
    parts = grid / np.maximum(formats_of_item, 1)
    asked, part = grid.sum(axis=1), parts.sum(axis=1)
    both = ((parts @ (grid.T @ grid)) * parts).sum(axis=1) - (parts**2 * formats_of_item).sum(axis=1)
    return float(np.sum(asked * (asked - 1) - 2 * (asked - 1) * part + both))
