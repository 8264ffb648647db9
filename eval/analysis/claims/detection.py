"""The power to detect a gain over zero-shot, from how items and seeds were seen to vary."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.formatting import format_count, format_points
from educe.eval.analysis.statistics.components import components
from educe.eval.analysis.statistics.paired import seeds_squared_half_width
from educe.eval.analysis.statistics.power import min_significant_difference, power_at
from educe.eval.analysis.statistics.resample import normal_quantile


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
    (ours, theirs), clusters = item_scores(condition.measurements, plain.measurements)
    differences = ours.mean(axis=0) - theirs.mean(axis=0)
    across = components(differences[None, :], clusters)
    n, seen = across.num_items, float(differences.var())
    independent = float(n) if across.items == 0 else min(float(n), seen / across.items)
    if seen == 0:
        independent = n / across.mean_cluster_size
    variance, t = max(seen, gain * (1 - gain)), across.items_quantile(level)
    items = variance / independent
    sides = [components(side, clusters, each.seed_variance) for side, each in ((ours, condition), (theirs, plain))]
    seeds = sum(side.seeds for side in sides)
    added = seeds_squared_half_width(sides, level)

    def power_with(factor: float) -> float:
        effective = min(factor * n, factor * independent * (normal_quantile(level) / t) ** 2)
        of_items = min_significant_difference(effective, variance, level=level)
        return power_at(gain, math.sqrt(items / factor + seeds), math.hypot(of_items, math.sqrt(added)))

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
