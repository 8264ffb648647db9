"""Fitted curves: the form chosen by AIC, its bands, its ceiling, and whether a measured point contradicts it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from scipy import special

from educe.eval.analysis.conditions import sides_of
from educe.eval.analysis.curves import Curve, count_distinct_budgets, positive
from educe.eval.analysis.forms import FORMS, fit_form
from educe.eval.analysis.resampled import Resampled, resampled
from educe.eval.analysis.statistics.intervals import Estimate, Interval, pooled_interval
from educe.eval.analysis.statistics.resample import Array, Clusters, in_one_cluster, interval_kind, percentiles
from educe.eval.analysis.statistics.variance import Side

MIN_BUDGETS = 3
FIT_RESAMPLES = 500  # each is fitted anew
MISFIT = 0.01  # a form whose goodness of fit has a smaller p value is rejected
_BUDGETS_DRAWN = 200


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A curve's fitted form along its axis, at budgets between the smallest and the largest measured.

    `runners_up` is each form's AIC above that of the chosen one. `low` and `high` bound the curve at each budget alone
    (pointwise), `band_low` and `band_high` at all of them at once (simultaneous). `misfit` is the p value of the
    goodness of fit. `contradicted` says why the fit is not to be quoted: all forms are rejected (MISFIT), or the curve
    leaves the interval of a measured score. `ceiling` is None for a straight line, which has none.
    """

    form: str
    runners_up: Mapping[str, float]
    budgets: Array = field(repr=False)
    scores: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    band_low: Array = field(repr=False)
    band_high: Array = field(repr=False)
    floor: Estimate
    ceiling: Estimate | None
    area: Estimate
    level: float
    n: int
    kind: str  # method and level of its intervals
    misfit: float
    contradicted: str | None

    def at(self, budget: int | float) -> Estimate:
        """The fitted score at a budget within those measured. ValueError outside."""
        if not self.budgets[0] * (1 - 1e-9) <= budget <= self.budgets[-1] * (1 + 1e-9):
            raise ValueError(f"{budget:g} lies outside the budgets measured; use a forecast for it")
        where = np.log(budget), np.log(self.budgets)
        value, low, high = (float(np.interp(*where, each)) for each in (self.scores, self.low, self.high))
        return Estimate(value=value, low=low, high=high, kind=self.kind)


def fit(curve: Curve, *, monotone: bool = True, level: float = 0.95) -> Fit | None:
    """`fit_scores` of the points of a curve at budgets above 0. ValueError where they share no item."""
    points = positive(curve.points)
    if count_distinct_budgets(point.budget for point in points) < MIN_BUDGETS:
        return None
    sides, clusters = sides_of(*(point.condition.measurements for point in points))
    return fit_scores([point.budget for point in points], sides, clusters, monotone=monotone, level=level)


def fit_scores(
    budgets: Sequence[int | float],
    sides: Sequence[Side],
    clusters: Clusters | None = None,
    *,
    monotone: bool = True,
    level: float = 0.95,
) -> Fit | None:
    """The form that AIC chooses among FORMS for one side per budget above 0, with its bands.

    Points are weighted by their covariance. Every resample chooses its own form, so that the bands include uncertainty
    about the form. A form is tried only if it has fewer parameters than there are distinct budgets, so that the points
    can contradict it: with three budgets, a level and a straight line. `monotone` is as in `choose`. None for fewer
    than three distinct budgets, and for items of one cluster.
    ValueError for a budget not above 0 and for unequal numbers of budgets, sides and items.
    """
    budgets, sides = by_budget(budgets, sides)
    if count_distinct_budgets(budgets) < MIN_BUDGETS or in_one_cluster(clusters, sides[0].scores.shape[1]):
        return None
    sample = resampled(sides, clusters, num_resamples=FIT_RESAMPLES)
    logs = np.log(budgets)
    drawn_at = np.linspace(logs.min(), logs.max(), _BUDGETS_DRAWN)
    chosen = choose(sample, logs, drawn_at, monotone=monotone)
    scores, draws = chosen.scores, chosen.draws
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    low, high = np.minimum(low, scores), np.maximum(high, scores)
    band_low, band_high = _simultaneous(scores, draws, low, high, level)
    inside = [pooled_interval(side, clusters, level=level) for side in sides]
    kind = interval_kind("bootstrap of items and seeds" if sample.seeds else "bootstrap of items", level)
    return Fit(
        form=chosen.form,
        runners_up={name: aic - chosen.aic[chosen.form] for name, aic in sorted(chosen.aic.items(), key=itemgetter(1))},
        budgets=np.exp(drawn_at),
        scores=scores,
        low=low,
        high=high,
        band_low=band_low,
        band_high=band_high,
        floor=_estimate(scores[0], draws[:, 0], level, kind),
        ceiling=_estimate(chosen.ceiling, chosen.ceilings, level, kind) if FORMS[chosen.form].has_ceiling else None,
        area=_estimate(float(scores.mean()), draws.mean(axis=1), level, kind),
        level=level,
        kind=kind,
        n=sample.n,
        misfit=chosen.misfit,
        contradicted=_contradicted(chosen, budgets, np.interp(logs, drawn_at, scores), inside),
    )


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The chosen form's curve at some budgets, and the curve of every resample in the form that it chose itself."""

    form: str
    aic: Mapping[str, float]
    scores: Array
    draws: Array
    ceiling: float
    ceilings: Array
    misfit: float  # p of the chi-square of the residuals


def choose(sample: Resampled, logs: Array, drawn_at: Array, *, monotone: bool) -> Chosen:
    """Fit every form to the points and to each resample, and choose by AIC for each: budgets as logarithms.

    Each is fitted twice, because the variance of a score follows from the curve of the first fit. `monotone` curves do
    not fall, unless all that rise are rejected (`MISFIT`): training can harm, and a flat line would hide that.
    """
    data = np.vstack([sample.scores, sample.draws])
    even = sample.whitener(np.full(len(logs), float(sample.scores.mean())))
    found = None
    for rising in (True, False) if monotone else (False,):
        rough = _best(data[:1], logs, even, logs, monotone=rising)
        found = _best(data, logs, sample.whitener(rough.scores), drawn_at, monotone=rising)
        if found.misfit >= MISFIT:
            break
    assert found is not None
    return found


def _best(data: Array, logs: Array, whiten: Array, drawn_at: Array, *, monotone: bool) -> Chosen:
    """The form with the lowest AIC for each row of `data`, the first of which is the points themselves."""
    first, last = float(logs.min()), float(logs.max())
    tried = [
        (form, fit_form(form, logs, data, whiten, monotone=monotone))
        for form in FORMS.values()
        if form.num_parameters < count_distinct_budgets(np.exp(logs))
    ]
    aic = np.stack([fitted.deviance + 2 * form.num_parameters for form, fitted in tried])
    picked, rows = aic.argmin(axis=0), np.arange(len(data))
    curves = np.stack([fitted.scores(form.shapes(drawn_at, first, last)) for form, fitted in tried])[picked, rows]
    ceilings = np.stack([form.limit(fitted) for form, fitted in tried])[picked, rows]
    form, fitted = tried[picked[0]]
    freedom = len(logs) - form.num_parameters
    return Chosen(
        misfit=float(special.chdtrc(freedom, fitted.deviance[0])),
        form=form.name,
        aic={form.name: float(value) for (form, _), value in zip(tried, aic[:, 0], strict=True)},
        scores=curves[0],
        draws=curves[1:],
        ceiling=float(ceilings[0]),
        ceilings=ceilings[1:],
    )


def by_budget(budgets: Sequence[int | float], sides: Sequence[Side]) -> tuple[list[int | float], list[Side]]:
    """Budgets in rising order, and their sides; ValueError where their numbers differ."""
    sizes = sorted({side.scores.shape[1] for side in sides})
    if len(budgets) != len(sides) or len(sizes) > 1:
        raise ValueError(
            f"{len(budgets)} budgets have {len(sides)} sides with {sizes} items; give one each, of the same items"
        )
    for budget in budgets:
        if not (budget > 0 and math.isfinite(budget)):
            raise ValueError(f"budget {budget:g} has no place on a logarithmic axis; give budgets above 0")
    order = sorted(range(len(budgets)), key=lambda place: budgets[place])
    return [budgets[place] for place in order], [sides[place] for place in order]


def _contradicted(chosen: Chosen, budgets: Sequence[int | float], curve: Array, seen: Sequence[Interval]) -> str | None:
    """Why measured points contradict the chosen curve, which has these scores at the budgets, or None."""
    if chosen.misfit < MISFIT:
        return f"no form fits its points (goodness of fit p = {chosen.misfit:.1g})"
    outside = [
        f"{budget:.3g}"
        for budget, score, interval in zip(budgets, curve, seen, strict=True)
        if not interval.low <= score <= interval.high
    ]
    return f"it leaves the interval of the score measured at {', '.join(outside)}" if outside else None


def _estimate(value: float, draws: Array, level: float, kind: str) -> Estimate:
    low, high = percentiles(draws, level)
    return Estimate(value=float(value), low=min(low, float(value)), high=max(high, float(value)), kind=kind)


def _simultaneous(scores: Array, draws: Array, low: Array, high: Array, level: float) -> tuple[Array, Array]:
    """A band that holds whole curves: deviations in units of the pointwise band, and their largest over budgets."""
    below, above = np.maximum(scores - low, 1e-9), np.maximum(high - scores, 1e-9)
    beyond = np.where(draws < scores, (scores - draws) / below, (draws - scores) / above).max(axis=1)
    wider = max(1.0, float(np.quantile(beyond, level)))
    return np.clip(scores - wider * below, 0, 1), np.clip(scores + wider * above, 0, 1)
