"""Claims about gains: p values by hand, what is refused and why, and worlds that made the old claims false."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from educe.data.errors import UserError
from educe.eval.analysis.claims.claim import Refused, left_open
from educe.eval.analysis.claims.gains import Lifted, gain, not_elicited, robust, within_ceiling
from educe.eval.analysis.claims.runs import p_not_above, run_differences
from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.curves import join
from educe.eval.measurement import Measurement, Outcome, Outcomes
from tests.eval.analysis.claims.claiming import cells, claimed, clustered, condition, refused, scattered, study
from tests.eval.synthetic import measurement

LIFTED = Lifted(condition(90, model="big"), p=1e-9)  # what the same recipe lifted


def lifts(tested: Condition) -> Lifted | None:
    return LIFTED


def lifts_nothing(tested: Condition) -> Lifted | None:
    return None


def test_a_gain_is_the_sign_test_of_the_run_with_the_least() -> None:
    curve, plain = study([640, 560, 700, 650, 620])
    tested = curve.points[0].condition
    ps = []
    for run in tested.measurements:
        differences = run.outcomes.scores - plain.measurements[0].outcomes.scores
        above, below = int((differences > 0).sum()), int((differences < 0).sum())
        ps.append(binomtest(above, above + below, alternative="greater").pvalue)
    made = claimed(gain(tested, plain))
    assert made.numbers["p"] == pytest.approx(max(ps)) and max(ps) == ps[1] < 0.05
    assert "scores above zero_shot in each of 5 runs: +6.0 to +20.0 points" in str(made)
    assert "Up to 46% of other seeds may do otherwise." in str(made)  # 1 - 0.05^(1/5), rounded up
    assert refused(gain(tested, plain), alpha=max(ps) / 2).cause == "not supported"


def test_one_run_that_gains_nothing_is_enough_to_refuse() -> None:
    curve, plain = study([800, 800, 500, 800, 800])
    assert "the difference is +0.0 to +30.0 points" in str(refused(gain(curve.points[0].condition, plain)))


def test_one_run_speaks_of_itself() -> None:
    curve, plain = study(700, seeds=1)
    made = str(claimed(gain(curve.points[0].condition, plain)))
    assert "in its one run" in made and made.endswith("One run says nothing about other seeds.")
    assert left_open((plain,)) == ""  # zero-shot has no seed to change


def test_runs_of_one_seed_are_compared_with_each_other() -> None:
    rng = np.random.default_rng(1)
    shared = [scattered(right, 400, rng) for right in (100, 200, 300)]
    better = [[*one[:340], *([1.0] * 60)] for one in shared]
    sides = {"iid_sft": better, "few_shot": shared}
    a, b = pool(
        measurement(right=one, seed=seed, method=method, examples=8)
        for method, side in sides.items()
        for seed, one in enumerate(side)
    )
    runs = run_differences(a, b)
    assert all(not run.items[:340].any() for run in runs)  # the same seed, not the mean of all
    claimed(gain(a, b))


def test_graded_and_clustered_answers_have_a_t_test() -> None:
    rng = np.random.default_rng(2)
    (a, b) = pool(
        [clustered(rng.random(200) * 0.5 + low, 4, examples=examples) for low, examples in ((0.5, 4), (0.0, 8))]
    )
    (run,) = run_differences(a, b)
    assert not run.exact and run.found.df == pytest.approx(49)
    assert claimed(gain(a, b)).numbers["p"] == 1e-6  # an approximate tail is not believed beyond that


def test_robust_needs_five_runs_a_control_and_answers_that_changed() -> None:
    curve, plain = study(498, 503, 500, of=4000, plain=500)
    made = claimed(robust(curve, plain, margin=0.05, control=lifts))
    assert "gains less than 5 points over zero-shot with 6.40e13 FLOPs of iid_sft (64 labelled examples)" in str(made)
    assert "in each of 5 runs: measured -0.1 to +0.1 points at 3 budgets" in str(made)
    assert "the same recipe and budget lifts big on capitals" in str(made) and made.numbers["power"] >= 0.9
    three, plain = study(498, 503, 500, of=4000, plain=500, seeds=3)
    assert refused(robust(three, plain, margin=0.05, control=lifts)).cause == "too few runs"
    alone = refused(robust(curve, plain, margin=0.05, control=lifts_nothing))
    assert alone.cause == "no positive control" and "so it may lift nothing at all" in str(alone)


def test_an_adapter_that_was_never_applied_shows_nothing() -> None:
    """Before: "robust to 2.56e14 FLOP" from one seed whose every outcome equals plain prompting."""
    right = scattered(500, 4000, np.random.default_rng(3))
    same = [measurement(right=right, examples=4, seed=seed) for seed in range(5)]
    plain, tuned = pool([measurement(method="zero_shot", examples=0, right=right), *same])
    (curve,) = join([tuned], "examples")
    assert "may not have been applied" in str(refused(robust(curve, plain, margin=0.05, control=lifts)))
    # One near tie of one run that flips changes nothing of that: before, it was enough for the claim.
    (tuned,) = pool([*same[:4], measurement(right=[1 - right[0], *right[1:]], examples=4, seed=4)])
    (curve,) = join([tuned], "examples")
    assert "may not have been applied" in str(refused(robust(curve, plain, margin=0.05, control=lifts)))


@pytest.mark.parametrize(("moved", "holds"), [(0.0, False), (0.001, False), (0.1, True)])
def test_log_likelihoods_tell_whether_an_adapter_was_applied(moved: float, holds: bool) -> None:
    rng = np.random.default_rng(5)
    likelihoods = rng.normal(-3, 1, (4000, 2))

    def run(seed: int, by: float, **named: Any) -> Measurement:
        # Near ties flip by noise, so right and wrong answers alone cannot tell.
        shifted = likelihoods + by * rng.normal(size=likelihoods.shape)
        outcomes = Outcomes.of(
            Outcome(id=f"item-{i}", score=float(a > b), answer="a", loglikelihoods=(a, b), option_tokens=(1, 1))
            for i, (a, b) in enumerate(shifted.tolist())
        )
        score = float(outcomes.scores.mean())
        return measurement(outcomes=outcomes, n=4000, score=score, seed=seed, **named)

    plain, tuned = pool([run(0, 0.0, method="zero_shot", examples=0), *(run(seed, moved + 1e-4) for seed in range(5))])
    (curve,) = join([tuned], "examples")
    made = robust(curve, plain, margin=0.05, control=lifts)
    assert not isinstance(made, Refused) if holds else "may not have been applied" in str(refused(made))


def test_no_robustness_beside_one_run_that_jumps() -> None:
    curve, plain = study([500, 500, 500, 500, 900], of=4000)
    assert "its runs gain +0.0 to +10.0 points" in str(refused(robust(curve, plain, margin=0.05, control=lifts)))


def test_robustness_is_refused_where_the_data_do_not_carry_it() -> None:
    curve, plain = study(2000, 2240, of=4000, plain=2000)
    assert "+6.0 points" in str(refused(robust(curve, plain, margin=0.05, control=lifts)))
    claimed(robust(curve, plain, margin=0.05, flops=4e12, control=lifts))
    assert "measured up to 1.60e13 FLOPs" in str(refused(robust(curve, plain, margin=0.05, flops=1e15, control=lifts)))
    assert "no budget was measured up to" in str(refused(robust(curve, plain, margin=0.05, flops=1.0, control=lifts)))
    assert "zero-shot was not measured" in str(refused(robust(curve, None, margin=0.05, control=lifts)))
    harmed, plain = study(2000, 1000, of=4000, plain=3000)
    assert "does harm" in str(refused(robust(harmed, plain, margin=0.05, control=lifts)))
    # Before: only where every run at every budget was below zero-shot.
    diverged, plain = study(2004, 2004, 2004, [2004, 2004, 2004, 2004, 0], of=4000, plain=2000)
    assert "does harm" in str(refused(robust(diverged, plain, margin=0.05, control=lifts)))
    assert "does harm" in str(refused(not_elicited(diverged, plain, target=0.9, control=lifts)))
    full, plain = study(970, 970, plain=970)
    assert "a gain of this size is not possible" in str(refused(robust(full, plain, margin=0.05, control=lifts)))
    few = refused(robust(*study(20, of=40, plain=20), margin=0.2, control=lifts))
    assert "a power of 0.9 takes about" in str(few) and few.numbers["needed"] > 40
    with pytest.raises(UserError, match=r"margin = 1\.5 is not between 0 and 1"):
        robust(curve, plain, margin=1.5, control=lifts)


def test_not_elicited_to_a_score() -> None:
    curve, plain = study(510, 520)
    made = claimed(not_elicited(curve, plain, target=0.9, control=lifts))
    assert "was not elicited to 90% with 1.60e13 FLOPs of iid_sft (16 labelled examples) in each of 5 runs" in str(made)
    assert "measured 51% to 52%" in str(made) and "a gain of 40 points would have been detected" in str(made)
    assert "its runs score 51% to 52%" in str(
        refused(not_elicited(curve, plain, target=0.54, control=lifts, power=0.1))
    )
    assert "zero-shot already scores 50%" in str(refused(not_elicited(curve, plain, target=0.5, control=lifts)))
    with pytest.raises(UserError, match=r"target = 1\.5 is not between 0 and 1"):
        not_elicited(curve, plain, target=1.5, control=lifts)


def test_a_budget_is_enough_if_every_larger_one_is() -> None:
    curve, plain = study(600, 890, 895, 900, of=1000)
    made = claimed(within_ceiling(curve, plain, within=0.08))
    assert made.numbers["examples"] == 16
    assert "comes within 8 points of its score at iid_sft with 256 labelled examples from iid_sft with 16" in str(made)
    fallen, plain = study(895, 600, 895, 900)
    assert claimed(within_ceiling(fallen, plain, within=0.08)).numbers["examples"] == 64
    far, plain = study(600, 700, 900)
    assert "misses +20.0 points" in str(refused(within_ceiling(far, plain, within=0.08)))
    assert "one budget only" in str(refused(within_ceiling(study(900)[0], plain, within=0.08)))
    flat, plain = study(500, 500)
    assert "the largest budget gains +0.0 points" in str(refused(within_ceiling(flat, plain, within=0.1)))


def test_conditions_that_share_no_item_are_not_compared() -> None:
    (plain,) = pool(cells(of=100, plain=50))
    others = Outcomes.of(Outcome(id=f"other-{place}", score=1.0, answer="a") for place in range(100))
    (far,) = pool([measurement(outcomes=others, n=100)])
    assert "with 4 labelled examples and zero_shot share no test item" in str(refused(gain(far, plain)))


def test_items_and_runs_are_those_that_were_compared() -> None:
    """Before: 1,000 items were quoted where 20 were compared, and runs without a partner met a mean of others."""
    (plain,) = pool([measurement(method="zero_shot", examples=0, right=2, of=20)])
    (tuned,) = pool([measurement(right=900, of=1000)])
    assert str(claimed(gain(tuned, plain))).count("20 items") == 1
    runs = [measurement(right=60, of=100, seed=seed) for seed in range(5)]
    others = [measurement(right=right, of=100, seed=5 + seed, method="few_shot") for seed, right in enumerate((90, 40))]
    (tuned, shots) = pool([*runs, *others])
    assert "few_shot was not run with seed 0" in str(refused(gain(tuned, shots)))
    (seedless,) = pool([measurement(method="zero_shot", examples=0, right=70, of=100)])
    assert "-20.0 to +30.0 points" in str(refused(gain(seedless, shots)))


def test_p_values_of_no_gain_hold_far_below_five_percent_where_answers_change_one_way() -> None:
    """Before: Student's t alone gave a p value of 5e-4 five times too often (500 items, margin of 5 points)."""
    n, margin = 500, 0.05
    counts, chances = np.arange(n + 1), binom.pmf(np.arange(n + 1), n, margin)
    for level in (0.05, 5e-3, 5e-4, 1e-4):
        rejected = [p_not_above(n, int(count), 0, margin) <= level for count in counts]
        assert chances @ rejected <= level


@pytest.mark.parametrize("lost", [0.02, 0.3])
def test_the_exact_p_value_of_no_gain_holds_where_answers_change_both_ways(lost: float) -> None:
    n, margin = 60, 0.1
    for level in (0.05, 5e-3):
        size = sum(
            binom.pmf(below, n, lost) * binom.pmf(above, n - below, (margin + lost) / (1 - lost))
            for below in range(n + 1)
            for above in range(n - below + 1)
            if p_not_above(n, above, below, margin) <= level
        )
        assert size <= level


@pytest.mark.parametrize("shape", ["late jump", "fall", "fit as large as the data"])
def test_no_ceiling_but_a_measured_one(shape: str) -> None:
    """Before: 37, 95, 89, 82% at 4 to 256 was "within 2 points of the ceiling of its fitted curve, 88.5%"."""
    rights = {
        "late jump": (150, 150, 150, 270),
        "fall": (285, 270, 250, 240),
        "fit as large as the data": (111, 285, 267, 246),
    }
    curve, plain = study(*rights[shape], of=300, plain=110, seeds=1)
    made = refused(within_ceiling(curve, plain, within=0.02))
    assert "fitted" not in str(made) and ("the curve falls" in str(made)) == (shape != "late jump")
