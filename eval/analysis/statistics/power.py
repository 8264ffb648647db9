"""Power: the differences that a study of a given size can detect, and the size that a difference takes."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from educe.eval.analysis.statistics.resample import normal_quantile, t_quantile
from educe.eval.analysis.statistics.variance import MIN_SEEDS, Variance

# Miller (2024) works his examples with these: the variance of items' mean differences, and of one answer at an item.
BETWEEN_ITEMS = 1 / 9
WITHIN_ITEM = 1 / 6


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The variance of the difference between two conditions that answer the same items, in squared score.

    `between` is the variance over items of the difference of the two conditions' mean scores (omega^2 of Miller 2024),
    `first` and `second` the variance of one run of each condition at an item. The first is averaged over `first_seeds`
    runs. `design_effect` is the factor by which clusters of items raise the variance: 1 + (size - 1) * correlation for
    equal clusters (Kish 1965), sum of squared sizes / n where the items of a cluster are all right or wrong together.
    """

    between: float = BETWEEN_ITEMS
    first: float = 0.0
    second: float = 0.0
    first_seeds: int = 1
    design_effect: float = 1.0

    @property
    def per_item(self) -> float:
        """Variance of a score difference, times the number of items."""
        return self.design_effect * (self.between + self.first / self.first_seeds + self.second)

    def standard_error(self, items: int | float) -> float:
        """Standard error of the difference over so many items."""
        return math.sqrt(self.per_item / items)


def normal_min_detectable_effect(items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> float:
    """The difference that so many items detect with this power at this level (two-sided), as a share.

    (z_a/2 + z_b) * sqrt((omega^2 + sA^2 / KA + sB^2 / KB) / n), Miller (2024), equation 10 solved for the effect;
    normal quantiles. More than 1 where the study detects nothing at all.
    """
    return _quantiles(level, power) * noise.standard_error(items)


def items_needed(effect: float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> int:
    """The number of items that detect a difference of `effect` (a share) with this power; the same formula."""
    return math.ceil((_quantiles(level, power) / effect) ** 2 * noise.per_item)


def normal_power(effect: float, standard_error: float, *, level: float = 0.95) -> float:
    """Power of a two-sided z test at `level`, rejections in the wrong direction included."""
    return power_at(effect, standard_error, normal_quantile(level) * standard_error)


def power_at(effect: float, standard_error: float, half_width: float) -> float:
    """The same for an interval of any half width."""
    return float(
        special.ndtr((effect - half_width) / standard_error) + special.ndtr((-effect - half_width) / standard_error)
    )


def min_significant_difference(items: float, variance: float, *, level: float = 0.95) -> float:
    """The smallest mean difference whose interval by Agresti & Min (2005) leaves out 0: `paired_difference`'s.

    `items` is the number of independent items, `variance` that of their differences. Infinite where so few items leave
    out 0 at no difference.
    """
    if items <= 1:
        return math.inf
    t2 = t_quantile(items - 1, level) ** 2
    room = items * (items + 2) - 2 * t2
    return math.sqrt(t2 * (items * variance + 1) * (items + 2) / (items * room)) if room > 0 else math.inf


def interval_power(effect: float, items: int | float, noise: Noise, *, level: float = 0.95) -> float:
    """The probability that `paired_difference` leaves out 0, where seeds differ by noise at each item only.

    The interval adds the variance over the first condition's K seeds to that over items: a chi square with K - 1
    degrees of freedom, over which power is averaged. Noise at items is in both. The second condition has one run.
    """
    error = noise.standard_error(items)
    if noise.first_seeds < MIN_SEEDS:
        return normal_power(effect, error, level=level)
    df = noise.first_seeds - 1
    of_seeds = noise.design_effect * noise.first / items / noise.first_seeds
    # The square root of the chi square has a smooth density that is concentrated around its middle.
    middle = math.sqrt(df)
    edges = np.linspace(max(0.0, middle - 6), middle + 6, 401)
    roots = (edges[1:] + edges[:-1]) / 2
    logs = (df - 1) * np.log(roots) - roots**2 / 2
    seeds = roots**2 / df * of_seeds
    # Satterthwaite's degrees of freedom of the sum, as in `Variance`, for every root at once.
    dfs = (error**2 + seeds) ** 2 / (error**4 / max(1.0, items - 1) + seeds**2 / df)
    halves = special.stdtrit(dfs, 0.5 + level / 2) * np.sqrt(error**2 + seeds)
    powers = special.ndtr((effect - halves) / error) + special.ndtr((-effect - halves) / error)
    return float(np.average(powers, weights=np.exp(logs - logs.max())))


def min_detectable_effect(items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest difference that `paired_difference` detects with this power: `interval_power` inverted.

    With fewer than three seeds `normal_min_detectable_effect`. More than 1 where nothing at all is detected.
    """
    low = normal_min_detectable_effect(items, noise, level=level, power=power)
    if noise.first_seeds < MIN_SEEDS:
        return low
    high = 1.0
    if interval_power(high, items, noise, level=level) < power:
        return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if interval_power(middle, items, noise, level=level) >= power else (middle, high)
    return high


def detectable_difference(variance: Variance, units: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The difference that was found with this power at this level, had it been there: of a measured difference.

    Half the width of its interval plus the quantile of the power times its standard error. `units` is the number of
    independent items: a difference d has a variance of at least d (1 - d) per item, so it is never below what so few
    items allow.
    """
    quantile = variance.quantile(level) + float(special.ndtri(power))
    return float(min(1.0, max(quantile * variance.total**0.5, quantile**2 / (units + quantile**2))))


def seeds_needed(
    effect: float, items: int | float, noise: Noise, *, level: float = 0.95, power: float = 0.8
) -> int | None:
    """The fewest seeds, three at least, with which `paired_difference` detects an `effect` of the recipe.

    Fewer would speak of their runs alone. None where no number of seeds does: seeds average out what varies between
    runs, only items what varies between them.
    """

    def enough(seeds: int) -> bool:
        return interval_power(effect, items, replace(noise, first_seeds=seeds), level=level) >= power

    if normal_min_detectable_effect(items, replace(noise, first=0.0), level=level, power=power) >= effect:
        return None
    low, high = MIN_SEEDS - 1, MIN_SEEDS
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def bootstrap_end_error(level: float, resamples: int) -> float:
    """Standard deviation over resamplings of an end of a bootstrap interval, in standard errors of the estimate.

    sqrt(q (1 - q) / B) / density of the normal at the end, the large-sample error of a quantile; q = (1 - level) / 2.
    """
    tail = (1 - level) / 2
    density = math.exp(-(normal_quantile(level) ** 2) / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(tail * (1 - tail) / resamples) / density


def zero_events_bound(items: int | float, *, level: float = 0.95) -> float:
    """The upper bound of an outcome's probability where none of so many independent items shows it.

    1 - (1 - level)^(1 / n), Clopper & Pearson (1934), one-sided; at 95% close to 3 / n, the rule of three.
    """
    return -math.expm1(math.log1p(-level) / items)


def items_to_exclude(probability: float, *, level: float = 0.95) -> int:
    """The number of independent items without the outcome that bounds its probability below this."""
    return math.ceil(math.log1p(-level) / math.log1p(-probability))


def _quantiles(level: float, power: float) -> float:
    return normal_quantile(level) + float(special.ndtri(power))
