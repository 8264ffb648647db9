"""Controls: what learners that know nothing beforehand get from the very rows that a recipe trains on."""

from collections.abc import Iterable, Sequence

from educe.eval.analysis.conditions import Compare, Condition, compare, ordered, trained
from educe.eval.analysis.statistics.paired import Difference


def is_control(condition: Condition) -> bool:
    """Whether it is there to be compared with, and is no way to elicit."""
    return condition.role == "control"


def without_controls(conditions: Iterable[Condition]) -> list[Condition]:
    """The ways to elicit."""
    return [each for each in conditions if not is_control(each)]


def best_controls(conditions: Sequence[Condition]) -> dict[int, Condition]:
    """Of the controls of one model and task, the one with the highest mean score at each budget, by rising budget.

    It is chosen on the test items themselves: it looks a little better, and a gain above it a little smaller.
    """
    best: dict[int, Condition] = {}
    for each in filter(is_control, ordered(conditions)):
        if each.examples not in best or each.score > best[each.examples].score:
            best[each.examples] = each
    return dict(sorted(best.items()))


def controlled(conditions: Sequence[Condition]) -> dict[Condition, Condition]:
    """Every trained condition of one model and task with the best control at its budget, where there is one."""
    controls = best_controls(conditions)
    return {each: controls[each.examples] for each in ordered(trained(conditions)) if each.examples in controls}


def gains_above_controls(conditions: Sequence[Condition], gains: Compare = compare) -> dict[Condition, Difference]:
    """The score of every trained condition less that of its control, paired by item and seed."""
    return {each: gains(each, control) for each, control in controlled(conditions).items()}
