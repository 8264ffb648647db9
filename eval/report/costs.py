"""What each condition cost, and when a fine-tune pays for itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Compare, Condition, compare, most_shots, ordered, plain_prompting
from educe.eval.analysis.controls import gains_above_controls, is_control
from educe.eval.analysis.frontier import questions_to_break_even
from educe.eval.analysis.statistics.paired import Difference


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One row of the cost table; every cost is a mean over seeds."""

    condition: Condition
    gain: Difference | None  # over zero-shot; None for zero-shot itself, controls, or where it was not measured
    above_control: Difference | None  # None where its rows were given to no control
    break_even: str
    train_flops: float
    search_flops: float
    seconds: float


def cost_rows(conditions: Sequence[Condition], gains: Compare = compare) -> list[Cost]:
    """One row per condition of one model and task: zero-shot, prompts, what was trained or searched for, controls."""
    plain, shown = plain_prompting(conditions), most_shots(conditions)
    above = gains_above_controls(conditions, gains)
    return [
        Cost(
            condition=each,
            gain=None if plain is None or each is plain or is_control(each) else gains(each, plain),
            above_control=above.get(each),
            break_even="–" if is_control(each) else _break_even(each, shown),
            train_flops=each.mean(lambda one: one.spend.train_flops),
            search_flops=each.mean(lambda one: one.spend.search_flops),
            seconds=each.mean(lambda one: one.spend.seconds),
        )
        for each in sorted(ordered(conditions), key=lambda each: (each is not plain, _kind(each)))
    ]


def _kind(condition: Condition) -> int:
    return 2 if is_control(condition) else int(condition.elicitation_flops > 0)


def _break_even(condition: Condition, shown: Condition | None) -> str:
    if condition.mean(lambda each: each.spend.train_flops) <= 0:
        return "–"
    if shown is None:
        return "no few-shot measured"
    questions = questions_to_break_even(
        max(0.0, condition.elicitation_flops - shown.elicitation_flops),
        prompt_flops=shown.flops_per_answer,
        tuned_flops=condition.flops_per_answer,
    )
    return "never" if questions is None else f"{questions:,.0f}"
