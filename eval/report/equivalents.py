"""Compute-equivalent gain: other training expressed in the FLOPs of the recipe that was trained most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, most_trained, trained
from educe.eval.analysis.crossing import compute_equivalent_gain
from educe.eval.analysis.curves import Curve, Point, join, positive, without_sweeps
from educe.eval.analysis.statistics.intervals import Estimate


@dataclass(frozen=True, kw_only=True)
class Equivalent:
    """A recipe at its largest budget, and the FLOPs with which the reference recipe scores as much."""

    reference: str
    recipe: str
    point: Point
    gain: Estimate | None
    smallest: float  # the gain that the reference's smallest budget would be: that or less

    @property
    def text(self) -> str:
        """The gain with its interval."""
        if self.gain is None:
            return "not reached"
        least = f"≤ {self.smallest:.2g}×"
        value = least if self.gain.value <= self.smallest * (1 + 1e-9) else f"{self.gain.value:.2g}×"
        high = "∞" if math.isinf(self.gain.high) else f"{self.gain.high:.2g}×"
        return f"{value} [{f'{self.gain.low:.2g}×' if self.gain.low else least}, {high}]"


def equivalents(pairs: Sequence[Sequence[Condition]]) -> list[Equivalent]:
    """Every trained recipe against the one trained most of its model and task, if that has two budgets in FLOPs."""
    return [each for conditions in pairs for each in _of_one(conditions)]


def _of_one(conditions: Sequence[Condition]) -> list[Equivalent]:
    most = most_trained(conditions)
    curves = join(without_sweeps(trained(conditions)), "flops")
    own = next((curve for curve in curves if any(point.condition is most for point in curve.points)), None)
    others = [curve for curve in curves if curve is not own]
    if own is None or len(positive(own.points)) < 2:
        return []
    return [_equivalent(own, each) for each in others]


def _equivalent(own: Curve, other: Curve) -> Equivalent:
    # By examples first: several sizes can cost nearly the same, and which costs more then depends on lengths of texts.
    point = max(other.points, key=lambda each: (each.condition.examples, each.budget))
    return Equivalent(
        reference=own.label,
        recipe=other.label,
        point=point,
        gain=compute_equivalent_gain(own, point),
        smallest=positive(own.points)[0].budget / point.budget,
    )
