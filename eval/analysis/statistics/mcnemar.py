"""McNemar's exact test of two sides that are right or wrong on the same items, and the odds ratio."""

from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.statistics.resample import check_scores


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Numbers of items that only one side got right, and the p value of that split.

    `p` is exact and conservative. `mid_p` is closer to its level and may exceed it (at 5% by 1.6 points at most with 30
    to 60 disagreements). The odds ratio is `only_a / only_b` with an exact interval: None where the sides never
    disagree, infinite where only `a` was right.
    """

    only_a: int
    only_b: int
    p: float
    mid_p: float
    odds_ratio: float | None
    low: float
    high: float


def mcnemar(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> McNemar:
    """McNemar's test of two sides' scores of 0 or 1 on the same items, which count as independent of each other.

    Both p values are two-sided: the exact one doubles the binomial tail, the mid-p value subtracts the probability of
    the observed split (Fagerland, Lydersen & Laake 2013). The odds ratio's interval is that of Clopper & Pearson (1934)
    for the share of disagreements that went to `a`. ValueError for other scores, a NaN or unequal numbers of items.
    """
    first, second = check_scores(a), check_scores(b)
    if len(first) != len(second):
        raise ValueError(f"paired scores need the same items: {len(first)} against {len(second)}")
    for side in (first, second):
        graded = side[(side != 0) & (side != 1)]
        if graded.size:
            raise ValueError(f"McNemar's test needs scores of 0 or 1, got {graded[0]}; compare means instead")
    only_a, only_b = int((first > second).sum()), int((second > first).sum())
    n, fewer = only_a + only_b, min(only_a, only_b)
    tail = 2 * float(binom.cdf(fewer, n, 0.5))
    low, high = proportion_confint(only_a, n, alpha=1 - level, method="beta") if n else (0.0, 1.0)
    return McNemar(
        only_a=only_a,
        only_b=only_b,
        p=min(1.0, tail),
        mid_p=min(1.0, tail - float(binom.pmf(fewer, n, 0.5))),
        odds_ratio=None if n == 0 else _odds(only_a / n),
        low=_odds(float(low)),
        high=_odds(float(high)),
    )


def _odds(share: float) -> float:
    return float("inf") if share == 1 else share / (1 - share)
