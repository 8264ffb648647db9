"""Effects over tasks: which conditions are compared, what is left out, and what the mean speaks of."""

from dataclasses import replace
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import by_task_and_model, compare, pool
from educe.eval.analysis.looks import Look, Looks
from educe.eval.analysis.meta import over_tasks
from educe.eval.measurement import Measurement
from educe.eval.report.over_tasks import _limits, draw_over_tasks
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

TASKS = ("capitals", "grammar", "logic", "sentiment")


def study(*, seeds: int, gains: tuple[int, ...] = (40, 30, 50, 45)) -> list[Measurement]:
    """Zero-shot is right on 30 of 100 items, eight shots on 40, training on 4 examples on 35, on 64 on 30 + gain."""
    made = []
    for task, gain in zip(TASKS, gains, strict=False):
        made.append(measurement(task=task, method="zero_shot", examples=0, right=30, of=100))
        for seed in range(seeds):
            made.append(
                measurement(
                    task=task, method="few_shot", settings={"shots": 8}, examples=8, right=40 + seed, of=100, seed=seed
                )
            )
            for examples, right in ((4, 35), (64, 30 + gain)):
                spend = Spend(labelled_examples=examples, train_flops=1e9 * examples)
                made.append(
                    measurement(task=task, examples=examples, right=right - seed, of=100, seed=seed, spend=spend)
                )
    return made


def test_the_largest_budget_is_compared_task_by_task() -> None:
    conditions = pool(study(seeds=3))
    gained, led, shared = over_tasks(by_task_and_model(conditions))
    assert [each.against for each in (gained, led, shared)] == ["zero-shot", "few-shot", "gap"]
    assert [each.task for each in gained.effects] == list(TASKS)
    for each in gained.effects:
        tuned, plain = each.conditions
        assert tuned.examples == 64 and plain.role == "zero_shot"
        assert (each.value, each.low) == (compare(tuned, plain).difference, compare(tuned, plain).low)
    assert [each.value for each in gained.effects] == pytest.approx([0.39, 0.29, 0.49, 0.44])
    assert [each.value for each in shared.effects] == pytest.approx([11 / 39, 11 / 29, 11 / 49, 11 / 44])
    assert 0.3 < gained.pooled.mean < 0.5 and gained.estimand == "recipe"
    assert gained.pooled.prediction.high <= 1


def test_errors_of_shares_agree_with_their_bootstrap() -> None:
    (_, _, shared) = over_tasks(by_task_and_model(pool(study(seeds=1))))
    for each in shared.effects:
        assert each.error == pytest.approx((each.high - each.low) / 3.92, rel=0.35)


def test_one_seed_speaks_of_its_runs_and_a_gap_of_nothing_is_left_out() -> None:
    (gained, _, shared) = over_tasks(by_task_and_model(pool(study(seeds=1, gains=(40, 0, 50, 45)))))
    assert gained.estimand == "runs" and len(gained.effects) == 4
    assert shared.left_out == ("grammar",) and len(shared.effects) == 3


def test_p_values_take_five_seeds_and_are_adjusted_for_looks() -> None:
    """They were those of one look and three seeds."""
    (three, *_) = over_tasks(by_task_and_model(pool(study(seeds=3))))
    assert (three.p, three.homogeneity_p) == (None, None)
    made = [
        replace(each, provenance=replace(each.provenance, cell=f"{place} {each.task}"))
        for place, each in enumerate(study(seeds=5, gains=(12, 11, 13, 12)))
    ]
    (alone, *_) = over_tasks(by_task_and_model(pool(made)))
    assert (alone.p, alone.homogeneity_p) == (alone.pooled.p, alone.pooled.homogeneity_p)
    stood = {each.provenance.cell: frozenset({0}) for each in made}
    looks = Looks(ids={cell: cell for cell in stood}, now=Look(listed=stood, stood=stood))
    (first, *_) = over_tasks(by_task_and_model(pool(made)), looks)
    assert first.p == alone.p
    earlier = Look(listed=stood, stood={cell: seeds for cell, seeds in stood.items() if "capitals" not in cell})
    (second, *_) = over_tasks(by_task_and_model(pool(made)), replace(looks, earlier=[earlier]))
    assert first.p is not None and second.p is not None and second.p > first.p
    (lost, *_) = over_tasks(by_task_and_model(pool(made)), replace(looks, lost="it is missing"))
    assert lost.p is None


def test_training_is_compared_with_the_control_at_its_budget_and_not_tested() -> None:
    spend = Spend(labelled_examples=64, train_flops=1.0)
    controls = [
        measurement(task=task, method="ngrams", examples=64, right=right, of=100, seed=seed, spend=spend)
        for task, right in zip(TASKS, (10, 20, 30, 40), strict=True)
        for seed in range(5)
    ]
    conditions = pool([*study(seeds=5), *controls])
    found = {each.against: each for each in over_tasks(by_task_and_model(conditions))}
    above = found["control"]
    assert [each.value for each in above.effects] == pytest.approx([0.58, 0.38, 0.48, 0.33])
    assert {each.conditions[1].method for each in above.effects} == {"ngrams"}
    assert (above.p, above.homogeneity_p, above.recipe) == (None, None, "iid_sft")
    assert found["zero-shot"].p is not None
    without = {each.against: each for each in over_tasks(by_task_and_model(pool(study(seeds=5))))}
    assert without.keys() == found.keys() - {"control"}
    assert all(found[against].pooled == without[against].pooled for against in without)


def test_two_tasks_are_not_pooled() -> None:
    assert over_tasks(by_task_and_model(pool(study(seeds=3, gains=(40, 30))))) == []


def test_figures_show_every_task_and_the_mean(tmp_path: Path) -> None:
    found = over_tasks(by_task_and_model(pool(study(seeds=3))))
    drawn = draw_over_tasks(found, tmp_path)
    assert len(drawn) == 3
    for needed in (*TASKS, "mean of such tasks", "+39.0 ["):
        assert needed in drawn[0], needed
    assert draw_over_tasks([], tmp_path) == []


def test_tasks_are_in_the_order_of_their_effects_and_a_wild_share_leaves_its_panel(tmp_path: Path) -> None:
    found = over_tasks(by_task_and_model(pool(study(seeds=3))))
    drawn = draw_over_tasks(found, tmp_path)
    places = [drawn[0].index(f">{task}<") for task in ("logic", "sentiment", "capitals", "grammar")]
    assert places == sorted(places)
    assert _limits(found[2:], "gap") == _limits(found[2:], "zero-shot")
    (wild,) = (replace(each, effects=(replace(each.effects[0], low=-9.0, high=9.0),)) for each in found[2:])
    assert _limits([wild], "gap") == (-100.0, 200.0)
    assert _limits([wild], "zero-shot")[0] < -900
