"""Controls: learners from scratch on the rows of a recipe, and the same recipe by another reward.

A learner that knows nothing beforehand is a control of every recipe. Training by a reward that does not say what is
right is one of the same recipe with the task's own reward, and of no other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from educe.eval.analysis.conditions import Compare, Condition, compare, ordered, trained
from educe.eval.analysis.statistics.paired import Difference


def is_control(condition: Condition) -> bool:
    """Whether it is there to be compared with, and is no way to elicit."""
    return condition.role == "control"


def without_controls(conditions: Iterable[Condition]) -> list[Condition]:
    """The ways to elicit."""
    return [each for each in conditions if not is_control(each)]


def has_another_reward(condition: Condition) -> bool:
    """Whether it is a control because of what it is rewarded for, and not because it learns from scratch."""
    return is_control(condition) and any(reward != "correct" for reward in _rewards(condition.measurements[0].settings))


def best_controls(conditions: Sequence[Condition]) -> dict[int, Condition]:
    """Of what learns from scratch on one model and task, the highest mean score at each budget, by rising budget.

    It is chosen on the test items themselves: it looks a little better, and a gain above it a little smaller.
    """
    best: dict[int, Condition] = {}
    for each in ordered(conditions):
        if not is_control(each) or has_another_reward(each):
            continue
        if each.examples not in best or each.score > best[each.examples].score:
            best[each.examples] = each
    return dict(sorted(best.items()))


def controlled(conditions: Sequence[Condition]) -> dict[Condition, Condition]:
    """Every trained condition of one model and task with the best of its controls at its budget, where there is one."""
    scratch = best_controls(conditions)
    rewarded = [each for each in ordered(conditions) if has_another_reward(each)]
    found: dict[Condition, Condition] = {}
    for each in ordered(trained(conditions)):
        own = [control for control in rewarded if control.examples == each.examples and _same_but_reward(control, each)]
        own += [scratch[each.examples]] if each.examples in scratch else []
        if own:
            found[each] = max(own, key=lambda control: control.score)
    return found


def gains_above_controls(conditions: Sequence[Condition], gains: Compare = compare) -> dict[Condition, Difference]:
    """The score of every trained condition less that of its control, paired by item and seed."""
    return {each: gains(each, control) for each, control in controlled(conditions).items()}


def _same_but_reward(control: Condition, condition: Condition) -> bool:
    first, second = (_without_rewards(each.measurements[0].settings) for each in (control, condition))
    return control.method == condition.method and bool(first == second)


def _rewards(settings: Mapping[str, Any]) -> Iterator[Any]:
    """What is rewarded, in the settings of a recipe and in those of the recipes that it is made of."""
    for key, value in settings.items():
        if key == "reward":
            yield value
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Mapping):
                yield from _rewards(inner)


def _without_rewards(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {key: _without_rewards(value) for key, value in settings.items() if key != "reward"}
    return [_without_rewards(each) for each in settings] if isinstance(settings, list | tuple) else settings
