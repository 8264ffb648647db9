"""Description lengths of labels over seeds, with intervals.

A label is coded by a learner that has read the labels before it, so the labels of one run are not independent and give
no interval. Runs with other seeds do. The floor has the noise of the held-out examples, the same for all seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.resample import interval_kind
from educe.eval.analysis.statistics.variance import MIN_SEEDS, Variance
from educe.eval.details import LabelBits


@dataclass(frozen=True, kw_only=True)
class DescriptionLength:
    """Description length of one condition's labels in bits, means over seeds.

    `floor_above_guess` says that the converged model is surely worse than a guess on held-out examples, so that the
    excess says nothing.
    """

    condition: Condition
    mdl: float
    floor: float
    edl: float
    per_example: Estimate
    per_parameter: Estimate
    floor_above_guess: bool


def description_lengths(conditions: Sequence[Condition]) -> list[DescriptionLength]:
    """Every condition that trained on examples whose labels were measured in bits."""
    rows = []
    for condition in ordered(conditions):
        found = [each.details.label_bits for each in condition.measurements]
        known = [each for each in found if each is not None]
        if len(known) == len(found) and condition.examples and condition.trainable_parameters:
            rows.append(_length(condition, known))
    return rows


def _length(condition: Condition, bits: Sequence[LabelBits]) -> DescriptionLength:
    n = condition.examples
    lowest_floor = fmean(each.floor_bits_per_example for each in bits) - _half(_of_floor(bits), 0.95)
    return DescriptionLength(
        condition=condition,
        mdl=fmean(each.mdl_bits for each in bits),
        floor=fmean(each.floor_bits_per_example for each in bits),
        edl=fmean(each.edl_bits for each in bits),
        per_example=excess(bits, per=n, examples=n),
        per_parameter=excess(bits, per=condition.trainable_parameters, examples=n),
        floor_above_guess=condition.chance is not None and lowest_floor > -math.log2(condition.chance),
    )


def excess(bits: Sequence[LabelBits], *, per: int | float, examples: int, level: float = 0.95) -> Estimate:
    """The mean EDL of runs on so many examples, per so many things, with Student's t interval.

    The variance over seeds and that of the floor over held-out examples are added (as in statistics/variance.py). All
    seeds share the held-out examples, so the errors of their floors are taken to be one and the same, which is
    cautious. Fewer than three runs say nothing of other seeds: their interval is over held-out examples alone. Without
    ends where the error of the floor is not known.
    """
    found = _of_floor(bits)
    over = "held-out examples"
    if len(bits) >= MIN_SEEDS:
        of_seeds = variance(each.edl_bits / examples for each in bits) / len(bits)
        found = Variance(items=found.items, items_df=found.items_df, seeds=of_seeds, seeds_df=len(bits) - 1.0)
        over = "seeds and held-out examples"
    value, half = fmean(each.edl_bits for each in bits), _half(found, level) * examples
    return Estimate(
        value=value / per,
        low=(value - half) / per,
        high=(value + half) / per,
        kind=interval_kind(f"t over {over}", level),
        n=examples,
    )


def _of_floor(bits: Sequence[LabelBits]) -> Variance:
    errors = [(each.floor_error, each.floor_df) for each in bits]
    known = [(error, df) for error, df in errors if error is not None and df is not None]
    if len(known) < len(bits):
        return Variance(items=math.inf, items_df=0.0)
    return Variance(items=fmean(error for error, _ in known) ** 2, items_df=min(df for _, df in known))


def _half(found: Variance, level: float) -> float:
    return found.quantile(level) * found.total**0.5 if math.isfinite(found.total) else math.inf
