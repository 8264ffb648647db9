"""Each run alone: its score and its difference to another condition, with p values over test items."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special
from scipy.stats import binom

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.statistics.intervals import effective_sample_size
from educe.eval.analysis.statistics.paired import Adjusted, adjusted
from educe.eval.analysis.statistics.resample import Array, Clusters, cluster_codes
from educe.eval.analysis.statistics.variance import Side, contrast_variance, mean_variance
from educe.eval.measurement import Measurement

MIN_P = 1e-6  # p values of approximate tests are not believed below this
# How often the share of items that a run loses may lie above its bound, in `p_not_above`.
_UNSURE = 1e-6
_SHARES = 5  # of items lost, at which the largest p value is looked for
_MOST_EXACT = 20_000  # items: beyond, the exact distribution takes longer than it is worth
# In nats: log-likelihoods may differ so much by precision or batch shape alone (as at near ties in the report).
_NOISE = 0.01
# Of greedy texts, near ties change a few.
_FEW_TEXTS = 0.01


@dataclass(frozen=True, kw_only=True)
class RunDifference:
    """The score of one run less that of another condition on the same items, as a difference over items alone."""

    difference: float
    found: Adjusted
    items: Array
    clusters: Clusters
    exact: bool  # right-or-wrong answers to independent items
    same_answers: bool = False  # as far as answers show, both are one model with one prompt

    def p_above_zero(self) -> float:
        """One-sided p value of "it is not above the other": the exact sign test where it holds, else Student's t."""
        if self.exact:
            above, below = int((self.items > 0).sum()), int((self.items < 0).sum())
            return float(binom.sf(above - 1, above + below, 0.5)) if above else 1.0
        return max(MIN_P, self._t(self.found.center))

    def p_below(self, margin: float) -> float:
        """One-sided p value of "it is above the other by `margin` or more" (non-inferiority).

        Student's t, and for right-or-wrong answers to independent items no less than the exact p value: where answers
        change one way only, t is too small far below 5%.
        """
        t = max(MIN_P, self._t(margin - self.found.center))
        if not self.exact or not 0 < margin < 1 or len(self.items) > _MOST_EXACT:
            return t
        gained, lost = int((self.items > 0).sum()), int((self.items < 0).sum())
        return max(t, p_not_above(len(self.items), gained, lost, margin))

    def _t(self, distance: float) -> float:
        return float(special.stdtr(self.found.df, -distance / self.found.error)) if self.found.error else 1.0


def run_differences(condition: Condition, other: Condition) -> list[RunDifference]:
    """One for each run, against the other's run of the same seed; all runs against one that has no seed.

    ValueError where a seed has no partner: see `unpaired`.
    """
    if reason := unpaired(condition, other):
        raise ValueError(reason)
    ours, theirs = condition.measurements, other.measurements
    if not condition.seeds:
        return [_difference(ours[0], each) for each in theirs]
    runs = {each.seed: each for each in theirs}
    return [_difference(each, runs[each.seed] if other.seeds else theirs[0]) for each in ours]


def unpaired(condition: Condition, other: Condition) -> str | None:
    """The seed that the other condition has no run of, as a reason; None where every run has a partner."""
    missing = set(condition.seeds) - set(other.seeds) if other.seeds else set()
    return f"{other.name} was not run with seed {min(missing)}" if missing else None


@lru_cache(maxsize=1024)
def p_not_above(n: int, gained: int, lost: int, margin: float) -> float:
    """Exact p value of "the share of items gained less the share lost is `margin` or more", for n independent items.

    Twice the smaller of two valid ones. The share gained alone is `margin` or more: binomial, sharp where little is
    lost. The difference: its largest probability over the share lost, below an exact bound on that share, plus the
    error of the bound (Berger & Boos 1994).
    """
    alone = float(binom.cdf(gained, n, margin))
    bound = float(special.betaincinv(lost + 1, n - lost, 1 - _UNSURE)) if lost < n else 1.0
    length = fft.next_fast_len(2 * n + 1)
    frequencies = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    of_difference = 0.0
    for share in np.linspace(0.0, min(bound, (1 - margin) / 2), _SHARES):
        # The sum of n steps of 0, 1 or 2 (lost, same, gained), by its characteristic function.
        step = share + (1 - 2 * share - margin) * frequencies + (share + margin) * frequencies**2
        chances = fft.irfft(_power(step, n), length)
        of_difference = max(of_difference, float(chances[: gained - lost + n + 1].sum()))
    return min(1.0, 2 * alone, 2 * (of_difference + _UNSURE))


def _power(base: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128]:
    """By repeated squares: numpy's own powers of complex numbers take twenty times as long."""
    power = np.ones_like(base)
    while exponent:
        if exponent % 2:
            power = power * base
        base, exponent = base * base, exponent // 2
    return power


def _difference(run: Measurement, other: Measurement) -> RunDifference:
    (ours, theirs), clusters = item_scores([run], [other])
    sides = Side(scores=ours), Side(scores=theirs)
    items = sides[0].items - sides[1].items
    binary = bool(np.isin(items, (-1, 0, 1)).all())
    return RunDifference(
        difference=float(items.mean()),
        found=adjusted(items, contrast_variance(sides, (1.0, -1.0), clusters), clusters),
        items=items,
        clusters=tuple(clusters),
        exact=binary and _independent(clusters),
        same_answers=_same_answers(run, other, items),
    )


def _same_answers(run: Measurement, other: Measurement, differences: Array) -> bool:
    """Whether nothing shows that the elicitation was applied: answers are those of the other run.

    Told by the log-likelihoods of the options where both have them (training moves those of nearly all items, and most
    of them have to move), else by the texts, else by which items are right.
    """
    ours, theirs = run.outcomes, other.outcomes
    if ours.ids == theirs.ids and len(ours.loglikelihoods.values):
        if np.array_equal(ours.loglikelihoods.sizes, theirs.loglikelihoods.sizes):
            moved = np.abs(ours.loglikelihoods.padded(0.0) - theirs.loglikelihoods.padded(0.0)).max(axis=1) > _NOISE
            return float(moved.mean()) <= 0.5
        return False
    texts = [(one, two) for one, two in zip(ours.values("text"), theirs.values("text"), strict=False) if one and two]
    if ours.ids == theirs.ids and texts:
        return sum(one != two for one, two in texts) <= _FEW_TEXTS * len(texts)
    return not differences.any()


def p_score_above(run: Measurement, threshold: float) -> float:
    """One-sided p value of "the run's score is at most the threshold".

    The exact binomial test for right-or-wrong answers to independent items. Else the larger p of that test at the
    effective sample size (Korn & Graubard 1998) and of a t test over clusters, and at least 1e-6.
    """
    return _p_above(run.outcomes.scores, tuple(run.outcomes.clusters), threshold)


def p_score_below(run: Measurement, threshold: float) -> float:
    """One-sided p value of "the run's score is at least the threshold": the same with wrong answers."""
    return _p_above(1 - run.outcomes.scores, tuple(run.outcomes.clusters), 1 - threshold)


def _p_above(scores: Array, clusters: Clusters, threshold: float) -> float:
    side, mean = Side.of(scores), float(scores.mean())
    units = effective_sample_size(scores, clusters)
    right = mean * units
    # The binomial tail as a beta distribution, which takes fractional numbers of items; scipy's binomtest does not.
    exact = float(special.betainc(right, units - right + 1, threshold)) if right > 0 else 1.0
    if _independent(clusters) and np.isin(scores, (0, 1)).all():
        return exact
    variance = mean_variance(side, clusters)
    t = float(special.stdtr(variance.df, (threshold - mean) / variance.total**0.5)) if variance.total else 0.0
    return max(exact, t, MIN_P)


def _independent(clusters: Clusters) -> bool:
    codes = cluster_codes(tuple(clusters), len(clusters))
    return int(codes.max()) + 1 == len(codes)
