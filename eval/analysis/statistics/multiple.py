"""Many tests at once: p values and levels corrected for their number."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from educe.eval.analysis.statistics.resample import Array


def holm(ps: ArrayLike) -> Array:
    """P values adjusted for the family-wise error rate (Holm 1979), in their order; valid under any dependence."""
    # Not statsmodels' multipletests, which gives the same but collects garbage at every call: 0.05 seconds and more.
    values = np.asarray(ps, dtype=float)
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(adjusted, 1.0)


def benjamini_hochberg(ps: ArrayLike) -> Array:
    """P values adjusted for the false discovery rate, in their order.

    Benjamini & Hochberg (1995): valid for tests that are independent or positively dependent.
    """
    return np.asarray(false_discovery_control(ps))


def bonferroni_level(level: float, comparisons: int) -> float:
    """The level that each comparison needs so that all hold together; Holm's first step."""
    return 1 - (1 - level) / comparisons
