"""Several looks at results while they grow: the level of each look, so that all looks together keep one level.

An error-spending group sequential test: by the information fraction t (the share of the planned data that stands), each
side of a two-sided test has spent 2 - 2 Phi(z_{a/2} / sqrt(t)) of its type I error a = alpha / 2 (Lan & DeMets 1983,
the O'Brien-Fleming type, one function a side as in Reboussin et al. 2000). Each look's level follows by recursive
integration over the paths of Brownian motion that crossed no earlier boundary (Armitage, McPherson & Rowe 1969). Levels
are applied to p values of any test (the significance level approach of Jennison & Turnbull 2000, section 3.3).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from educe.eval.analysis.statistics.resample import Array

# Boundaries lie below this: nobody sees a p value beyond it (4e-33).
_MAX_Z = 12.0


def spent(fraction: float, alpha: float) -> float:
    """The type I error that may be spent when this share of the planned information stands: all of it at 1, 0 at 0."""
    return 0.0 if fraction == 0 else float(4 * ndtr(ndtri(alpha / 4) / fraction**0.5))


def level_at_look(previous: Sequence[float], fraction: float, alpha: float = 0.05) -> float:
    """The two-sided level of a look, so that it and the `previous` ones together reject a true null in `alpha`.

    Looks are information fractions, ascending. ValueError for others.
    """
    fractions = (*previous, fraction)
    if any(later <= sooner for sooner, later in zip((0.0, *fractions), fractions, strict=False)) or fraction > 1:
        raise ValueError(f"information fractions must rise within 0 to 1, got {fractions}")
    if fractions == (1.0,):
        return alpha
    *_, boundary = _boundaries(fractions, alpha)
    return float(2 * ndtr(-boundary))


def adjusted_for_looks(p: float, previous: Sequence[float], fraction: float) -> float:
    """A p value adjusted for earlier looks and for those to come: the least alpha at which this look rejects.

    It is compared with alpha itself, and corrected for many tests like any other (Liu & Anderson 2008; Maurer & Bretz
    2013 for Holm's procedure with one spending function a test).
    """
    if not previous and fraction == 1:
        return p
    p = max(p, float(2 * ndtr(-_MAX_Z)))

    def gap(log_alpha: float) -> float:
        return float(np.log(level_at_look(previous, fraction, float(np.exp(log_alpha))) / p))

    # A look's level is at most alpha.
    least, most = float(np.log(p)), -1e-9
    return 1.0 if least >= most or gap(most) <= 0 else float(np.exp(brentq(gap, least, most, xtol=1e-6)))


def adjusted_by_parts(p: float, before: float, fraction: float) -> float:
    """A p value adjusted for looks whose tests need not be those of one growing sum: the least alpha that rejects.

    The alpha of which this look's part, `spent(fraction)` less `spent(before)`, is p (Bonferroni over looks). 1 where
    nothing is left.
    """
    if before == 0 and fraction == 1:
        return p
    p = max(p, float(2 * ndtr(-_MAX_Z)))

    def gap(log_alpha: float) -> float:
        alpha = float(np.exp(log_alpha))
        return spent(fraction, alpha) - spent(before, alpha) - p

    least, most = float(np.log(p)), -1e-9  # a part is at most alpha
    return 1.0 if least >= most or gap(most) <= 0 else float(np.exp(brentq(gap, least, most, xtol=1e-6)))


def _boundaries(fractions: Sequence[float], alpha: float) -> Iterator[float]:
    """Each look's boundary for |z|."""
    steps = np.diff((0.0, *fractions)) ** 0.5
    points, weights = _nodes(64 + int(20 / steps.min()))
    place, mass = np.zeros(1), np.ones(1)  # where a path stands that crossed no boundary yet, and how often it does
    before = 0.0
    for fraction, step in zip(fractions, steps, strict=True):
        left = spent(fraction, alpha) - before
        boundary = _boundary(place, mass, fraction, step, left)
        yield boundary
        before += left
        edge = boundary * fraction**0.5
        density = np.exp(-0.5 * ((edge * points[:, None] - place) / step) ** 2) @ mass / (step * (2 * np.pi) ** 0.5)
        place, mass = edge * points, edge * weights * density


def _boundary(place: Array, mass: Array, fraction: float, step: float, left: float) -> float:
    """The boundary that paths cross with the probability that is left to spend."""

    def excess(z: float) -> float:
        edge = z * fraction**0.5
        return float((ndtr((place - edge) / step) + ndtr((-place - edge) / step)) @ mass) - left

    return _MAX_Z if excess(_MAX_Z) >= 0 else float(brentq(excess, 0.0, _MAX_Z))


@lru_cache(maxsize=8)
def _nodes(count: int) -> tuple[Array, Array]:
    """Gauss-Legendre quadrature on [-1, 1]."""
    return np.polynomial.legendre.leggauss(count)
