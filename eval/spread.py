"""How widely accuracy varies over formats: a standard deviation with an interval, free of what few items add.

The sum over pairs of different items of a format's deviations has no sampling noise in expectation (a U-statistic), so
its mean over formats is unbiased for their variance up to terms of one over the number of formats that met an item.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
    """From the outcomes of some pairs (format, item) of shape (observations, 2), each format asked twice or more.

    The interval is that of a variance of normally distributed accuracies, its degrees of freedom lowered by the excess
    kurtosis of those seen (after Bonett 2006); simulated coverage stands in docs/statistics.md. ValueError for fewer
    than two formats, and for a format that was asked once.
    """
    from scipy import stats

    outcomes = np.asarray(right, dtype=float)
    rows, columns = pairs.T
    asked = np.bincount(rows, minlength=num_formats)
    if num_formats < 2 or asked.min() < 2:
        raise ValueError(f"{num_formats} formats, one of them asked {asked.min()} times: give two or more of both")
    met = np.bincount(columns, minlength=num_items)[columns]
    means = np.bincount(columns, weights=outcomes, minlength=num_items)[columns] / met
    # A mean that holds the outcome itself makes deviations too small by this much.
    deviations = (outcomes - means) * np.sqrt(met / np.maximum(met - 1, 1))
    sums = np.bincount(rows, weights=deviations, minlength=num_formats)
    squares = np.bincount(rows, weights=deviations**2, minlength=num_formats)
    total = float(np.mean((sums / asked) ** 2))
    variance = float(np.mean((sums**2 - squares) / (asked * (asked - 1))))
    excess = 0.0
    if num_formats > 3 and total > 0:
        excess = max(0.0, float(stats.kurtosis(sums / asked, bias=False)))
    freedom = 2 / (2 / (num_formats - 1) + excess / num_formats)
    ends = [
        total * freedom / stats.chi2.ppf(share, freedom) - (total - variance)
        for share in ((1 + level) / 2, (1 - level) / 2)
    ]
    low, high = (max(0.0, end) ** 0.5 for end in ends)
    return FormatSd(sd=max(0.0, variance) ** 0.5, low=low, high=high, kind=f"chi-square {level:.0%}, kurtosis-adjusted")
