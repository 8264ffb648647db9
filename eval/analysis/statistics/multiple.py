"""Many tests at once: p values and levels corrected for their number."""

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.multitest import multipletests

from educe.eval.analysis.statistics.resample import Array


def holm(ps: ArrayLike) -> Array:
    """P values adjusted for the family-wise error rate (Holm 1979), in their order; valid under any dependence."""
    return np.asarray(multipletests(ps, method="holm")[1])


def benjamini_hochberg(ps: ArrayLike) -> Array:
    """P values adjusted for the false discovery rate, in their order.

    Benjamini & Hochberg (1995): valid for tests that are independent or positively dependent.
    """
    return np.asarray(multipletests(ps, method="fdr_bh")[1])


def bonferroni_level(level: float, comparisons: int) -> float:
    """The level that each comparison needs so that all hold together; Holm's first step."""
    return 1 - (1 - level) / comparisons
