"""Comparisons in the report: marks that allow for the number of comparisons, effect sizes, the forest plot, power."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, pool
from educe.eval.analysis.formatting import format_p_value
from educe.eval.analysis.looks import Look, Looks
from educe.eval.analysis.primary import Known
from educe.eval.measurement import Measurement, Outcomes
from educe.eval.report.comparisons import (
    COMPARISON_COLUMNS,
    Comparison,
    compare_all,
    comparison_odds,
    comparison_table,
    missing_comparisons,
    power_statements,
    primary_table,
)
from educe.eval.report.forest import forest_figure
from educe.eval.report.page import write_report
from educe.eval.report.style import save
from educe.eval.report.tables import row_of
from tests.eval.synthetic import FAILED, measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def pairs_of(measurements: Sequence[Measurement]) -> list[list[Condition]]:
    return by_task_and_model(pool(measurements))


def made(**changed: Any) -> tuple[Comparison, ...]:
    plain = measurement(method="zero_shot", examples=0, right=[1.0] * 200 + [0.0] * 200)
    return compare_all(pairs_of([plain, measurement(**changed)]), compare)


def test_every_condition_is_compared_once_and_adjusted_over_all_of_the_study() -> None:
    found = compare_all(pairs_of(small_study()), compare)
    # Of each of four pairs: few-shot and two sizes against zero-shot, two sizes against few-shot.
    assert len(found) == 4 * 5
    first = found[0]
    assert first.gain == compare(first.condition, first.other)


def five_seeds() -> list[Measurement]:
    """Zero-shot and two recipes of five seeds on one model and task; the second is much better."""
    made = [measurement(method="zero_shot", examples=0, right=200, of=400)]
    for seed in range(5):
        made.append(measurement(method="few_shot", settings={"shots": 8}, examples=8, seed=seed, right=204, of=400))
        made += [measurement(examples=n, seed=seed, right=right + seed, of=400) for n, right in ((4, 199), (64, 300))]
    return made


PLAIN = Known("zero_shot", "zero_shot", 0)
TUNED = Known("iid_sft", "iid_sft", 64)
PROMPTED = Known("few_shot", "few_shot shots=8", 8)


def test_without_primary_comparisons_all_are_one_family() -> None:
    found = compare_all(pairs_of(five_seeds()))
    adjusted = multipletests([each.gain.p for each in found], method="holm")[1]
    assert [each.p_adjusted for each in found] == pytest.approx(list(adjusted))
    assert {(each.family, each.family_size) for each in found} == {("all", 5)}
    assert any(each.significant for each in found)


def test_primary_comparisons_are_corrected_alone_and_the_rest_is_exploratory() -> None:
    found = compare_all(pairs_of(five_seeds()), primary=[(TUNED, PLAIN), (TUNED, PROMPTED)])
    primary = [each for each in found if each.family == "primary"]
    assert [(each.against, each.condition.examples) for each in primary] == [("zero-shot", 64), ("few-shot", 64)]
    ps = [each.gain.p for each in primary]
    assert [each.p_adjusted for each in primary] == pytest.approx(list(multipletests(ps, method="holm")[1]))
    rest = [each for each in found if each.family == "exploratory"]
    ps = [each.gain.p for each in rest]
    assert [each.p_adjusted for each in rest] == pytest.approx(list(multipletests(ps, method="fdr_bh")[1]))
    assert (len(found), len(primary), len(rest)) == (5, 2, 3)
    # The primary ones have stars. What is as clear without being named has none.
    assert all(each.significant for each in primary)
    (clear,) = [each for each in compare_all(pairs_of(five_seeds()), primary=[(PROMPTED, PLAIN)])
                if each.condition.examples == 64 and each.against == "zero-shot"]  # fmt: skip
    assert clear.p_adjusted is not None and clear.p_adjusted < 0.01 and not clear.significant and "*" not in clear.mark


def test_a_primary_comparison_of_two_recipes_and_one_the_other_way_round() -> None:
    small = TUNED._replace(examples=4)
    found = compare_all(pairs_of(five_seeds()), primary=[(TUNED, small), (PLAIN, TUNED)])
    primary = {each.against: each for each in found if each.family == "primary"}
    other = primary["another recipe"]
    assert (other.condition.examples, other.other.examples) == (64, 4)
    assert primary["zero-shot"].condition.examples == 64 and primary["zero-shot"].gain.difference > 0
    assert len(found) == 6
    assert sum(len(rows) for rows in comparison_table(found)) == 3  # conditions that are compared with a prompt
    assert [len(group) for group in primary_table(found)] == [2]


def test_a_primary_comparison_that_failed_still_counts() -> None:
    failed = [each for each in five_seeds() if each.examples != 64]
    pairs = pairs_of(failed)
    primary = [(TUNED, PLAIN), (PROMPTED, PLAIN)]
    (left,) = [each for each in compare_all(pairs, primary=primary) if each.family == "primary"]
    assert (left.family_size, left.p_adjusted) == (2, pytest.approx(min(1.0, 2 * (left.gain.p or 0))))
    assert missing_comparisons(pairs, primary) == [
        "small on capitals: the primary comparison of iid_sft, 64 examples with zero_shot was not measured in full. "
        "It counts as one that found no difference."
    ]


def test_a_task_without_any_result_stays_in_the_family() -> None:
    """A primary comparison on two tasks, of which one failed, was corrected for one test."""
    lost = [
        replace(FAILED, model="small", task="sentiment", recipe=each.recipe, method=each.method, examples=each.examples)
        for each in five_seeds()
    ]
    primary = [(TUNED, PLAIN)]
    found = compare_all(pairs_of(five_seeds()), primary=primary, failures=lost)
    (named,) = [each for each in found if each.family == "primary"]
    assert (named.family_size, named.p_adjusted) == (2, pytest.approx(2 * (named.gain.p or 0)))
    # Of each task four more: a prompt and the small budget against zero-shot, both budgets against the prompt.
    assert {each.family_size for each in found if each.family == "exploratory"} == {8}
    lines = missing_comparisons(pairs_of(five_seeds()), primary, lost)
    assert [line.partition(": ")[0] for line in lines] == ["small on sentiment"] * 2
    assert "the primary comparison of iid_sft, 64 examples with zero_shot was not measured in full" in lines[0]
    assert "4 conditions without a result. Comparisons with them count as ones" in lines[1]


def test_conditions_without_a_result_stay_in_the_only_family() -> None:
    """Holm's correction was for the 3 comparisons that were left of 5."""
    kept = [each for each in five_seeds() if each.examples != 4]
    lost = [replace(FAILED, model="small", recipe="iid_sft", examples=4, seed=seed) for seed in range(5)]
    found = compare_all(pairs_of(kept), failures=lost)
    assert (len(found), {each.family_size for each in found}) == (3, {5})
    ps = [each.gain.p for each in found] + [1.0, 1.0]
    assert [each.p_adjusted for each in found] == pytest.approx(list(multipletests(ps, method="holm")[1][:3]))
    # One failed seed of a condition that has others is no further comparison.
    assert {each.family_size for each in compare_all(pairs_of(five_seeds()), failures=lost[:1])} == {5}
    no_baseline = [each for each in five_seeds() if each.method != "zero_shot"]
    failed = replace(FAILED, model="small", recipe="zero_shot", method="zero_shot", examples=0)
    assert {each.family_size for each in compare_all(pairs_of(no_baseline), failures=[failed])} == {5}


def test_fewer_than_five_seeds_earn_no_star() -> None:
    for seeds, marked in ((1, False), (2, False), (3, False), (4, False), (5, True)):
        runs = [measurement(seed=seed, right=[1.0] * 380 + [0.0] * 20) for seed in range(seeds)]
        plain = measurement(method="zero_shot", examples=0, right=[1.0] * 200 + [0.0] * 200)
        (found,) = compare_all(pairs_of([plain, *runs]), primary=[(TUNED._replace(examples=4), PLAIN)])
        assert (found.significant, "†" in found.mark) == (marked, seeds < 3)
        row = row_of(COMPARISON_COLUMNS, found)
        assert (found.p_adjusted is None) == (row["p"] is None) == (not marked)
        assert row["estimand"] == ("recipe" if seeds >= 3 else "runs")


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.04, 0.09])
def test_ten_equal_recipes_are_not_told_apart(spread: float) -> None:
    """Seeds that differ by 4 or 9 points: one seed earned a star in 43 and 98% of such studies."""
    rng = np.random.default_rng(7)
    wrong, studies = {1: 0, 3: 0, 5: 0}, 20
    for _ in range(studies):
        items = rng.normal(0, 0.2, size=40)
        for seeds in wrong:
            made = [measurement(method="zero_shot", examples=0, right=draw(rng, items, 0.0))]
            made += [
                measurement(examples=recipe + 1, seed=seed, right=draw(rng, items, rng.normal(0, spread)))
                for recipe in range(10)
                for seed in range(seeds)
            ]
            wrong[seeds] += any(each.significant for each in compare_all(pairs_of(made)))
    assert wrong[1] == wrong[3] == 0
    assert wrong[5] <= stats.binom.ppf(0.999, studies, 0.05)


def draw(rng: np.random.Generator, items: Sequence[float], effect: float) -> list[float]:
    """Right or wrong on items of different difficulty, all shifted by the effect of a seed."""
    return [float(right) for right in rng.random(len(items)) < np.clip(0.5 + np.asarray(items) + effect, 0, 1)]


def test_a_difference_is_computed_once() -> None:
    (conditions,) = pairs_of([measurement(method="zero_shot", examples=0), measurement()])
    gains = cache(compare)
    assert gains(conditions[1], conditions[0]) is gains(conditions[1], conditions[0])
    assert gains(conditions[0], conditions[1]).difference == -gains(conditions[1], conditions[0]).difference


@pytest.mark.parametrize(
    ("right", "mark"),
    [
        ([1.0] * 201 + [0.0] * 199, "="),  # one other answer: equivalent, and not different
        ([1.0] * 200 + [0.0] * 200, ""),  # the same answers: nothing shows that the recipe was applied
        ([1.0] * 260 + [0.0] * 140, "*"),
        ([1.0] * 212 + [0.0] * 188, "* ="),  # surely different, and by less than 5 points
        ([0.0, 1.0] * 200, ""),  # half of the answers changed, in both directions: nothing is known
    ],
)
def test_marks_say_different_and_equivalent_apart(right: list[float], mark: str) -> None:
    plain = measurement(method="zero_shot", examples=0, right=[1.0] * 200 + [0.0] * 200)
    (found,) = compare_all(pairs_of([plain, *(measurement(right=right, seed=seed) for seed in range(5))]))
    assert found.mark == mark


def test_equivalence_takes_what_a_star_takes() -> None:
    """One seed was "= †", three seeds and exploratory comparisons "=", and a look at a tenth of the seeds."""

    def found(seeds: int, **options: Any) -> Comparison:
        plain = measurement(method="zero_shot", examples=0, right=200, of=400, provenance={"cell": "plain"})
        right = [0.0] * 10 + [1.0] * 201 + [0.0] * 189
        runs = [measurement(right=right, seed=seed, provenance={"cell": f"{seed}"}) for seed in range(seeds)]
        return compare_all(pairs_of([plain, *runs]), **options)[0]

    assert [found(seeds).mark for seeds in (1, 3, 4, 5)] == ["†", "", "", "="]
    other = (TUNED._replace(examples=4), Known("few_shot", "few_shot", 8))
    assert found(5, primary=[other]).mark == ""
    stood = {"plain": frozenset({0}), "tuned": frozenset(range(5))}
    for listed, marked in ((5, "="), (50, "")):
        ids = {"plain": "plain"} | {str(seed): "tuned" for seed in range(5)}
        looks = Looks(ids=ids, now=Look(listed=stood | {"tuned": frozenset(range(listed))}, stood=stood))
        assert found(5, looks=looks).mark == marked


def test_effect_sizes_by_hand() -> None:
    (found,) = made(right=[0.0] * 20 + [1.0] * 240 + [0.0] * 140)
    assert found.odds is not None
    assert (found.odds.only_a, found.odds.only_b, found.odds.odds_ratio) == (60, 20, 3.0)
    assert found.cohens_h == pytest.approx(0.2013579)  # 2 asin(sqrt 0.6) - 2 asin(sqrt 0.5)
    assert comparison_odds(found).startswith("60:20 = 3.0 [1.")
    (graded,) = made(right=[0.5] * 400)
    assert graded.odds is None
    assert comparison_odds(graded) == "–"


def test_an_odds_interval_is_not_given_for_clusters() -> None:
    def clustered(each: Measurement) -> Measurement:
        grouped = (replace(one, cluster=f"c{i // 4}") for i, one in enumerate(each.outcomes))
        return replace(each, outcomes=Outcomes.of(grouped))

    both = [measurement(method="zero_shot", examples=0, of=40), measurement(of=40, right=20)]
    (found,) = compare_all(pairs_of([clustered(each) for each in both]), compare)
    assert comparison_odds(found) == "14:0 = ∞"
    row = row_of(COMPARISON_COLUMNS, found)
    assert row["odds_low"] is None


def test_what_the_study_could_have_seen() -> None:
    (found,) = made(right=[0.0] * 20 + [1.0] * 240 + [0.0] * 140)
    # 80 of 400 items changed: variance 0.2 - 0.1^2, (t + 0.84) sqrt(0.19 / 399).
    quantiles = float(stats.t.ppf(0.975, 399)) + 0.8416
    assert found.min_detectable_effect() == pytest.approx(quantiles * (0.19 / 399) ** 0.5, rel=1e-4)
    assert found.min_detectable_effect(comparisons=10) > 1.2 * found.min_detectable_effect()
    (line,) = power_statements([found])
    assert line.startswith(
        "capitals (400 items, 1 seed): the minimum detectable effect against zero-shot is 6.1 points"
    )
    (line,) = power_statements([found, *made(right=[1.0, 0.0] * 200)])
    assert "points (median of 2 comparisons, which range from 6.1 to " in line
    (same,) = made(right=[1.0] * 200 + [0.0] * 200)
    assert same.min_detectable_effect() == pytest.approx(quantiles**2 / (400 + quantiles**2), rel=1e-4)
    one = compare_all(
        pairs_of([measurement(method="zero_shot", examples=0, right=1, of=1), measurement(of=1)]), compare
    )
    assert "no difference, however large" in power_statements(one)[0]


def test_seeds_that_vary_are_counted_as_the_test_counts_them() -> None:
    plain = measurement(method="zero_shot", examples=0, right=200, of=400)
    seeds = [measurement(seed=seed, right=right, of=400) for seed, right in enumerate((180, 240, 300))]
    several = compare_all(pairs_of([plain, *seeds]), compare)[0]
    alone = compare_all(pairs_of([plain, seeds[1]]), compare)[0]
    assert several.min_detectable_effect() > 3 * alone.min_detectable_effect()


def test_a_missing_baseline_is_reported(tmp_path: Path) -> None:
    few = measurement(method="few_shot", settings={"shots": 8}, examples=8)
    pairs = pairs_of([few, measurement()])
    missing = "small on capitals: the zero-shot baseline was not measured, so nothing is compared with it."
    assert missing_comparisons(pairs) == [missing]
    (row,) = comparison_table(compare_all(pairs, compare))[0]
    assert row.plain is None and row.few_shot is not None
    page = write_report([few, measurement()], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert missing in page
    assert forest_figure(pool([few, measurement()]), compare_all(pairs, compare), task="capitals") is None


def test_comparisons_csv_and_page_hold_the_same(tmp_path: Path) -> None:
    page = write_report(small_study(), [], tmp_path, study="quick", study_text="").read_text("utf-8")
    with (tmp_path / "comparisons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    (row,) = [row for row in rows if (row["model"], row["task"], row["examples"], row["against"]) ==
              ("big", "capitals", "64", "zero-shot")]  # fmt: skip
    assert float(row["difference"]) == pytest.approx(0.9375 - 0.6)
    assert (row["family"], row["family_size"], row["p_adjusted"], row["adjusted_by"]) == ("all", "20", "", "Holm")
    assert f"+33.8 [{100 * float(row['low']):+.1f}, {100 * float(row['high']):+.1f}] {row['mark']}" in page
    assert "20 comparisons: every condition" in page


def test_the_page_shows_primary_comparisons_apart(tmp_path: Path) -> None:
    primary = [(TUNED, PLAIN)]
    text = write_report(
        five_seeds(), [], tmp_path, study="quick", study_text="", primary=primary
    ).read_text("utf-8")  # fmt: skip
    start, middle, end = (text.index(part) for part in ('id="primary"', "Exploratory comparisons", 'id="power"'))
    assert "corrected for 1 comparison and no other" in text[start:middle]
    assert "+25.5" in text[start:middle] and "+25.5" not in text[middle:end]
    assert "primary, see above" in text[middle:end] and "Benjamini-Hochberg" in text[middle:end]
    assert "minimum detectable effect of the primary comparisons" in text
    figure = forest_figure(pool(five_seeds()), compare_all(pairs_of(five_seeds()), primary=primary), task="capitals")
    assert figure is not None
    svg = save(figure, tmp_path / "forest")[0].read_text("utf-8")
    assert svg.count("] * primary<") == 1 and "exploratory, with open marks" in svg


def test_forest_plot_is_understood_alone(tmp_path: Path) -> None:
    conditions = pool(small_study())
    found = compare_all(pairs_of(small_study()), compare)
    figure = forest_figure(conditions, found, task="capitals")
    assert figure is not None
    svg = save(figure, tmp_path / "forest")[0].read_text("utf-8")
    text = " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    for needed in ("paired Agresti-Min 95%", "n = 40 items answered under both conditions", "all 20 comparisons",
                   "difference in accuracy (points)", "big", "small", "iid_sft rank=8, 64 examples",
                   "+33.8", "better"):  # fmt: skip
        assert needed in text, needed
    assert text.count("not measured") == 0
    fewer = [each for each in found if (each.condition.model, each.condition.examples) != ("big", 64)]
    figure = forest_figure(conditions, fewer, task="capitals")
    assert figure is not None
    assert save(figure, tmp_path / "fewer")[0].read_text("utf-8").count(">not measured<") == 1


def test_p_values_as_text() -> None:
    ps = (1e-15, 0.0011, 0.0499, 0.0996, 1.0)
    assert [format_p_value(p, bare=True) for p in ps] == ["<0.001", "0.001", "0.050", "0.10", "1.00"]
    assert [format_p_value(p) for p in ps[:2]] == ["p < 0.001", "p = 0.001"]
