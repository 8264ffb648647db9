"""What wrong demonstrations cost: a copier loses, who ignores them does not, and pairs are of the same rows."""

from typing import Any

import numpy as np

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.prompt_errors import error_costs
from educe.eval.measurement import Measurement
from tests.eval.synthetic import measurement

SEEDS, ITEMS = 5, 100


def shown(rate: float, *, wrong: float, method: str = "wrong_shots", seed: int = 0, **more: Any) -> list[Measurement]:
    rng = np.random.default_rng(seed)
    settings = {"shots": 8, "wrong": wrong, "errors": "mistake", **more}
    if method == "stacked":
        settings = {"train": {"iid_sft": {}}, "prompt": {"wrong_shots": settings}}
    return [
        measurement(
            right=[float(value < rate) for value in rng.uniform(size=ITEMS)],
            method=method,
            settings=settings,
            examples=64 if method == "stacked" else 8,
            seed=run,
        )
        for run in range(SEEDS)
    ]


def test_a_copier_loses_and_a_model_that_ignores_errors_does_not() -> None:
    made = [*shown(0.8, wrong=0), *shown(0.2, wrong=1.0, seed=1), *shown(0.8, wrong=0.5)]
    found = {each.wrong: each for each in error_costs(pool(made))}
    assert set(found) == {0.5, 1.0} and found[1.0].change.high < -0.4
    assert found[0.5].change.difference == 0 and found[0.5].clean.score == found[0.5].condition.score


def test_pairs_are_of_one_recipe_and_the_right_ones_serve_every_kind_of_error() -> None:
    made = [*shown(0.8, wrong=0), *shown(0.3, wrong=1.0, errors="random", seed=1), *shown(0.3, wrong=1.0, shots=4)]
    (found,) = error_costs(pool(made))
    assert found.errors == "random", "four shots have no partner with four right ones"
    stacked = [*shown(0.9, wrong=0, method="stacked"), *shown(0.7, wrong=1.0, method="stacked", seed=2)]
    after = [each for each in error_costs(pool([*made, *stacked])) if each.condition.method == "stacked"]
    assert len(after) == 1 and after[0].clean.method == "stacked"
    assert error_costs(pool(shown(0.3, wrong=1.0))) == []
