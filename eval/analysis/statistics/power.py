"""Power: what a study of a given size could have seen, and how large it must be to see what is asked.

Plain arithmetic without scipy: `educe plan` prints it before anything heavy is loaded.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# Miller (2024) works his examples with these: the variance of items' mean differences, and of one answer at an item.
BETWEEN_ITEMS = 1 / 9
WITHIN_ITEM = 1 / 6
# What luck at single items adds to the spread of three seeds' means is known only roughly. Taking all of it out leaves
# intervals of scores that cover too little where seeds matter, taking none out wide ones where they do not. The spread
# of a difference over items holds that luck already, and what is left of that over seeds is cut off at 0, so too large
# on average: a fifth more than all is taken out there. `tests.benchmarks.coverage` bears out both shares at 95%.
ITEM_NOISE_REMOVED, ITEM_NOISE_REMOVED_FROM_DIFFERENCES = 0.8, 1.2
# Above 95% less is, by this power of 1 - level: that three seeds seem to agree is not as rare as small p values are.
REMOVAL_EXPONENT = 0.3
# Two seeds are judged with the help of their method's other budgets, as if by so many more degrees of freedom.
BORROWED_DF = 2
# How often intervals are resampled, and fitted curves, each of which is fitted anew every time.
NUM_RESAMPLES, FIT_RESAMPLES = 2_000, 500


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What hides a difference between two ways that answer the same items, in squared score.

    `between` is the variance over items of the difference of the two ways' mean scores (omega^2 of Miller 2024),
    `first` and `second` how much one run of each way varies at an item, and `*_seeds` over how many runs each is
    averaged. `design_effect` is by how much clusters of items raise the variance: 1 + (size - 1) * correlation for
    equal clusters (Kish 1965), sum of squared sizes / n where a cluster moves as one.
    """

    between: float = BETWEEN_ITEMS
    first: float = 0.0
    second: float = 0.0
    first_seeds: int = 1
    second_seeds: int = 1
    borrowed: int = 0  # degrees of freedom that the first way's seeds have from other budgets of its recipe
    design_effect: float = 1.0

    @property
    def per_item(self) -> float:
        """Variance of a score difference, times the number of items."""
        within = self.first / self.first_seeds + self.second / self.second_seeds
        return self.design_effect * (self.between + within)


def normal_min_detectable_effect(items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> float:
    """The difference that a study of so many items sees with this power, at this level (two-sided), as a share.

    (z_a/2 + z_b) * sqrt((omega^2 + sA^2 / KA + sB^2 / KB) / n), Miller (2024), equation 10 turned round; normal
    quantiles. More than 1 where the study sees nothing at all.
    """
    return _quantiles(level, power) * math.sqrt(noise.per_item / items)


def items_needed(effect: float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> int:
    """How many items show a difference of `effect` (a share) with this power; the same formula, rounded up."""
    return math.ceil((_quantiles(level, power) / effect) ** 2 * noise.per_item)


def normal_seeds_needed(
    effect: float, items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8
) -> int | None:
    """The fewest seeds of each way that varies with its seed, or None where no number of them will do.

    More seeds average out what varies from run to run; how items differ stays, and only more items lessen it.
    """
    allowed = (effect / _quantiles(level, power)) ** 2 * items / noise.design_effect - noise.between
    if noise.first + noise.second == 0:
        return 1 if allowed >= 0 else None
    return max(1, math.ceil((noise.first + noise.second) / allowed)) if allowed > 0 else None


def with_seeds(noise: Noise, seeds: int) -> Noise:
    """The same with so many runs of either way."""
    return replace(noise, first_seeds=seeds, second_seeds=seeds)


def power_of(effect: float, standard_error: float, *, level: float = 0.95) -> float:
    """How probably a two-sided test at `level` finds a difference of `effect`; it may err to the wrong side, too."""
    return power_at(effect, standard_error, _two_sided(level) * standard_error)


def power_at(effect: float, standard_error: float, half_width: float) -> float:
    """The same for an interval that reaches so far to either side, whatever its quantiles."""
    return _cdf((effect - half_width) / standard_error) + _cdf((-effect - half_width) / standard_error)


def standard_error_of(items: int | float, noise: Noise) -> float:
    """Standard error of the difference between two ways, both asked the same items."""
    return math.sqrt(noise.per_item / items)


def min_significant_difference(items: float, spread: float, *, level: float = 0.95) -> float:
    """The smallest mean difference whose interval by Agresti & Min (2005) leaves out 0: `paired_difference`'s.

    `items` is how many independent ones there are, `spread` the variance of their differences. Infinite where so few
    leave 0 out at no difference.
    """
    z2 = _two_sided(level) ** 2
    room = items * (items + 2) - 2 * z2
    return math.sqrt(z2 * (items * spread + 1) * (items + 2) / (items * room)) if room > 0 else math.inf


def item_noise_share(level: float) -> float:
    """What share of the luck that is taken out at 95% is taken out at `level`."""
    return min(1.0, (1 - level) / 0.05) ** REMOVAL_EXPONENT


def interval_power(effect: float, items: int | float, noise: Noise, *, level: float = 0.95) -> float:
    """How probably the interval of `paired_difference` leaves out 0 where seeds differ by luck at each item only.

    The interval adds to z^2 times the variance over items t^2 times what it takes for luck of whole seeds: the variance
    of the first way's K seeds, a chi square with K - 1 degrees of freedom (and those `borrowed`), over K, less what
    `Components.seeds_at` takes out. Power is averaged over that chi square. The second way has one run.
    """
    if noise.first_seeds == 1:
        return power_of(effect, standard_error_of(items, noise), level=level)
    degrees, error = noise.first_seeds - 1 + noise.borrowed, standard_error_of(items, noise)
    share = item_noise_share(level)
    z, t = _two_sided(level), t_quantile(level, degrees)
    item_noise = t**2 * noise.design_effect * noise.first / items / noise.first_seeds
    # The square root of the chi square has a smooth density, nowhere far from its middle.
    middle = math.sqrt(degrees)
    edges = np.linspace(max(0.0, middle - 6), middle + 6, 401)
    roots = (edges[1:] + edges[:-1]) / 2
    logs = (degrees - 1) * np.log(roots) - roots**2 / 2
    weights = np.exp(logs - logs.max())
    seen = roots**2 / degrees
    if noise.first_seeds > 2:
        left = np.maximum(seen, ITEM_NOISE_REMOVED) - ITEM_NOISE_REMOVED_FROM_DIFFERENCES * share
    else:
        left = np.maximum(seen, 1 - share)
    halves = np.sqrt((z * error) ** 2 + item_noise * np.maximum(0.0, left))
    powers = [power_at(effect, error, float(half)) for half in halves]
    return float(np.average(powers, weights=weights))


def min_detectable_effect(items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest difference that `paired_difference` finds with this power: `interval_power` turned round.

    With one seed that of `normal_min_detectable_effect`. More than 1 where nothing at all is seen.
    """
    if noise.first_seeds == 1:
        return normal_min_detectable_effect(items, noise, level=level, power=power)
    low, high = normal_min_detectable_effect(items, noise, level=level, power=power), 1.0
    if interval_power(high, items, noise, level=level) < power:
        return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if interval_power(middle, items, noise, level=level) >= power else (middle, high)
    return high


def seeds_needed(
    effect: float, items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8
) -> int | None:
    """The fewest seeds of the first way with which `paired_difference` finds it, or None where no number will do."""

    def enough(seeds: int) -> bool:
        return interval_power(effect, items, replace(noise, first_seeds=seeds), level=level) >= power

    fewest = normal_seeds_needed(effect, items, noise, level=level, power=power)
    if fewest is None or enough(fewest):
        return fewest
    low, high = fewest, 2 * fewest
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache
def t_quantile(level: float, degrees: int) -> float:
    """Half the width of a two-sided interval by Student's t, in standard errors.

    The finite series of Abramowitz & Stegun (1964) 26.7.3 and 26.7.4, turned round by bisection; beyond 200 degrees of
    freedom the first two terms of 26.7.5, good to 1e-5.
    """
    z = _two_sided(level)
    if degrees > 200:
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _inside(middle, degrees) >= level else (middle, high)
    return math.sqrt(degrees) * math.tan(high)


def mcnemar_items(effect: float, discordant: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """Items for McNemar's test to see `effect` where the two ways disagree on a share `discordant` of the items.

    Connor (1987): (z_a/2 * sqrt(D) + z_b * sqrt(D - d^2))^2 / d^2 for right-or-wrong items. ValueError where the ways
    disagree on fewer items than the effect takes.
    """
    _check_discordant(effect, discordant)
    upper = NormalDist().inv_cdf(power)
    root = _two_sided(level) * math.sqrt(discordant) + upper * math.sqrt(discordant - effect**2)
    return math.ceil((root / effect) ** 2)


def mcnemar_power(effect: float, discordant: float, items: int, *, level: float = 0.95) -> float:
    """Power of McNemar's test by the normal approximation of Connor (1987), both tails.

    ValueError as in `mcnemar_items`.
    """
    _check_discordant(effect, discordant)
    spread, z = math.sqrt(discordant - effect**2), _two_sided(level)
    shift, critical = effect * math.sqrt(items), z * math.sqrt(discordant)
    return _cdf((shift - critical) / spread) + _cdf((-shift - critical) / spread)


def exact_mcnemar_power(effect: float, discordant: float, items: int, *, level: float = 0.95) -> float:
    """Power of the exact two-sided McNemar test: summed over how many items disagree, and which way.

    The exact test asks more than its level; the normal approximation is up to several points above it at small n.
    Time and memory grow with the square of `items`. ValueError as in `mcnemar_items`.
    """
    _check_discordant(effect, discordant)
    ours = (discordant + effect) / 2 / discordant
    found = 0.0
    for disagreeing, chance in enumerate(_binomial(items, discordant)):
        fair, true = _binomial(disagreeing, 0.5), _binomial(disagreeing, ours)
        # Both tails of what the test rejects: as many outcomes from either end as half the error allows.
        # Not to reject where the sum of the tail is above it by rounding only would lose a whole outcome.
        count = int(np.sum(2 * np.cumsum(fair) <= (1 - level) * (1 + 1e-12)))
        found += chance * float(true[:count].sum() + true[len(true) - count :].sum())
    return found


def resamples_needed(share: float, error: float) -> int:
    """Resamples after which a bootstrap p value of `share` has this standard error by resampling alone.

    p (1 - p) / error^2 (Efron & Tibshirani 1993, section 14). An interval is as exact as the share it leaves out: 1,900
    resamples know the 5% outside a 95% interval to half a point, which is why educe draws 2,000.
    """
    # Not to round up what is whole but for the last bit of a division.
    return math.ceil(share * (1 - share) / error**2 - 1e-9)


def bootstrap_end_error(level: float, resamples: int) -> float:
    """By how many standard errors an end of a bootstrap interval moves when it is resampled anew.

    sqrt(q (1 - q) / B) / density of the normal at the end, the large-sample error of a quantile; q = (1 - level) / 2.
    """
    tail, density = (1 - level) / 2, NormalDist().pdf(_two_sided(level))
    return math.sqrt(tail * (1 - tail) / resamples) / density


def half_width(items: int | float, *, level: float = 0.95) -> float:
    """Half the width of the Wilson interval of a score of 50%, where it is widest."""
    z = _two_sided(level)
    return z / (2 * math.sqrt(items + z * z))


def zero_events_bound(items: int | float, *, level: float = 0.95) -> float:
    """The largest probability that is not excluded where none of so many independent items shows the outcome.

    1 - (1 - level)^(1 / n), Clopper & Pearson (1934), one-sided; at 95% close to 3 / n, the rule of three.
    """
    return -math.expm1(math.log1p(-level) / items)


def items_to_exclude(probability: float, *, level: float = 0.95) -> int:
    """How many independent items, none of which shows the outcome, bound its probability below this."""
    return math.ceil(math.log1p(-level) / math.log1p(-probability))


def bonferroni_level(level: float, comparisons: int) -> float:
    """The level that each of so many comparisons needs so that all hold together (Bonferroni; Holm's first step)."""
    return 1 - (1 - level) / comparisons


def _quantiles(level: float, power: float) -> float:
    return _two_sided(level) + NormalDist().inv_cdf(power)


def _two_sided(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _cdf(value: float) -> float:
    # NormalDist().cdf loses its tail by cancellation.
    return math.erfc(-value / math.sqrt(2)) / 2


def _inside(angle: float, degrees: int) -> float:
    """The share of Student's t within +-sqrt(degrees) * tan(angle)."""
    cosine, odd = math.cos(angle), degrees % 2
    term = total = cosine if odd else 1.0
    for place in range(2 + odd, degrees, 2):
        term *= cosine**2 * (place - 1) / place
        total += term
    if odd:
        return 2 / math.pi * (angle + (math.sin(angle) * total if degrees > 1 else 0.0))
    return math.sin(angle) * total


def _check_discordant(effect: float, discordant: float) -> None:
    if not 0 < abs(effect) <= discordant <= 1:
        raise ValueError(f"ways that differ by {effect} disagree on that share of the items at least, not {discordant}")


def _binomial(n: int, p: float) -> NDArray[np.float64]:
    """Probabilities of 0 .. n successes."""
    if p in (0, 1):
        return np.eye(1, n + 1, n if p else 0)[0]
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    return np.asarray(np.exp(logs[n] - logs - logs[::-1] + k * math.log(p) + (n - k) * math.log1p(-p)))
