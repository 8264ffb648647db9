"""The functional forms of a scaling curve, and the least-squares fit of one to many draws of its points at once.

Every form runs from a score at the smallest budget to a ceiling, f = ceiling + (first - ceiling) g. They differ in how
g falls from 1: not at all, as a power of the budget, or as a logistic curve in its logarithm. A straight line in the
logarithm has no ceiling: there the second score is that at the largest budget. For a given g the two scores have a
closed form, so g is searched on a grid, and no fit can fail to converge.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from educe.eval.analysis.statistics.resample import Array

# The grids of the power law's exponent, and of the logistic's center and width in units of the logarithmic range.
_EXPONENTS = np.geomspace(0.04, 3.0, 40)
_CENTERS = np.linspace(-0.25, 1.25, 31)
_WIDTHS = np.geomspace(0.025, 0.5, 9)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form: its name, its number of parameters, and the shapes of its grid.

    `shapes(logs, first, last)` gives g of every shape at budgets with these logarithms, (shapes, budgets);
    `first` and `last` are the logarithms of the smallest and the largest budget measured.
    """

    name: str
    num_parameters: int
    shapes: Callable[[Array, float, float], Array]
    has_ceiling: bool = True

    def limit(self, fitted: "Fitted") -> Array:
        """The level that every draw's curve tends to; without a ceiling, the end of the scale that it runs towards."""
        level = np.where(fitted.ceiling > fitted.first, 1.0, np.where(fitted.ceiling < fitted.first, 0.0, fitted.first))
        return fitted.ceiling if self.has_ceiling else level


def _flat(logs: Array, first: float, last: float) -> Array:
    return np.zeros((1, len(logs)))


def _line(logs: Array, first: float, last: float) -> Array:
    return ((last - logs) / (last - first))[None, :]


def _power(logs: Array, first: float, last: float) -> Array:
    return np.asarray(np.exp(-_EXPONENTS[:, None] * (logs - first)))


def _logistic(logs: Array, first: float, last: float) -> Array:
    centers, widths = (each.ravel() for each in np.meshgrid(_CENTERS, _WIDTHS))
    span = last - first
    place = (logs[:, None] - first) / span
    falls = special.expit((centers - place) / widths)
    return np.asarray((falls / special.expit(centers / widths)).T)


FORMS: dict[str, Form] = {
    "flat": Form(name="flat", num_parameters=1, shapes=_flat),
    "straight line": Form(name="straight line", num_parameters=2, shapes=_line, has_ceiling=False),
    "power law": Form(name="power law", num_parameters=3, shapes=_power),
    "logistic": Form(name="logistic", num_parameters=4, shapes=_logistic),
}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One form's best fit to every draw: arrays over draws. `deviance` is the chi-square of the residuals."""

    shape: np.ndarray  # which of the form's grid
    first: Array
    ceiling: Array
    deviance: Array

    def scores(self, shapes: Array) -> Array:
        """The fitted curve of every draw, for the form's shapes at some budgets (shapes, budgets): (draws, budgets)."""
        return np.asarray(self.ceiling[:, None] + (self.first - self.ceiling)[:, None] * shapes[self.shape])


def fit_form(form: Form, logs: Array, draws: Array, whiten: Array, *, monotone: bool) -> Fitted:
    """The generalised least-squares fit of a form to each row of `draws` (draws, points).

    `whiten` (points, points) turns residuals into independent ones of variance 1. Both scores stay in [0, 1]; with
    `monotone` the ceiling is not below the first score.
    """
    shapes = form.shapes(logs, float(logs.min()), float(logs.max()))
    seen = draws @ whiten.T
    of_ceiling, of_first = (1 - shapes) @ whiten.T, shapes @ whiten.T
    grid = _Quadratic(seen, of_ceiling, of_first)
    level = np.clip(grid.both / grid.all, 0.0, 1.0)
    best = level, level, grid.deviance(level, level)
    if form.num_parameters > 1:
        for ceiling, first in grid.candidates(monotone=monotone):
            allowed = (ceiling >= 0) & (ceiling <= 1) & (first >= 0) & (first <= 1)
            if monotone:
                allowed &= ceiling >= first
            deviance = np.where(allowed, grid.deviance(ceiling, first), np.inf)
            better = deviance < best[2]
            new = ceiling, first, deviance
            best = tuple(np.where(better, mine, old) for mine, old in zip(new, best, strict=True))  # type: ignore[assignment]
    rows, shape = np.arange(len(draws)), best[2].argmin(axis=1)
    ceiling, first, deviance = (each[rows, shape] for each in best)
    return Fitted(shape=shape, first=first, ceiling=ceiling, deviance=deviance)


class _Quadratic:
    """The deviance of every draw and shape (draws, shapes) as a quadratic function of ceiling and first score."""

    def __init__(self, seen: Array, of_ceiling: Array, of_first: Array) -> None:
        self.cc, self.ff, self.cf = (
            np.sum(a * b, axis=1) for a, b in ((of_ceiling, of_ceiling), (of_first, of_first), (of_ceiling, of_first))
        )
        self.c, self.f = seen @ of_ceiling.T, seen @ of_first.T
        self.both, self.all = self.c + self.f, self.cc + self.ff + 2 * self.cf
        self.seen = np.sum(seen**2, axis=1)[:, None]

    def deviance(self, ceiling: Array, first: Array) -> Array:
        linear = ceiling * self.c + first * self.f
        return np.asarray(
            self.seen - 2 * linear + ceiling**2 * self.cc + first**2 * self.ff + 2 * ceiling * first * self.cf
        )

    def candidates(self, *, monotone: bool) -> Iterator[tuple[Array, Array]]:
        """The free minimum, and those on the edges of the unit square; the best allowed fit is one of them or flat.

        A curve that does not fall touches two edges only: a ceiling of 1 and a first score of 0.
        """
        determinant = np.maximum(self.cc * self.ff - self.cf**2, 1e-12 * self.cc * self.ff)
        yield (self.ff * self.c - self.cf * self.f) / determinant, (self.cc * self.f - self.cf * self.c) / determinant
        for edge in (1.0,) if monotone else (0.0, 1.0):
            yield np.full_like(self.c, edge), np.clip((self.f - edge * self.cf) / self.ff, 0.0, 1.0)
        for edge in (0.0,) if monotone else (0.0, 1.0):
            yield np.clip((self.c - edge * self.cf) / self.cc, 0.0, 1.0), np.full_like(self.c, edge)
