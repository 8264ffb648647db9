"""Claims about whole curves: robustness, what was not elicited, how soon a method gives what it can."""

import math

import numpy as np
import pytest

from educe.data.errors import UserError
from educe.eval.analysis.claims.budgets import not_elicited, robust, within_ceiling
from educe.eval.analysis.claims.fitted import elicited_by
from educe.eval.analysis.conditions import item_scores, pool
from educe.eval.analysis.curves import join
from educe.eval.analysis.fit import fit
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.power import min_significant_difference
from educe.eval.spend import Spend
from tests.eval.analysis.claims.claiming import claimed, condition, drawn, refused, study
from tests.eval.synthetic import measurement


def test_robust_to_a_recipe_that_gains_nothing() -> None:
    curve, plain = study(498, 503, 500)
    made = claimed(robust(curve, plain, margin=0.05))
    assert "robust to 6.40e13 FLOPs of iid_sft (64 labelled examples): at each of 3 budgets" in str(made)
    assert made.numbers["power"] >= 0.9 and made.numbers["upper"] < 0.05
    assert "a gain of 5 points would have been detected with probability more than 0.99" in str(made)
    assert "1.60e13 FLOPs" in str(claimed(robust(curve, plain, margin=0.05, flops=1.6e13)))


def test_no_more_flops_are_named_than_were_tested() -> None:
    curve, plain = study(498, 503, 500)
    made = (robust(curve, plain, margin=0.05, flops=5e13), not_elicited(curve, plain, target=0.9, flops=5e13))
    assert all("1.60e13 FLOPs of iid_sft (16 labelled examples)" in str(claimed(each)) for each in made)
    assert all("5.00e13" not in str(each) for each in made)


def test_every_bound_is_corrected_for_the_budgets_looked_at() -> None:
    curve, plain = study(498, 503, 500)
    (theirs,), _ = item_scores(plain.measurements)
    sides = [item_scores(point.condition.measurements)[0][0] for point in curve.points]
    for comparisons, level in ((None, 1 - 2 * 0.05 / 3), (12, 1 - 2 * 0.05 / 12)):
        made = claimed(robust(curve, plain, margin=0.07, power=0.5, comparisons=comparisons))
        highs = [paired_difference(side, theirs, level=level).high for side in sides]
        assert made.numbers["upper"] == pytest.approx(max(highs))
        short = claimed(not_elicited(curve, plain, target=0.9, comparisons=comparisons))
        assert short.numbers["missing"] == pytest.approx(0.9 - score_interval(sides[1][0], level=level).high)


def test_robustness_is_refused_where_the_data_do_not_carry_it() -> None:
    curve, plain = study(500, 560)
    assert "16 labelled examples gains +6.0" in refused(robust(curve, plain, margin=0.05))
    claimed(robust(curve, plain, margin=0.05, flops=4e12))
    assert "measured up to 1.60e13 FLOPs" in refused(robust(curve, plain, margin=0.05, flops=1e15))
    assert "no budget was measured up to this cost" in refused(robust(curve, plain, margin=0.05, flops=1.0))
    assert "zero-shot was not measured" in refused(robust(curve, None, margin=0.05))
    harmed, plain = study(500, 300)
    assert "does harm" in refused(robust(harmed, plain, margin=0.05))
    full, plain = study(970, 970, plain=970)
    assert "a gain of this size is not possible" in refused(robust(full, plain, margin=0.05))


def test_a_gain_that_is_not_excluded_is_one_that_is_possible() -> None:
    few = refused(robust(*study(9, of=10, plain=9), margin=0.05))
    assert few.endswith("gains +0.0 points, and not even the largest possible gain, +10.0 points, is excluded.")


def test_a_small_study_lacks_the_power_and_says_how_large_it_would_have_to_be() -> None:
    curve, plain = study(20, of=40, plain=20)
    made = robust(curve, plain, margin=0.2)
    text = refused(made)
    assert "would have been detected with probability" in text and made.numbers["power"] < 0.9
    # No item differs, so the variance is that of the gain itself: (1.96 + 1.28)^2 * 0.2 * 0.8 / 0.2^2 = 42.03 items,
    # and what Agresti & Min's two pseudo-items cost: 46 can tell 12.3 points from 0, 1.28 standard errors below 20.
    assert made.numbers["needed"] == 46 and "a power of 0.9 takes about 46 items" in text
    assert (
        0.2 - min_significant_difference(46.0, 0.16)
        > 1.28 * math.sqrt(0.16 / 46)
        > 0.2 - min_significant_difference(45.0, 0.16)
    )
    claimed(robust(*study(23, of=46, plain=23), margin=0.2))


def test_seeds_that_disagree_are_not_outweighed_by_items() -> None:
    curve, plain = study(500, seeds=3, jitter=150)
    # 35, 50 and 65%: a standard error of 8.7 points whatever the items, and one tail takes 2.9 of them (t, 2 degrees).
    upper = 2.92 * 0.15 / 3**0.5
    assert f"a gain of +{100 * upper:.1f} points is not excluded" in refused(robust(curve, plain, margin=0.25))
    made = robust(curve, plain, margin=0.35)
    assert "a power of 0.9 takes more seeds, not items" in refused(made)
    assert made.numbers["upper"] == pytest.approx(upper, abs=0.003)


def test_a_fitted_curve_says_how_many_examples_are_enough() -> None:
    curve, _ = study(500, 780, 850, 868, 872)
    made = claimed(elicited_by(curve, fit(curve), within=0.02))
    low, examples, high = (made.numbers[name] for name in ("low", "examples", "high"))
    assert 16 < low < examples < high < 1024
    assert f"with {examples:,.0f} [{low:,.0f}, {high:,.0f}] labelled examples (95% interval; power law" in str(made)
    rising, _ = study(500, 600, 690, 770)
    assert "its ceiling, " in refused(elicited_by(rising, fit(rising), within=0.02))
    flat, _ = study(500, 500, 500)
    assert "flat: it does not rise beyond" in refused(elicited_by(flat, fit(flat), within=0.02))
    short, _ = study(500, 600)
    assert "a fit needs three budgets" in refused(elicited_by(short, fit(short), within=0.02))


def test_not_elicited_to_a_threshold() -> None:
    curve, plain = study(510, 520)
    made = claimed(not_elicited(curve, plain, target=0.9))
    assert "was not elicited to 90% by 1.60e13 FLOPs of iid_sft (16 labelled examples) with 95% confidence" in str(made)
    assert "it scores below that, at most 52%" in str(made)
    assert "a gain of 40 points would have been detected" in str(made)
    assert "distinguish from the target" in refused(not_elicited(curve, plain, target=0.54))
    assert "zero-shot already scores 50%" in refused(not_elicited(curve, plain, target=0.5))
    assert "does harm" in refused(not_elicited(study(500, 300)[0], plain, target=0.9))
    with pytest.raises(UserError, match=r"target = 1\.5 is not between 0 and 1"):
        not_elicited(curve, plain, target=1.5)


def test_not_elicited_to_within_a_ceiling() -> None:
    curve, plain = study(510, 520)
    best = condition(900, 1000, method="full_fine_tune", examples=256)
    made = claimed(not_elicited(curve, plain, target=best, within=0.05))
    assert "to within 5 points of full_fine_tune with 256 labelled examples (90%)" in str(made)
    assert made.numbers["goal"] == pytest.approx(0.85)
    near = condition(560, 1000, method="full_fine_tune", examples=256)
    assert "distinguish from the target" in refused(not_elicited(curve, plain, target=near, within=0.05))
    low = condition(10, 1000, method="full_fine_tune", examples=256)
    assert "already scores 50%" in refused(not_elicited(curve, plain, target=low, within=0.05))


def test_elicited_to_within_its_ceiling_by_the_first_budget_that_stays_there() -> None:
    curve, plain = study(600, 880, 895, 900)
    made = claimed(within_ceiling(curve, plain, within=0.05))
    assert made.numbers["examples"] == 16 and "ceiling" not in str(made)
    shown = "of the score of iid_sft at its largest budget (256 labelled examples) with 16 labelled examples"
    assert shown in str(made)
    # A budget that was near by chance counts for nothing where a larger one falls back.
    assert claimed(within_ceiling(study(895, 600, 895, 900)[0], plain, within=0.05)).numbers["examples"] == 64
    assert "may score up to 22 points less" in refused(within_ceiling(study(600, 700, 900)[0], plain, within=0.05))
    assert "one budget only" in refused(within_ceiling(study(900)[0], plain, within=0.05))
    assert "+0.0 points over zero-shot, is not significant" in refused(
        within_ceiling(study(500, 500)[0], plain, within=0.05)
    )


@pytest.mark.slow
def test_a_false_claim_of_robustness_is_rare() -> None:
    """200 studies in which one of two budgets gains the margin itself: robust in 5% of them at most."""
    rng = np.random.default_rng(8)
    made = 0
    for _ in range(200):
        chances = rng.uniform(0.2, 0.7, 400)
        cells = [measurement(method="zero_shot", examples=0, right=drawn(rng, chances))]
        for examples, gain in ((4, 0.0), (16, 0.15)):
            spend = Spend(labelled_examples=examples, train_flops=1e12 * examples)
            cells.append(measurement(right=drawn(rng, chances + gain), examples=examples, spend=spend))
        plain, *tuned = pool(cells)
        made += robust(join(tuned, "examples")[0], plain, margin=0.15, power=0.5).holds
    assert made <= 16
