"""Room: the rule at its edges, what may be the best recipe, and the order of the lines."""

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.room import Room, rooms, with_room
from educe.eval.measurement import Measurement
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement


def zero_shot(right: int, of: int = 20, **more: object) -> Measurement:
    return measurement(method="zero_shot", right=right, of=of, examples=0, **more)  # type: ignore[arg-type]


def one(*measured: Measurement) -> Room:
    (room,) = rooms(pool(measured))
    return room


@pytest.mark.parametrize(
    ("plain", "best", "verdict", "reason"),
    [
        (5, 15, "room", ""),
        (14, 15, "room", ""),
        (15, 15, "no room", "best is not above zero-shot"),
        (16, 15, "no room", "best is not above zero-shot"),
        (5, 6, "no room", "nothing is above chance"),
        (6, 5, "no room", "best is not above zero-shot; nothing is above chance"),
    ],
)
def test_the_rule(plain: int, best: int, verdict: str, reason: str) -> None:
    room = one(zero_shot(plain), measurement(right=best, of=20))
    assert (room.verdict, room.reason) == (verdict, reason)
    assert room.gain == pytest.approx((best - plain) / 20)


def test_the_lower_end_at_chance_is_not_above_it() -> None:
    best = measurement(right=15, of=20)
    at = measurement(right=15, of=20, chance=best.low)
    assert one(zero_shot(0, chance=best.low), at).reason == "nothing is above chance"
    below = best.low - 1e-6
    assert one(zero_shot(0, chance=below), measurement(right=15, of=20, chance=below)).verdict == "room"


def test_where_chance_is_unknown_one_right_answer_is_above_it() -> None:
    assert one(zero_shot(0, chance=None), measurement(right=0, of=20, chance=None)).verdict == "no room"
    assert one(zero_shot(0, chance=None), measurement(right=1, of=20, chance=None)).verdict == "room"


def test_a_control_is_never_the_best_and_lifts_nothing_above_chance() -> None:
    control = measurement(method="ngrams", right=20, of=20)
    room = one(zero_shot(5), measurement(right=6, of=20), control)
    assert room.verdict == "no room" and room.reason == "nothing is above chance"
    assert room.best is not None and room.best.recipe.startswith("iid_sft") and room.recipes == 1
    assert room.control is not None and room.control.score == 1.0


def test_the_control_is_the_best_one_at_the_budget_of_the_best_recipe() -> None:
    controls = [measurement(method="ngrams", right=right, of=20, examples=n) for n, right in ((4, 9), (16, 12))]
    room = one(zero_shot(5), measurement(right=18, of=20, examples=4), *controls)
    assert room.control is not None and room.control.score == 9 / 20
    between = one(zero_shot(5), measurement(right=18, of=20, examples=8), *controls).control
    assert between is not None and (between.score, between.examples) == (12 / 20, 16)
    assert one(zero_shot(5), measurement(right=18, of=20, examples=17), *controls).control is None


def test_measures_of_wording_are_no_recipe() -> None:
    spread = measurement(method="prompt_eval", right=20, of=20, examples=0)
    assert one(zero_shot(5), measurement(right=5, of=20), spread).verdict == "no room"


def test_zero_shot_in_other_words_is_a_recipe() -> None:
    other = measurement(method="zero_shot", settings={"phrase": "tip"}, right=15, of=20, examples=0)
    room = one(zero_shot(5), other)
    assert room.verdict == "room" and room.best is not None and room.best.recipe == "zero_shot phrase=tip"


def test_of_equal_scores_the_cheapest_is_the_best() -> None:
    costs = {16: Spend(labelled_examples=16), 4: Spend(labelled_examples=4, train_flops=1e9)}
    runs = [measurement(right=15, of=20, examples=n, spend=spend) for n, spend in costs.items()]
    for given in (runs, runs[::-1]):
        best = one(zero_shot(5), *given).best
        assert best is not None and best.labelled_examples == 4 and best.elicitation_flops == 1e9


def test_scores_that_differ_by_rounding_are_equal() -> None:
    tenths = [0.1, 0.2, 0.3]
    assert sum(tenths) != sum(tenths[::-1])
    best = measurement(right=tenths)
    plain = measurement(method="zero_shot", right=tenths[::-1], examples=0)
    assert "best is not above zero-shot" in one(plain, best).reason


def test_what_failed_leaves_the_verdict_unknown() -> None:
    assert one(zero_shot(5)).reason == "no recipe but zero-shot has a score"
    alone = one(measurement(right=20, of=20))
    assert alone.verdict == "unknown" and alone.reason == "zero-shot has no score" and alone.gain is None
    controlled = one(zero_shot(5), measurement(method="ngrams", right=20, of=20))
    assert controlled.verdict == "unknown"


def test_the_largest_gain_is_first_and_what_is_unknown_last() -> None:
    measured = [measurement(right=20, of=20, task="alone")]
    for task, gain in (("a", 1), ("b", 9), ("c", -3)):
        measured += [zero_shot(5, task=task), measurement(right=5 + gain, of=20, task=task)]
    assert [each.task for each in rooms(pool(measured))] == ["b", "a", "c", "alone"]


def test_tasks_with_room_for_a_model_are_ordered_by_the_sum_of_gains() -> None:
    """What one model loses counts, too; a task without room for any model is left out, however it is ordered."""
    gains = {"a": (8, 0), "b": (5, 5), "c": (10, -5), "d": (0, -1), "e": (5, 5)}
    measured = []
    for task, models in gains.items():
        for model, gain in zip(("small", "big"), models, strict=True):
            named = {"task": task, "model": model}
            measured += [zero_shot(8, **named), measurement(right=8 + gain, of=20, **named)]  # type: ignore[arg-type]
    assert with_room(rooms(pool(measured))) == ["b", "e", "a", "c"]
