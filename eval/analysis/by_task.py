"""What each model's best prompt and best training reach on each task, corrected for having been picked."""

from collections.abc import Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, ordered, plain_prompting, sides_of, trained
from educe.eval.analysis.controls import controlled, without_controls
from educe.eval.analysis.statistics.intervals import Estimate
from educe.eval.analysis.statistics.picked import picked_gain, picked_scores
from educe.eval.analysis.statistics.variance import Estimand


@dataclass(frozen=True, kw_only=True)
class Best:
    """The condition that scored best among its `rivals` (itself counted), with its score on data that did not pick it.

    `score` is None where all items are of one cluster, which shows no noise.
    """

    condition: Condition
    score: Estimate | None
    rivals: int


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """One model on one task. What was not measured is None.

    `control` is the best control at the budget of `tuned`. `gain` over zero-shot and `above_control` are those of
    `tuned`, paired by item and seed and corrected for having been picked.
    """

    task: str
    model: str
    n: int
    chance: float | None
    plain: Condition | None
    prompt: Best | None
    tuned: Best | None
    control: Condition | None
    gain: Estimate | None
    above_control: Estimate | None

    @property
    def estimand(self) -> Estimand | None:
        """What the score and the gain of the training are about: the recipe, or its runs alone."""
        return None if self.tuned is None else self.tuned.condition.estimand

    @property
    def above_control_estimand(self) -> Estimand | None:
        """The recipes' only if both sides' is."""
        return "runs" if self.control is not None and self.control.estimand == "runs" else self.estimand


def task_rows(pairs: Sequence[Sequence[Condition]]) -> list[TaskRow]:
    """One row per task and model; `pairs` are the conditions by task and model, controls among them."""
    return [_row(ordered(pair)) for pair in pairs]


def _row(conditions: Sequence[Condition]) -> TaskRow:
    sides, clusters = sides_of(*(each.measurements for each in conditions))
    places = {each: place for place, each in enumerate(conditions)}
    plain, tuned, controls = plain_prompting(conditions), trained(conditions), controlled(conditions)
    prompts = [
        each
        for each in without_controls(conditions)
        if each not in tuned and each.role in ("few_shot", "prompting", "prompt_search")
    ]

    def best(rivals: Sequence[Condition]) -> Best | None:
        if not rivals:
            return None
        (score,) = picked_scores(sides, [[places[each] for each in rivals]], clusters)
        won = max(rivals, key=lambda each: float(sides[places[each]].scores.mean()))
        return Best(condition=won, score=score, rivals=len(rivals))

    def gain(others: Sequence[Condition | None]) -> Estimate | None:
        against = [None if other is None else places[other] for other in others]
        return picked_gain(sides, [places[each] for each in tuned], against, clusters) if tuned else None

    top = best(tuned)
    return TaskRow(
        task=conditions[0].task,
        model=conditions[0].model,
        n=sides[0].scores.shape[1],
        chance=next((each.chance for each in (plain, *conditions) if each is not None), None),
        plain=plain,
        prompt=best(prompts),
        tuned=top,
        control=None if top is None else controls.get(top.condition),
        gain=gain([plain] * len(tuned)),
        above_control=gain([controls.get(each) for each in tuned]),
    )
