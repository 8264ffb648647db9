"""Does training on another task show what a model can do on this one, and how much of what its own rows show?"""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Compare, Condition, compare, ordered, plain_prompting, rows_of, sides_of
from educe.eval.analysis.controls import TOLD, is_control, same_but
from educe.eval.analysis.statistics.paired import Difference, GapRecovered, paired_difference, resample_sides
from educe.eval.analysis.statistics.resample import interval_kind, percentiles


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What a condition that learned from another task's rows gains on this one.

    `over_shuffled` is its gain over the same rows with random labels, and `share` that gain as a share of what this
    task's own rows gain over zero-shot. What training shows whatever the labels say is taken off above the line alone,
    so the share is below 1 where that is something and both rows serve equally well. `own` learned from as many rows,
    or from the most that were tried below that. None where a control was not run, or the own gain may be 0.
    """

    condition: Condition
    source: str
    gain: Difference
    over_shuffled: Difference | None
    own: Condition | None
    own_gain: Difference | None
    share: GapRecovered | None


def transfers(conditions: Sequence[Condition], gains: Compare = compare) -> list[Transfer]:
    """Of one model and task, every condition that learned from right labels of another task; zero-shot is needed."""
    plain = plain_prompting(conditions)
    if plain is None:
        return []
    found = []
    for each in ordered(conditions):
        source = rows_of(each)
        if not source or is_control(each):
            continue
        same_size = [other for other in conditions if other.examples == each.examples and other is not each]
        shuffled = next((other for other in same_size if is_control(other) and same_but(TOLD, other, each)), None)
        fitting = [other for other in conditions if other.examples <= each.examples and _learns_own(other, each)]
        own = max(fitting, key=lambda other: other.examples, default=None)
        found.append(
            Transfer(
                condition=each,
                source=source.partition(" ")[0],
                gain=gains(each, plain),
                over_shuffled=None if shuffled is None else gains(each, shuffled),
                own=own,
                own_gain=None if own is None else gains(own, plain),
                share=None if shuffled is None or own is None else _share(each, shuffled, own, plain),
            )
        )
    return found


def _learns_own(other: Condition, condition: Condition) -> bool:
    """Whether it is the same recipe on this task's own rows, with their right labels."""
    return not rows_of(other) and not is_control(other) and same_but(("rows_from",), other, condition)


def _share(
    condition: Condition, shuffled: Condition, own: Condition, plain: Condition, level: float = 0.95
) -> GapRecovered | None:
    """(condition - shuffled) / (own - plain) on the same items, by a bootstrap as that of `gap_recovered`.

    Items and seeds are drawn for all four together. It is never narrower than the interval of the gain over shuffled
    labels, divided by the own gain. None where the interval of the own gain contains 0.
    """
    sides, clusters = sides_of(*(each.measurements for each in (condition, shuffled, own, plain)))
    if paired_difference(sides[2], sides[3], clusters, level=level).low <= 0:
        return None
    ours, without, theirs, floor = resample_sides(sides, clusters)
    gap = theirs - floor
    low, high = percentiles((ours - without)[gap > 0] / gap[gap > 0], level)
    means = [float(side.scores.mean()) for side in sides]
    own_gain = means[2] - means[3]
    share, gained = (means[0] - means[1]) / own_gain, paired_difference(sides[0], sides[1], clusters, level=level)
    low, high = min(low, gained.low / own_gain), max(high, gained.high / own_gain)
    return GapRecovered(
        share=share, low=min(low, share), high=max(high, share), kind=interval_kind("ratio bootstrap", level)
    )
