"""Controls: learners from scratch on the rows of a recipe, and the same recipe without being told what is right.

A learner that knows nothing beforehand is a control of every recipe. Training by another reward, or on random labels,
is one of the same recipe with the task's own, and of no other.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from educe.eval.analysis.conditions import Compare, Condition, compare, ordered, rows_of, trained, values_of
from educe.eval.analysis.statistics.paired import Difference

Kind = Literal["from scratch", "another reward", "random labels"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# The settings that say what a recipe is told is right.
TOLD = ("reward", "random_labels")


def is_control(condition: Condition) -> bool:
    """Whether it is there to be compared with, and is no way to elicit."""
    return condition.role == "control"


def without_controls(conditions: Iterable[Condition]) -> list[Condition]:
    """The ways to elicit."""
    return [each for each in conditions if not is_control(each)]


def control_kind(condition: Condition) -> Kind | None:
    """Why it is a control; None for a way to elicit."""
    if not is_control(condition):
        return None
    settings = condition.measurements[0].settings
    if any(reward != "correct" for reward in values_of(settings, "reward")):
        return "another reward"
    learns_anew = any(values_of(settings, "random_init"))
    return "random labels" if 1.0 in values_of(settings, "random_labels") and not learns_anew else "from scratch"


def learns_from_scratch(condition: Condition) -> bool:
    """Whether it is a control that knows nothing beforehand."""
    return control_kind(condition) == "from scratch"


def best_controls(conditions: Sequence[Condition], *, rows: str = "") -> dict[int, Condition]:
    """Of what learns from scratch on one model and task, the highest mean score at each budget, by rising budget.

    `rows` is the other task that it learned from, as `rows_of` has it. It is chosen on the test items themselves: it
    looks a little better, and a gain above it a little smaller.
    """
    best: dict[int, Condition] = {}
    for each in ordered(conditions):
        if not learns_from_scratch(each) or rows_of(each) != rows:
            continue
        if each.examples not in best or each.score > best[each.examples].score:
            best[each.examples] = each
    return dict(sorted(best.items()))


def controlled(conditions: Sequence[Condition]) -> dict[Condition, Condition]:
    """Every trained condition of one model and task with the best of its controls at its budget, where there is one."""
    scratch = {rows: best_controls(conditions, rows=rows) for rows in {rows_of(each) for each in conditions}}
    untold = [each for each in ordered(conditions) if is_control(each) and not learns_from_scratch(each)]
    found: dict[Condition, Condition] = {}
    for each in ordered(trained(conditions)):
        own = [control for control in untold if control.examples == each.examples and same_but(TOLD, control, each)]
        own += [scratch[rows_of(each)][each.examples]] if each.examples in scratch[rows_of(each)] else []
        if own:
            found[each] = max(own, key=lambda control: control.score)
    return found


def gains_above_controls(conditions: Sequence[Condition], gains: Compare = compare) -> dict[Condition, Difference]:
    """The score of every trained condition less that of its control, paired by item and seed."""
    return {each: gains(each, control) for each, control in controlled(conditions).items()}


def same_but(names: Container[str], one: Condition, other: Condition) -> bool:
    """Whether two conditions are the same recipe but for settings of these names."""
    first, second = (_without(each.measurements[0].settings, names) for each in (one, other))
    return one.method == other.method and bool(first == second)


def _without(settings: Any, names: Container[str]) -> Any:
    if isinstance(settings, Mapping):
        return {key: _without(value, names) for key, value in settings.items() if key not in names}
    return [_without(each, names) for each in settings] if isinstance(settings, list | tuple) else settings
