"""Shares of a gain that another task's rows give, where the truth is known, and where nothing can be said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special

from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.transfer import transfers
from educe.eval.measurement import Measurement, Outcomes
from tests.eval.synthetic import measurement

SEEDS, ITEMS = 5, 200
ROWS = {"rows_from": "harder"}


def cells(
    rng: np.random.Generator, rate: float, settings: Mapping[str, Any], *, examples: int = 64, seeds: int = SEEDS
) -> list[Measurement]:
    """Answers that are right at this rate, whose difficulty the items share with every other recipe."""
    method = "iid_sft" if examples else "zero_shot"
    hard = np.random.default_rng(7).uniform(size=ITEMS)  # the same items for everyone
    return [
        measurement(
            right=[float(value < rate + rng.normal(0, 0.05)) for value in hard],
            method=method,
            settings=settings,
            examples=examples,
            seed=seed,
            **({"role": "control"} if settings.get("random_labels") else {}),
        )
        for seed in range(seeds if examples else 1)
    ]


def study(seed: int, *, b: float, shuffled: float, a: float, plain: float = 0.2) -> tuple[Condition, ...]:
    rng = np.random.default_rng(seed)
    return pool(
        [
            *cells(rng, plain, {}, examples=0),
            *cells(rng, b, ROWS),
            *cells(rng, shuffled, {**ROWS, "random_labels": 1.0}),
            *cells(rng, a, {}),
        ]
    )


def test_the_share_is_that_of_the_truth() -> None:
    (found,) = transfers(study(0, b=0.6, shuffled=0.3, a=0.8))
    assert found.source == "harder" and found.share is not None
    assert found.share.share == pytest.approx((0.6 - 0.3) / (0.8 - 0.2), abs=0.08)
    assert found.share.low < 0.5 < found.share.high
    assert found.over_shuffled is not None and found.over_shuffled.difference == pytest.approx(0.3, abs=0.05)


def world(rng: np.random.Generator) -> tuple[Condition, ...]:
    """Other items, in clusters of one to six, and seeds that move the rate by 4 points."""
    sizes = rng.integers(1, 7, ITEMS)
    names = np.repeat([f"cluster {place}" for place in range(ITEMS)], sizes)[:ITEMS]
    ease = np.repeat(rng.normal(0, 1, ITEMS), sizes)[:ITEMS]
    hard = special.ndtr(0.6**0.5 * ease + 0.4**0.5 * rng.normal(size=ITEMS))
    told = {**ROWS, "random_labels": 1.0}
    made = []
    for rate, settings, examples in ((0.2, {}, 0), (0.6, ROWS, 64), (0.3, told, 64), (0.8, {}, 64)):
        for each in cells(rng, rate, settings, examples=examples):
            shift = rng.normal(0, 0.04) if examples else 0.0
            right = (hard + rng.normal(0, 0.1, ITEMS) < rate + shift).astype(float)
            answers = zip(each.outcomes, right, names, strict=True)
            outcomes = Outcomes.of(replace(one, score=float(score), cluster=name) for one, score, name in answers)
            made.append(replace(each, outcomes=outcomes, score=float(right.mean())))
    return pool(made)


@pytest.mark.slow
def test_the_interval_covers_the_share() -> None:
    """The truth is the mean over worlds, since the noise bends the rates a little."""
    found = [transfers(world(np.random.default_rng(seed)))[0].share for seed in range(200)]
    kept = [each for each in found if each is not None]
    truth = float(np.mean([each.share for each in kept]))
    assert len(kept) == 200 and 0.4 < truth < 0.6
    assert np.mean([each.low <= truth <= each.high for each in kept]) >= 0.93


def test_equal_answers_have_an_interval_all_the_same() -> None:
    """Runs that never disagree show no variance, which is no certainty."""
    right = [float(place < 30) for place in range(40)]
    wrong = [float(place < 10) for place in range(40)]
    told = {**ROWS, "random_labels": 1.0}
    made = [
        measurement(right=wrong, method="zero_shot", examples=0),
        measurement(right=right, settings=ROWS),
        measurement(right=wrong, settings=told, role="control"),
        measurement(right=right),
    ]
    (found,) = transfers(pool(made))
    assert found.share is not None and found.share.share == 1.0
    assert found.share.low < 0.9 and found.share.high > 1.0


def test_no_own_gain_has_no_share() -> None:
    (found,) = transfers(study(0, b=0.3, shuffled=0.2, a=0.2))
    assert found.share is None and found.own_gain is not None and found.own_gain.low <= 0


def without(conditions: Sequence[Condition], settings: str) -> list[Condition]:
    return [each for each in conditions if settings not in each.settings]


def test_controls_that_were_not_run_are_missing() -> None:
    whole = study(0, b=0.6, shuffled=0.3, a=0.8)
    (found,) = transfers(without(whole, "random_labels"))
    assert found.over_shuffled is None and found.share is None and found.gain.difference > 0.3
    assert transfers([each for each in whole if each.role != "zero_shot"]) == []
    assert transfers(without(whole, "rows_from")) == []


def test_the_tasks_own_rows_may_be_fewer() -> None:
    rng = np.random.default_rng(1)
    made = study(0, b=0.6, shuffled=0.3, a=0.8)
    larger = pool([*cells(rng, 0.7, ROWS, examples=256), *cells(rng, 0.9, {}, examples=16)])
    found = {each.condition.examples: each for each in transfers([*made, *larger])}
    own = found[256].own
    assert own is not None and own.examples == 64 and found[256].over_shuffled is None
    other = [replace(each, recipe="another") for each in cells(rng, 0.9, {"rank": 4})]
    (kept,) = [each for each in transfers([*study(0, b=0.6, shuffled=0.3, a=0.8), *pool(other)])]
    assert kept.own is not None and kept.own.settings == "{}"
