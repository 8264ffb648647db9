"""Comparisons in the report: marks that allow for the number of comparisons, effect sizes, the forest plot, power."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, pool
from educe.eval.analysis.statistics.multiple import benjamini_hochberg, holm
from educe.eval.measurement import Measurement, Outcomes
from educe.eval.report.comparisons import (
    COMPARISON_COLUMNS,
    Comparison,
    compare_all,
    comparison_odds,
    comparison_table,
    missing_comparisons,
    power_statements,
)
from educe.eval.report.forest import forest_figure
from educe.eval.report.page import write_report
from educe.eval.report.style import save
from educe.eval.report.tables import row_of
from educe.eval.report.text import p_text
from tests.eval.synthetic import measurement, small_study


def pairs_of(measurements: Sequence[Measurement]) -> list[list[Condition]]:
    return by_task_and_model(pool(measurements))


def made(**changed: Any) -> tuple[Comparison, ...]:
    plain = measurement(method="zero_shot", examples=0, right=[1.0] * 200 + [0.0] * 200)
    return compare_all(pairs_of([plain, measurement(**changed)]), compare)


def test_every_condition_is_compared_once_and_adjusted_over_all_of_the_study() -> None:
    found = compare_all(pairs_of(small_study()), compare)
    # Of each of four pairs: few-shot and two sizes against zero-shot, two sizes against few-shot.
    assert len(found) == 4 * 5
    adjusted = holm([each.gain.p for each in found if each.gain.p is not None])
    assert [each.p_holm for each in found] == pytest.approx(list(adjusted))
    first = found[0]
    assert first.gain == compare(first.condition, first.other)
    assert any(each.gain.p is not None and each.p_holm > each.gain.p for each in found)
    shared = benjamini_hochberg([each.gain.p for each in found if each.gain.p is not None])
    assert [each.p_bh for each in found] == pytest.approx(list(shared))


def test_a_difference_is_computed_once() -> None:
    (conditions,) = pairs_of([measurement(method="zero_shot", examples=0), measurement()])
    gains = cache(compare)
    assert gains(conditions[1], conditions[0]) is gains(conditions[1], conditions[0])
    assert gains(conditions[0], conditions[1]).difference == -gains(conditions[1], conditions[0]).difference


@pytest.mark.parametrize(
    ("right", "mark"),
    [
        ([1.0] * 200 + [0.0] * 200, "="),  # the same answers: equivalent, and not different
        ([1.0] * 260 + [0.0] * 140, "***"),
        ([1.0] * 212 + [0.0] * 188, "*** ="),  # surely different, and by less than 5 points
        ([0.0, 1.0] * 200, ""),  # half of the answers changed, in both directions: nothing is known
    ],
)
def test_marks_say_different_and_equivalent_apart(right: list[float], mark: str) -> None:
    (found,) = made(right=right)
    assert found.mark == mark


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
    assert "no difference from zero-shot, however large" in power_statements(one)[0]


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
    assert float(row["p_holm"]) >= float(row["p_bh"]) > float(row["p"]) and row["num_comparisons"] == "20"
    assert f"+33.8 [{100 * float(row['low']):+.1f}, {100 * float(row['high']):+.1f}] {row['mark']}" in page
    assert "20 comparisons in this study" in page


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
    assert [p_text(p) for p in (1e-15, 0.0011, 0.0499, 0.0996, 1.0)] == ["<0.001", "0.001", "0.050", "0.10", "1.00"]
