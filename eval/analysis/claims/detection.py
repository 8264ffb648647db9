"""The power to detect a gain over zero-shot, from how items and seeds were seen to vary."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.formatting import format_count, format_points
from educe.eval.analysis.statistics.power import min_significant_difference, power_at
from educe.eval.analysis.statistics.resample import cluster_codes, normal_quantile
from educe.eval.analysis.statistics.variance import contrast_variance


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The probability of detecting a gain, and the number of items for the power that was asked for."""

    power: float
    needed: int | None  # None where no number of items is enough

    @property
    def numbers(self) -> dict[str, int | float]:
        """The numbers for a claim."""
        return {"power": self.power} if self.needed is None else {"power": self.power, "needed": self.needed}

    def text(self, gain: float) -> str:
        """The power, as text."""
        return f"a gain of {format_points(gain)} would have been detected with probability {_rounded_down(self.power)}"

    def shortfall(self, gain: float, power: float) -> str:
        """The power that is missing, as text."""
        more = "more seeds, not items" if self.needed is None else f"about {format_count(self.needed, 'item')}"
        return f"{self.text(gain)}, but a power of {power:g} takes {more}"


def detection(condition: Condition, plain: Condition, gain: float, *, power: float, level: float) -> Detection:
    """The power of `paired_difference` for a gain over zero-shot on the items that both share."""
    n, power_with = _power_function(condition, plain, gain, level)
    return Detection(power=power_with(1.0), needed=_items_needed(n, power_with, power))


def _power_function(
    condition: Condition, plain: Condition, gain: float, level: float
) -> tuple[int, Callable[[float], float]]:
    """The number of shared items, and the power with that number times a factor.

    A gain changes at least as many items, so the variance is no less than gain (1 - gain) an item.
    """
    sides, clusters = sides_of(condition.measurements, plain.measurements)
    differences = sides[0].items - sides[1].items
    found, n, seen = contrast_variance(sides, (1.0, -1.0), clusters), len(differences), float(differences.var())
    sizes = np.bincount(cluster_codes(clusters, n))
    independent = float(n) if found.items == 0 else min(float(n), seen / found.items)
    if seen == 0:
        independent = n**2 / float(sizes @ sizes)
    variance, t = max(seen, gain * (1 - gain)), found.quantile(level)
    items = variance / independent

    def power_with(factor: float) -> float:
        effective = min(factor * n, factor * independent * (normal_quantile(level) / t) ** 2)
        of_items = min_significant_difference(effective, variance, level=level)
        return power_at(gain, math.sqrt(items / factor + found.seeds), math.hypot(of_items, t * math.sqrt(found.seeds)))

    return n, power_with


def _items_needed(n: int, power_with: Callable[[float], float], power: float) -> int | None:
    """The fewest items with this power, by bisection; None where a million times as many do not have it."""
    low, high = 1e-6, 1e6
    if power_with(high) < power:
        return None
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power_with(middle) >= power else (middle, high)
    return math.ceil(n * high)


def _rounded_down(probability: float) -> str:
    if probability < 0.01:
        return "less than 0.01"
    return "more than 0.99" if probability > 0.99 else f"{math.floor(100 * probability) / 100:.2f}"
