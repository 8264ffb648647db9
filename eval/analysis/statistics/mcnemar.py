"""Two sides, each right or wrong on the same items: the exact test, and how lopsided their disagreements are."""

from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy import special

from educe.eval.analysis.statistics.intervals import exact
from educe.eval.analysis.statistics.resample import check_scores


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Items that only one side got right, and how surprising that split is if neither side is the better one.

    `p` is exact and conservative; `mid_p` is closer to its level and may exceed it (at 5% by 1.6 points at most with 30
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

    Both p values are two-sided: the exact one doubles the binomial tail, the mid-p takes away the probability of what
    was seen (Fagerland, Lydersen & Laake 2013). The odds ratio's interval is Clopper and Pearson's (1934) of the share
    of disagreements that went to `a`. ValueError for other scores, a NaN or unequal numbers of items.
    """
    first, second = check_scores(a), check_scores(b)
    if len(first) != len(second):
        raise ValueError(f"paired scores need the same items: {len(first)} against {len(second)}")
    for side in (first, second):
        graded = side[(side != 0) & (side != 1)]
        if graded.size:
            raise ValueError(f"McNemar's test needs scores of 0 or 1, got {graded[0]}; compare means instead")
    only_a, only_b = int((first > second).sum()), int((second > first).sum())
    n = only_a + only_b
    p, mid_p = sign_test(only_a, only_b)
    low, high = exact(only_a, n, level=level) if n else (0.0, 1.0)
    return McNemar(
        only_a=only_a,
        only_b=only_b,
        p=p,
        mid_p=mid_p,
        odds_ratio=None if n == 0 else _odds(only_a / n),
        low=_odds(low),
        high=_odds(high),
    )


def sign_test(wins: int, losses: int) -> tuple[float, float]:
    """Exact and mid-p two-sided p values of so many wins and losses where both are equally likely."""
    n, fewer = wins + losses, min(wins, losses)
    up_to, below = float(special.bdtr(fewer, n, 0.5)), float(special.bdtr(fewer - 1, n, 0.5)) if fewer else 0.0
    return min(1.0, 2 * up_to), min(1.0, up_to + below)


def _odds(share: float) -> float:
    return float("inf") if share == 1 else share / (1 - share)
