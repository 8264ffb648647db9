"""What wrong demonstrations cost: the same recipe after wrong and after right ones, item by item."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Compare, Condition, compare, ordered, values_of
from educe.eval.analysis.controls import same_but
from educe.eval.analysis.statistics.paired import Difference

# The settings of demonstrations that are wrong.
_WRONG = ("wrong", "errors")


@dataclass(frozen=True, kw_only=True)
class ErrorCost:
    """A condition after demonstrations of which the share `wrong` is wrong, less the same after right ones."""

    condition: Condition
    clean: Condition
    wrong: float
    errors: str
    change: Difference


def error_costs(conditions: Sequence[Condition], gains: Compare = compare) -> list[ErrorCost]:
    """Of one model and task, every condition after wrong demonstrations that was measured after right ones, too.

    The right ones are the same rows: `wrong: 0` of the same recipe.
    """
    found = []
    for each in ordered(conditions):
        wrong = _share(each)
        if not wrong:
            continue
        clean = [other for other in conditions if _share(other) == 0 and _is_same(other, each)]
        if clean:
            found.append(
                ErrorCost(
                    condition=each,
                    clean=clean[0],
                    wrong=wrong,
                    errors=str(next(values_of(each.measurements[0].settings, "errors"))),
                    change=gains(each, clean[0]),
                )
            )
    return found


def _share(condition: Condition) -> float | None:
    """The share of wrong demonstrations; None for a recipe that has no such setting."""
    return next((float(value) for value in values_of(condition.measurements[0].settings, "wrong")), None)


def _is_same(one: Condition, other: Condition) -> bool:
    return one.examples == other.examples and same_but(_WRONG, one, other)
