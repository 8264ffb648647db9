"""Excess description length over seeds: against numbers worked by hand and simulated runs whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from educe.eval.analysis.bits import description_lengths, excess
from educe.eval.analysis.conditions import pool
from educe.eval.details import Details, LabelBits
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement


def bits(edl, *, floor=0.5, error=0.0, df=63.0):
    return LabelBits(
        mdl_bits=edl + 64 * floor,
        edl_bits=edl,
        floor_bits_per_example=floor,
        floor_examples=64,
        floor_error=error,
        floor_df=df,
    )


def test_three_seeds_have_the_t_interval_of_their_mean():
    """6.4, 12.8 and 19.2 bits on 64 rows are 0.1, 0.2, 0.3 a row: sd 0.1, error 0.1 / sqrt(3), t of two df 4.3027."""
    found = excess([bits(6.4), bits(12.8), bits(19.2)], per=64, examples=64)
    assert found.value == pytest.approx(0.2)
    assert found.high - found.value == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    per_parameter = excess([bits(6.4), bits(12.8), bits(19.2)], per=1000, examples=64)
    assert per_parameter.value == pytest.approx(12.8 / 1000)
    assert per_parameter.low == pytest.approx(found.low * 64 / 1000)


def test_two_seeds_speak_of_held_out_examples_alone():
    found = excess([bits(6.4, error=0.05), bits(192.0, error=0.05)], per=64, examples=64)
    assert found.kind == "t over held-out examples 95%"
    assert found.high - found.value == pytest.approx(1.9983 * 0.05, rel=1e-4)  # t of 63 degrees of freedom
    assert excess([bits(1.0)] * 3, per=64, examples=64).kind == "t over seeds and held-out examples 95%"


def test_a_floor_of_unknown_error_has_no_interval():
    unknown = replace(bits(6.4), floor_error=None, floor_df=None)
    found = excess([bits(6.4), bits(6.4), unknown], per=64, examples=64)
    assert (found.low, found.high) == (-math.inf, math.inf) and found.value == pytest.approx(0.1)


@pytest.mark.parametrize(("of_seeds", "of_floor"), [(0.1, 0.02), (0.1, 0.1), (0.02, 0.1)])
def test_intervals_hold_the_mean_over_seeds_and_held_out_examples(of_seeds, of_floor):
    """All seeds share the error of the floor. With 95% promised, 2,000 studies are good to half a point."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(2_000):
        shared = of_floor * rng.standard_normal()
        runs = [bits(64 * (0.3 + shared + of_seeds * rng.standard_normal()), error=of_floor) for _ in range(5)]
        found = excess(runs, per=64, examples=64)
        held += found.low <= 0.3 <= found.high
    assert held / 2_000 >= 0.95 - 3 * (0.95 * 0.05 / 2_000) ** 0.5


def test_a_condition_has_its_mean_over_seeds_and_a_floor_above_a_guess_is_named():
    made = [
        measurement(
            seed=seed,
            chance=0.5,
            examples=64,
            spend=Spend(trainable_parameters=1000),
            details=Details(label_bits=bits(edl, floor=floor, error=0.1)),
        )
        for seed, (edl, floor) in enumerate(((6.4, 1.1), (12.8, 1.1)))
    ]
    (found,) = description_lengths(pool([*made, measurement(method="zero_shot", examples=0)]))
    assert (found.edl, found.per_example.value) == pytest.approx((9.6, 0.15))
    assert found.per_parameter.value == pytest.approx(9.6 / 1000)
    assert not found.floor_above_guess  # 1.1 bits are within two errors of one bit
    sure = [replace(each, details=Details(label_bits=bits(0.0, floor=1.5, error=0.1))) for each in made]
    assert description_lengths(pool(sure))[0].floor_above_guess
