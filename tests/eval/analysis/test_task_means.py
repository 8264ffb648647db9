"""Means over the tasks of a study: which tasks they are of, and what is missing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, pool
from educe.eval.analysis.task_means import TaskMean, TaskMeans, task_means
from educe.eval.measurement import Measurement
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

TASKS = {"capitals": 30, "grammar": 50, "logic": 70}  # right of 100 zero-shot


def study(seeds: int = 3, tasks: dict[str, int] = TASKS, **changed: Any) -> list[Measurement]:
    """Eight shots are right on 5 items more, training on 4 examples on 10, on 64 on 20, a control on 64 on 10 fewer."""
    made = []
    for task, plain in tasks.items():
        given: dict[str, Any] = {"task": task, "of": 100} | changed
        made.append(measurement(method="zero_shot", examples=0, right=plain, **given))
        for seed in range(seeds):
            made.append(
                measurement(method="few_shot", settings={"shots": 8}, examples=8, right=plain + 5, seed=seed, **given)
            )
            for examples, more in ((4, 10), (64, 20)):
                spend = Spend(labelled_examples=examples, train_flops=1e9 * examples)
                made.append(measurement(examples=examples, right=plain + more, seed=seed, spend=spend, **given))
            spend = Spend(labelled_examples=64, train_flops=1.0)
            made.append(measurement(method="ngrams", examples=64, right=plain - 10, seed=seed, spend=spend, **given))
    return made


def means_of(made: Sequence[Measurement]) -> list[TaskMeans]:
    return task_means(by_task_and_model(pool(made)))


def row_of(means: TaskMeans, method: str, examples: int) -> TaskMean:
    (row,) = [row for row in means.rows if (row.condition.method, row.condition.examples) == (method, examples)]
    return row


def test_scores_and_gains_are_means_of_those_of_the_tasks() -> None:
    (means,) = means_of(study())
    assert (means.model, means.tasks) == ("small", tuple(TASKS))
    kinds = [(row.condition.method, row.condition.examples) for row in means.rows]
    assert kinds == [("zero_shot", 0), ("few_shot", 8), ("iid_sft", 4), ("iid_sft", 64), ("ngrams", 64)]
    scores = [row.score.value for row in means.rows]
    assert scores == pytest.approx([0.5, 0.55, 0.6, 0.7, 0.4])
    assert row_of(means, "zero_shot", 0).gain is None
    tuned, control = row_of(means, "iid_sft", 64), row_of(means, "ngrams", 64)
    assert tuned.gain and tuned.above_control and tuned.chance_adjusted and tuned.score.n == 300
    assert tuned.gain.value == pytest.approx(0.2)
    assert tuned.above_control.value == pytest.approx(0.3)
    assert tuned.chance_adjusted.value == pytest.approx((0.7 - 0.25) / 0.75)
    # The control elicits nothing, and no control learned from four rows.
    assert (control.gain, control.above_control, row_of(means, "iid_sft", 4).above_control) == (None, None, None)


def test_a_gain_is_known_better_than_the_scores_and_the_mean_better_than_one_task() -> None:
    conditions = pool(study())
    (means,) = task_means(by_task_and_model(conditions))
    tuned = row_of(means, "iid_sft", 64)
    one = next(each for each in conditions if (each.method, each.examples) == ("iid_sft", 64))
    plain = next(each for each in conditions if each.method == "zero_shot")
    gain = compare(one, plain)
    assert tuned.gain and tuned.gain.high - tuned.gain.low < gain.high - gain.low
    assert tuned.gain.high - tuned.gain.low < tuned.score.high - tuned.score.low


def test_a_missing_score_is_missing_and_not_zero() -> None:
    """The task with the highest scores has no few-shot: it is in no mean, and is named with what it lacks."""
    made = [each for each in study() if (each.task, each.method) != ("logic", "few_shot")]
    (means,) = means_of(made)
    assert means.tasks == ("capitals", "grammar")
    assert row_of(means, "zero_shot", 0).score.value == pytest.approx(0.4)
    ((task, lacking),) = means.missing
    assert (task, [each.method for each in lacking]) == ("logic", ["few_shot"])


def test_what_is_measured_on_few_tasks_leaves_no_task_out() -> None:
    """One recipe on one of three tasks: without the rule there would be no mean at all."""
    extra = measurement(task="logic", method="minimal_lora", examples=4, right=90, of=100)
    (means,) = means_of([*study(), extra])
    assert means.tasks == tuple(TASKS)
    assert "minimal_lora" not in {row.condition.method for row in means.rows}
    assert [(each.method, count) for each, count in means.left_out] == [("minimal_lora", 1)]


def test_chance_has_to_be_known_on_every_task() -> None:
    unknown = [replace(each, chance=None) if each.task == "logic" else each for each in study()]
    assert {row.chance_adjusted for row in means_of(unknown)[0].rows} == {None}
    certain = [replace(each, chance=1.0) if each.task == "logic" else each for each in study()]
    assert {row.chance_adjusted for row in means_of(certain)[0].rows} == {None}


def test_seeds_too_few_are_runs() -> None:
    (means,) = means_of(study(seeds=2))
    assert row_of(means, "iid_sft", 64).estimand == "runs"
    assert row_of(means, "zero_shot", 0).estimand == "recipe"
    lost = [each for each in study() if (each.task, each.method, each.seed) != ("logic", "iid_sft", 2)]
    assert row_of(means_of(lost)[0], "iid_sft", 64).estimand == "runs"


def test_a_baseline_that_is_runs_marks_no_score() -> None:
    """The gain over two-run controls is one of runs, the score is not."""
    fewer = [each for each in study() if (each.method, each.seed) != ("ngrams", 2)]
    tuned = row_of(means_of(fewer)[0], "iid_sft", 64)
    assert (tuned.estimand, tuned.above_control_estimand) == ("recipe", "runs")


def test_each_model_has_its_own_tasks_and_one_task_is_no_mean() -> None:
    both = [*study(), *study(model="big", tasks={"capitals": 30, "grammar": 50})]
    assert [(means.model, len(means.tasks)) for means in means_of(both)] == [("big", 2), ("small", 3)]
    assert means_of(study(tasks={"capitals": 30})) == []
    assert task_means([]) == []


def test_models_whose_tasks_have_nothing_in_common_have_no_mean() -> None:
    """Each task has a recipe of its own: every recipe is on half of what the others are on, and no task has all."""
    made = [
        measurement(task=task, method=method, examples=4)
        for task, method in (("capitals", "iid_sft"), ("grammar", "minimal_lora"))
    ]
    assert means_of(made) == []


def test_conditions_stand_for_their_own_tasks() -> None:
    conditions: tuple[Condition, ...] = pool(study())
    backwards = task_means(by_task_and_model(conditions[::-1]))
    assert [row.score for row in backwards[0].rows] == [row.score for row in means_of(study())[0].rows]
