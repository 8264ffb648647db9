"""Random-effects meta-analysis: the mean of effects that differ from task to task, and how much they differ."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special
from statsmodels.stats.meta_analysis import combine_effects

from educe.eval.analysis.statistics.intervals import Interval
from educe.eval.analysis.statistics.resample import Array, interval_kind, t_quantile

MIN_EFFECTS = 3  # two effects say next to nothing about how much others differ


@dataclass(frozen=True, kw_only=True)
class MetaAnalysis:
    """The mean effect over all such tasks, how much their effects differ, and each effect shrunken towards the mean.

    `interval` is where the mean lies, `prediction` where the effect on another such task lies. `between`: standard
    deviation of true effects, `inconsistency` the share of the observed variance that it explains (I^2), with its
    interval. `homogeneity_p`: Cochran's test that all tasks have one effect.
    """

    mean: float
    interval: Interval
    prediction: Interval
    p: float
    between: float
    between_interval: Interval
    inconsistency: float
    inconsistency_interval: Interval
    homogeneity_p: float
    shrunken: tuple[tuple[float, float, float], ...]  # one per effect, with its interval
    count: int


def meta_analysis(effects: ArrayLike, errors: ArrayLike, *, level: float = 0.95) -> MetaAnalysis | None:
    """Pool independent effects, one per task, with their standard errors; None for fewer than three.

    Variance between effects: Paule & Mandel (1982), by statsmodels, whose other estimator (DerSimonian & Laird) may be
    below 0. Mean: Hartung & Knapp (2001) and Sidik & Jonkman (2002), Student's t with k - 1 degrees of freedom, never
    narrower than if all effects agreed (Roever, Knapp & Friede 2015). Prediction: Higgins, Thompson & Spiegelhalter
    (2009), t with k - 2. Intervals of the variance and of I^2: Q profile (Viechtbauer 2007). Shrunken: empirical Bayes
    (Raudenbush & Bryk 1985). ValueError for an error of 0 or that is not finite.
    """
    y, v = np.asarray(effects, dtype=float), np.asarray(errors, dtype=float) ** 2
    if not np.all(np.isfinite(v) & (v > 0)):
        raise ValueError(f"standard errors must be above 0 and finite, got {np.sqrt(v).tolist()}")
    count = len(y)
    if count < MIN_EFFECTS:
        return None
    with np.errstate(divide="ignore"):  # its I^2, which is not used, divides by Cochran's Q: 0 for equal effects
        found = combine_effects(y, v, method_re="pm")
    mean, tau2 = float(found.mean_effect_re), float(found.tau2)
    squared_error = float(found.var_eff_w_re) * max(1.0, float(found.scale_hksj_re))
    t = t_quantile(count - 1, level)
    low, high = _q_profile(y, v, level)
    typical = (count - 1) * float((1 / v).sum()) / float((1 / v).sum() ** 2 - (1 / v**2).sum())
    return MetaAnalysis(
        mean=mean,
        interval=_around(mean, t * squared_error**0.5, interval_kind("Hartung-Knapp", level)),
        prediction=_around(
            mean,
            t_quantile(count - 2, level) * (tau2 + squared_error) ** 0.5,
            interval_kind("prediction", level),
        ),
        p=float(2 * special.stdtr(count - 1, -abs(mean) / squared_error**0.5)),
        between=tau2**0.5,
        between_interval=Interval(low=low**0.5, high=high**0.5, kind=interval_kind("Q profile", level)),
        inconsistency=tau2 / (tau2 + typical),
        inconsistency_interval=Interval(
            low=low / (low + typical), high=high / (high + typical), kind=interval_kind("Q profile", level)
        ),
        homogeneity_p=float(special.chdtrc(count - 1, max(0.0, found.q))),  # a difference, so -1e-16 if all are equal
        shrunken=_shrunken(y, v, mean, tau2, squared_error, t),
        count=count,
    )


def _around(middle: float, half: float, kind: str) -> Interval:
    return Interval(low=middle - half, high=middle + half, kind=kind)


def _shrunken(
    y: Array, v: Array, mean: float, tau2: float, squared_error: float, t: float
) -> tuple[tuple[float, float, float], ...]:
    """Each effect drawn towards the mean by the share of its variance that is error, with its interval."""
    share = v / (v + tau2)
    value = share * mean + (1 - share) * y
    half = t * np.sqrt((1 - share) * v + share**2 * squared_error)
    return tuple(zip(value.tolist(), (value - half).tolist(), (value + half).tolist(), strict=True))


def _q_profile(y: Array, v: Array, level: float) -> tuple[float, float]:
    """The variances between effects at which the weighted squares about their mean are as likely as not to be seen."""

    def squares(tau2: float) -> float:
        weights = 1 / (v + tau2)
        return float(weights @ (y - np.average(y, weights=weights)) ** 2)

    ends = (special.chdtri(len(y) - 1, tail) for tail in (0.5 - level / 2, 0.5 + level / 2))
    low, high = (_root(squares, float(end), scale=float(np.ptp(y)) + float(v.max()) ** 0.5) for end in ends)
    return low, high


def _root(squares: Callable[[float], float], end: float, *, scale: float) -> float:
    """Where the falling function is at `end`; 0 where it starts below."""
    if squares(0.0) <= end:
        return 0.0
    top = scale**2
    while squares(top) > end:
        top *= 4
    return float(optimize.brentq(lambda tau2: squares(tau2) - end, 0.0, top))
