"""Verdicts on gains whose truth is known: never the other side, and undetermined where nothing tells."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.verdicts import LEVEL, Verdict, verdicts
from educe.eval.measurement import Measurement
from tests.benchmarks.verdicts import FLAT, RISING, SEEDS, WORLDS, World, answers, draw

LOCK = next(world for world in WORLDS if world.name == "a lock that opens at once")
TAUGHT = World(
    name="rows teach plainly",
    truth="taught",
    plain=0.25,
    curve={4: 0.26, 16: 0.4, 64: 0.7, 256: 0.95},
    scratch={4: 0.26, 16: 0.4, 64: 0.7, 256: 0.95},
)


def drawn(world: World, seed: int = 0) -> list[Measurement]:
    return draw(np.random.default_rng(seed), world)


def verdict(world: World, seed: int = 0) -> Verdict:
    (found,) = verdicts(pool(drawn(world, seed)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_what_was_there_is_elicited_and_what_was_not_is_taught(seed: int) -> None:
    assert verdict(LOCK, seed).answer == "elicited" and verdict(TAUGHT, seed).answer == "taught"


@pytest.mark.slow
@pytest.mark.parametrize(
    "world", [each for each in WORLDS if not each.name.startswith("deceived")], ids=lambda w: w.name
)
def test_no_world_is_called_the_other_side(world: World) -> None:
    """The benchmark counts 100 studies of each."""
    counted = answers(world, studies=8)
    other = {"elicited": "taught", "taught": "elicited"}.get(world.truth)
    assert other is None or counted[other] == 0
    if world.truth in ("no gain shown", "not known"):
        assert counted["elicited"] + counted["taught"] <= 1


def test_where_the_rule_ends() -> None:
    """It says so in its docstring: what else a model knows may make it learn at once what it did not know."""
    deceived = [each for each in WORLDS if each.name.startswith("deceived")]
    assert [each.truth for each in deceived] == ["taught", "elicited"]
    assert answers(deceived[0], studies=4)["elicited"] == 4


def test_each_test_has_its_own_evidence() -> None:
    found = {each.test: each for each in verdict(LOCK).evidence}
    assert set(found) == {"early", "untold", "late", "by the rows alone"} and verdict(LOCK).missing == ("weak",)
    assert found["early"].p < LEVEL / 2 < found["untold"].p and found["early"].margin > 0 > found["late"].margin
    form = verdict(replace(LOCK, curve={4: 0.3, 16: 0.4, 64: 0.7, 256: 0.72}, random_labels=0.7))
    assert form.answer == "elicited" and form.holds("untold") and not form.holds("early")
    weak = verdict(next(world for world in WORLDS if world.name == "weak labels"))
    assert weak.holds("weak") and not weak.holds("early")


def test_labels_that_can_be_cleaned_are_no_evidence() -> None:
    """Training on labels of which half are right beats them, because the rows teach the rule."""
    found = verdict(replace(TAUGHT, weak=(0.5, 0.8)))
    (shown,) = [each for each in found.evidence if each.test == "weak"]
    assert shown.p > 0.5 and found.answer == "taught"


def test_random_labels_that_only_reach_chance_are_no_evidence() -> None:
    """From below chance: training on random labels gains 20 points, and knows nothing."""
    below = replace(TAUGHT, plain=0.05, random_labels=0.25)
    assert verdict(below).answer == "taught" and not verdict(below).holds("untold")
    assert verdict(below).floor == 0.25


def test_a_gain_that_reaches_chance_is_none() -> None:
    assert verdict(replace(LOCK, plain=0.05, curve=dict.fromkeys(RISING, 0.25))).answer == "no gain shown"


def test_without_a_learner_from_scratch_there_is_no_verdict() -> None:
    found = [each for each in drawn(LOCK) if each.method != "ngrams"]
    assert verdicts(pool(found)) == []
    assert verdicts(pool([each for each in drawn(LOCK) if each.method != "zero_shot"])) == []


def test_fewer_seeds_than_a_test_takes_are_undetermined() -> None:
    (found,) = verdicts(pool([each for each in drawn(LOCK) if each.seed < SEEDS - 1]))
    assert found.answer == "undetermined" and found.why == "4 of the 5 seeds that a test takes" and found.gain is None


def test_without_a_small_budget_it_says_what_is_missing() -> None:
    found = verdict(replace(LOCK, curve={64: 0.8, 256: 0.85}, scratch=FLAT, random_labels=None))
    assert found.answer == "undetermined" and found.why.endswith("no budget of 8 rows or more is 1/16 of the largest")
    assert found.missing == ("early", "untold", "weak", "late")


def test_a_few_rows_that_open_no_lock_do_not_show_that_a_gain_comes_late() -> None:
    """Two rows of 32 elicit nothing, and learners from scratch follow: it was a lock, on what rows teach."""
    curve = {2: 0.25, 32: 0.95}
    found = verdict(replace(TAUGHT, curve=curve, scratch=curve))
    assert found.answer == "undetermined" and "late" in found.missing


def test_controls_with_other_settings_or_at_another_budget_say_nothing() -> None:
    cells = drawn(replace(LOCK, random_labels=0.84))

    def changed(**values: Any) -> Verdict:
        made = [replace(each, **values) if each.settings.get("random_labels") else each for each in cells]
        (found,) = [each for each in verdicts(pool(made)) if each.condition.settings == "{}"]
        return found

    assert changed().holds("untold")
    assert "untold" in changed(settings={"random_labels": 1.0, "rank": 4}).missing
    assert "untold" in changed(examples=64).missing


def test_a_chain_with_a_stage_on_weak_labels_has_no_verdict() -> None:
    stages = {"stages": [{"iid_sft": {"labels_from": "tiny-random"}}, {"grpo": {}}]}
    trained = [each for each in drawn(LOCK) if each.method == "iid_sft" and not each.settings]
    chain = [replace(each, method="chain", settings=stages) for each in trained]
    judged = {each.condition.method for each in verdicts(pool([*drawn(LOCK), *chain]))}
    assert trained and judged == {"iid_sft"}
