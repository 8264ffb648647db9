"""Many tests at once: p values adjusted so that comparing them with a level means what it says."""

import numpy as np
from numpy.typing import ArrayLike

from educe.eval.analysis.statistics.resample import Array


def holm(ps: ArrayLike) -> Array:
    """P values, adjusted so that the chance of even one false finding stays at the level (Holm 1979), in their order.

    Holds however the tests depend on each other. ValueError for a NaN or a number outside [0, 1].
    """
    given = _checked(ps)
    order = np.argsort(given)
    adjusted = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    return _in_order_given(np.minimum(adjusted, 1.0), order)


def benjamini_hochberg(ps: ArrayLike) -> Array:
    """P values, adjusted so that at most that share of findings is false on average, in the order given.

    Benjamini & Hochberg (1995): for tests that are independent or positively dependent. ValueError as in `holm`.
    """
    given = _checked(ps)
    order = np.argsort(given)
    scaled = given[order] * len(given) / np.arange(1, len(given) + 1)
    # From the largest down: no test is rejected while a smaller p value is not.
    return _in_order_given(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0), order)


def _checked(ps: ArrayLike) -> Array:
    values = np.asarray(ps, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"expected one row of p values, got shape {values.shape}")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"p values are numbers in [0, 1], got {values[place]} at {place}")
    return values


def _in_order_given(ordered: Array, order: np.ndarray) -> Array:
    values = np.empty_like(ordered)
    values[order] = ordered
    return values
