"""The power of one run to show a gain over another condition, from how its items were seen to vary."""

import math
from dataclasses import dataclass

import numpy as np

from educe.eval.analysis.claims.runs import RunDifference
from educe.eval.analysis.formatting import format_count, format_points
from educe.eval.analysis.statistics.power import min_significant_difference, power_at
from educe.eval.analysis.statistics.resample import cluster_codes


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The probability of detecting a gain, and the number of items for the power that was asked for."""

    power: float
    needed: int

    def text(self, gain: float) -> str:
        """The power, as text."""
        return f"a gain of {format_points(gain)} would have been detected with probability {_rounded_down(self.power)}"

    def shortfall(self, gain: float, power: float) -> str:
        """The power that is missing, as text."""
        return f"{self.text(gain)}, but a power of {power:g} takes about {format_count(self.needed, 'item')}"


def detection(run: RunDifference, gain: float, *, power: float, level: float) -> Detection:
    """The power of a paired comparison over items for a gain, at a two-sided level.

    A gain changes at least as many items, so the variance is no less than gain (1 - gain) an item. The items of a
    cluster count as one (Kish 1965).
    """
    n, seen = len(run.items), float(run.items.var())
    sizes = np.bincount(cluster_codes(run.clusters, n))
    independent = n**2 / float(sizes @ sizes)
    variance = max(seen, gain * (1 - gain))

    def power_with(factor: float) -> float:
        items = factor * independent
        return power_at(gain, math.sqrt(variance / items), min_significant_difference(items, variance, level=level))

    low, high = 1e-6, 1e6
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if power_with(middle) >= power else (middle, high)
    return Detection(power=power_with(1.0), needed=math.ceil(n * high))


def _rounded_down(probability: float) -> str:
    if probability < 0.01:
        return "less than 0.01"
    return "more than 0.99" if probability > 0.99 else f"{math.floor(100 * probability) / 100:.2f}"
