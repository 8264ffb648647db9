"""Controls in analysis and report: a line and a gain to read beside the others, and never a way to elicit."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.claims.study import claims_of
from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, ordered, pool
from educe.eval.analysis.controls import (
    best_controls,
    control_kind,
    controlled,
    gains_above_controls,
    is_control,
    without_controls,
)
from educe.eval.analysis.primary import known_of
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.checks import checks
from educe.eval.report.comparisons import compare_all, compare_with_controls, comparison_table, missing_comparisons
from educe.eval.report.costs import cost_rows
from educe.eval.report.figure import conditions_figure, overview_figure, scaling_figure
from educe.eval.report.headline import headline
from educe.eval.report.page import write_report
from educe.eval.report.style import CONTROL
from educe.eval.spend import Spend
from educe.recipes.runner.forecasts import forecast_text
from educe.recipes.runner.next_budgets import next_budgets_text
from tests.eval.synthetic import measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")

BUDGETS = (4, 16, 64, 256)


def trained(right: int, examples: int, **changed: Any) -> Measurement:
    spend = Spend(labelled_examples=examples, train_flops=1e9 * examples, flops_per_answer=1e6)
    return measurement(right=right, of=40, examples=examples, **{"spend": spend, **changed})


def ngrams(right: int, examples: int, **changed: Any) -> Measurement:
    return trained(right, examples, method="ngrams", **changed)


def random_init(right: int, examples: int, **changed: Any) -> Measurement:
    settings = {"random_init": True}
    return trained(right, examples, method="full_fine_tune", settings=settings, role="control", **changed)


def elicited(seeds: int = 5) -> list[Measurement]:
    """Zero-shot, and a recipe that rises with its budget."""
    made = [measurement(method="zero_shot", examples=0, right=20, of=40)]
    rising = zip(BUDGETS, (22, 25, 30, 36), strict=True)
    return made + [trained(right, n, seed=seed) for n, right in rising for seed in range(seeds)]


def perfect(seeds: int = 5) -> list[Measurement]:
    """A control that is better than everything, at a millionth of the FLOPs, and another one that is not."""
    cheap = {n: Spend(labelled_examples=n, train_flops=1e3 * n, flops_per_answer=1e2) for n in BUDGETS}
    best = [ngrams(40, n, seed=seed, spend=cheap[n]) for n in BUDGETS for seed in range(seeds)]
    return best + [random_init(21, n, seed=seed) for n in BUDGETS for seed in range(seeds)]


def rewarded(right: int, examples: int, reward: str, **changed: Any) -> Measurement:
    role = "training" if reward == "correct" else "control"
    settings = {"reward": reward, **changed.pop("settings", {})}
    return trained(right, examples, method=changed.pop("method", "grpo"), settings=settings, role=role, **changed)


def written(folder: Path, measurements: Sequence[Measurement]) -> str:
    return write_report(measurements, (), folder, study="quick", study_text="name: quick").read_text("utf-8")


def text_of(made: object) -> str:
    return re.sub(r"0x[0-9a-f]+", "", repr(made))


def test_the_better_control_of_each_budget_is_taken() -> None:
    conditions = pool([*elicited(1), ngrams(30, 4), random_init(20, 4), ngrams(21, 16), random_init(33, 16)])
    best = best_controls(conditions)
    assert {budget: each.method for budget, each in best.items()} == {4: "ngrams", 16: "full_fine_tune"}
    assert list(best_controls(conditions[::-1])) == [4, 16]
    assert {each.examples: control.method for each, control in controlled(conditions).items()} == {
        4: "ngrams",
        16: "full_fine_tune",
    }


def test_random_labels_are_a_control_of_their_own_recipe_alone() -> None:
    """A share below 1 is label noise, which still says what is right, and a random net on them learns from scratch."""
    labels = {"random_labels": 1.0}
    made = [
        *elicited(1),
        trained(23, 16, settings=labels, role="control"),
        trained(39, 16, settings={**labels, "rank": 4}, role="control"),
        trained(38, 4, settings={"random_labels": 0.5}),
        trained(21, 64, settings={**labels, "random_init": True}, role="control"),
    ]
    conditions = pool(made)
    kinds = {(each.recipe, each.examples): control_kind(each) for each in conditions if is_control(each)}
    assert kinds[("iid_sft random_labels=1.0", 16)] == "random labels"
    assert kinds[("iid_sft random_labels=1.0 random_init=True", 64)] == "from scratch"
    assert {each.examples: other.recipe for each, other in controlled(conditions).items()} == {
        16: "iid_sft random_labels=1.0",
        64: "iid_sft random_labels=1.0 random_init=True",
    }
    kinds_of = {each.condition.examples: each.against for each in compare_with_controls([ordered(conditions)])}
    assert kinds_of == {16: "random labels", 64: "from scratch"}


def test_where_there_is_no_control_there_is_no_gain_and_not_a_gain_of_zero() -> None:
    assert gains_above_controls(pool(elicited())) == {}
    assert best_controls(pool(elicited())) == {}
    (pair,) = by_task_and_model(pool([*elicited(), *(ngrams(10, 64, seed=seed) for seed in range(5))]))
    assert {row.condition.examples for row in cost_rows(pair) if row.above_control} == {64}
    rows = [row for rows in comparison_table(compare_with_controls([pair])) for row in rows]
    assert [(row.condition.examples, row.plain) for row in rows] == [(64, None)]


def test_another_reward_is_a_control_of_its_own_recipe_alone() -> None:
    """Not of a recipe with other settings, of another recipe, or at another budget, and no line from scratch."""
    made = [
        *elicited(1),
        rewarded(33, 4, "correct"),
        rewarded(30, 4, "random"),
        rewarded(38, 4, "random", settings={"rank": 4}),
        rewarded(39, 4, "random", method="expert_iteration"),
        rewarded(36, 16, "correct"),
    ]
    conditions = pool(made)
    assert best_controls(conditions) == {}
    assert {(each.method, each.examples): other.recipe for each, other in controlled(conditions).items()} == {
        ("grpo", 4): "grpo reward=random"
    }
    with_ngrams = pool([*made, ngrams(31, 4), ngrams(10, 16)])
    found = {(each.method, each.examples): other.method for each, other in controlled(with_ngrams).items()}
    assert found == {("grpo", 4): "ngrams", ("grpo", 16): "ngrams", ("iid_sft", 4): "ngrams", ("iid_sft", 16): "ngrams"}


def test_a_chain_is_compared_with_the_same_chain_by_another_reward() -> None:
    def stages(reward: str) -> dict[str, Any]:
        return {"stages": [{"iid_sft": {"rank": 8}}, {"grpo": {"reward": reward, "rank": 8}}]}

    made = [
        trained(right, 4, method="chain", settings=stages(reward), role=role)
        for right, reward, role in ((30, "correct", "training"), (25, "random", "control"))
    ]
    ((condition, gain),) = gains_above_controls(pool([*elicited(1)[:1], *made])).items()
    assert (condition.method, gain.difference) == ("chain", 0.125)


def test_a_page_tells_another_reward_from_learning_from_scratch(tmp_path: Path) -> None:
    made = [*elicited()[:1], *(rewarded(right, 16, name, seed=s) for name, right in _REWARDS for s in range(5))]
    page = written(tmp_path, made)
    assert "Control, another reward" in page and "from scratch" not in page
    rows = list(csv.DictReader((tmp_path / "comparisons.csv").read_text("utf-8").splitlines()))
    (above,) = [row for row in rows if row["against"] == "another reward"]
    assert (above["other"], float(above["difference"]), above["p_adjusted"]) == ("grpo reward=random", 0.25, "")
    assert "points above what grpo reward=random learned from the same rows, paired" in page
    figure = conditions_figure(pool(made), task="capitals")
    notes = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "Grey: controls, whose reward does not say what is right (grpo reward=random)" in notes


_REWARDS = (("correct", 32), ("random", 22))


def test_the_gain_is_paired_by_item_and_seed() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 2, (5, 60)), rng.integers(0, 2, (5, 60))
    spend = Spend(labelled_examples=4, train_flops=1.0)
    made = [measurement(right=list(map(float, row)), seed=seed, spend=spend) for seed, row in enumerate(ours)]
    made += [
        measurement(right=list(map(float, row)), seed=seed, spend=spend, method="ngrams")
        for seed, row in enumerate(theirs)
    ]
    ((condition, gain),) = gains_above_controls(pool(made)).items()
    assert condition.method == "iid_sft"
    assert gain.difference == pytest.approx(ours.mean() - theirs.mean())
    assert gain == compare(*pool(made))
    alone = paired_difference(ours.mean(axis=0), theirs.mean(axis=0))
    assert gain.high - gain.low > alone.high - alone.low  # seeds vary, too


def test_a_control_that_beats_everything_changes_no_comparison_and_earns_no_star() -> None:
    plain, both = (by_task_and_model(pool(made)) for made in (elicited(), [*elicited(), *perfect()]))
    without, found = compare_all(plain), compare_all(both)
    assert len(found) == len(without) == 4
    assert [(each.gain, each.p_adjusted, each.family_size, each.mark) for each in found] == [
        (each.gain, each.p_adjusted, each.family_size, each.mark) for each in without
    ]
    above = compare_with_controls(both)
    assert {each.other.method for each in above} == {"ngrams"}
    assert all(each.gain.difference < 0 for each in above)
    assert not any(each.significant or each.p_adjusted is not None for each in above)


def test_a_control_that_failed_makes_no_family_larger() -> None:
    pairs = by_task_and_model(pool(elicited()))
    lost = Failure(
        study="quick", model="small", task="capitals", recipe="ngrams", method="ngrams", examples=16, seed=0, reason="",
        control=True,
    )  # fmt: skip
    assert {each.family_size for each in compare_all(pairs, failures=[lost])} == {4}
    assert missing_comparisons(pairs, failures=[lost]) == missing_comparisons(pairs) == []
    known = [replace(lost, control=False)]
    assert {each.family_size for each in compare_all(pairs, failures=known)} == {5}


def test_a_gain_above_a_control_is_starred_only_where_the_study_names_it() -> None:
    weak = [ngrams(20, 256, seed=seed) for seed in range(5)]
    (pair,) = by_task_and_model(pool([*elicited(), *weak]))
    best, control = next((each, other) for each, other in controlled(pair).items() if each.examples == 256)
    named = [(known_of(best), known_of(control))]
    (primary,) = (each for each in compare_all([pair], primary=named) if each.family == "primary")
    assert (primary.against, primary.significant) == ("another recipe", True)
    assert "*" not in "".join(each.mark for each in compare_with_controls([pair]))
    turned = [named[0][::-1]]
    assert not [each for each in compare_all([pair], primary=turned) if each.family == "primary"]


def test_controls_make_no_claim() -> None:
    conditions = pool([*elicited(), *perfect()])
    assert text_of(claims_of(conditions)) == text_of(claims_of(without_controls(conditions)))
    weak = [ngrams(20, 256, seed=seed) for seed in range(5)]
    conditions = pool([*elicited(), *weak])
    best, control = conditions[-2], conditions[-1]
    gain = claims_of(conditions, primary=[(known_of(best), known_of(control))])[0]
    assert (gain.kind, gain.holds) == ("gain", True)
    assert "scores above ngrams" in str(gain)
    turned = claims_of(conditions, primary=[(known_of(control), known_of(conditions[0]))])
    assert "ngrams" not in "".join(map(str, turned))


def test_controls_are_not_forecast_and_no_budget_is_proposed_for_them() -> None:
    conditions = pool([*elicited(), *perfect()])
    assert forecast_text(conditions) == forecast_text(without_controls(conditions))
    assert next_budgets_text(conditions) == next_budgets_text(without_controls(conditions))


def test_a_headline_adds_the_gain_above_the_control_and_nothing_else() -> None:
    weak = [*elicited(), *(ngrams(20, 256, seed=seed) for seed in range(5))]
    (pair,), (alone,) = by_task_and_model(pool(weak)), by_task_and_model(pool(elicited()))
    gain = compare(*(each for each in pair if each.examples == 256))
    low, high = round(100 * gain.low), round(100 * gain.high)
    added = f"The last score is 40 [{low}, {high}] points above what ngrams learned from the same rows alone, paired "
    sentences = headline(pair, compare).split(". ")
    (sentence,) = (each for each in sentences if "rows alone" in each)
    assert sentence.startswith(added)
    assert ". ".join(each for each in sentences if each is not sentence) == headline(alone, compare)


def test_checks_do_not_warn_of_what_a_control_does_not_know() -> None:
    made = [*elicited(), ngrams(0, 64, metric="exact match")]
    found = checks(made, pool(made), ())
    assert not [check for check in found if check.warning and "ngrams" in "".join(check.lines)]
    assert not [check for check in found if "metric" in check.title]


def grey_lines(figure: Any) -> list[list[float]]:
    """The heights of the control's line in each panel that has one."""
    lines = [line for axes in figure.axes for line in axes.get_lines() if line.get_color() == CONTROL.color]
    return [[float(y) for y in line.get_ydata()] for line in lines if line.get_marker() == CONTROL.marker]


@pytest.mark.parametrize("draw", [lambda each: scaling_figure(each, task="capitals"), overview_figure])
def test_curves_draw_the_best_control_as_one_thin_line(draw: Any) -> None:
    control = [ngrams(30, 4), random_init(20, 4), ngrams(21, 16), random_init(33, 16)]
    figure = draw(pool([*elicited(1), *control]))
    assert grey_lines(figure) == [[75.0, 82.5]]
    texts = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert texts.replace("\n", " ").count("from scratch on the same rows") == 1
    notes = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "Thin grey line: the best control at each budget; controls learn from scratch on the same rows" in notes
    assert not grey_lines(draw(pool(elicited(1))))


def test_every_condition_is_drawn_and_controls_in_grey() -> None:
    figure = conditions_figure(pool([*elicited(1), *perfect(1)]), task="capitals")
    names = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert len(names) == 13
    assert all("ngrams" in name or "random_init" in name for name in names[5:])
    assert "Grey: controls" in " ".join(text.get_text() for text in figure.texts)


def test_the_page_shows_the_gain_beside_that_over_zero_shot(tmp_path: Path) -> None:
    page = written(tmp_path, [*elicited(), *perfect()])
    assert (
        page.count("Gain above the control, points") == page.count("Above the control from the same rows, points") == 1
    )
    assert page.count("\u221210.0 [\u2212") == 2  # the largest budget, 36 of 40 against 40: in two tables
    assert "Control, from scratch on the same rows" in page
    rows = list(csv.DictReader((tmp_path / "comparisons.csv").read_text("utf-8").splitlines()))
    above = [row for row in rows if row["against"] == "from scratch"]
    assert [float(row["difference"]) for row in above] == pytest.approx([-0.45, -0.375, -0.25, -0.1])
    assert {(row["other"], row["adjusted_by"], row["p_adjusted"]) for row in above} == {("ngrams", "not adjusted", "")}
    assert not any("*" in row["mark"] for row in above)
    assert "ngrams" in (tmp_path / "results.csv").read_text("utf-8")


def test_controls_are_on_no_frontier_and_have_no_rank_or_fit(tmp_path: Path) -> None:
    page = written(tmp_path, [*elicited(), *perfect()])
    sections = dict(re.findall(r'<h[23] id="([a-z-]+)">(.*?)(?=<h[23] id=|\Z)', page, flags=re.DOTALL))
    for name in ("fits", "frontier", "claims", "ranking", "power", "calibration"):
        if name in sections:
            assert "ngrams" not in sections[name], name
            assert "random_init" not in sections[name], name
    assert {"fits", "frontier", "claims"} <= sections.keys()
    assert "ngrams" in sections["cost"]


def test_a_page_without_controls_says_nothing_of_them(tmp_path: Path) -> None:
    page = written(tmp_path, small_study())
    assert "from scratch" not in page
    assert "control from the same rows" not in page
    assert "above the control" not in page.lower()


@pytest.mark.parametrize("made", [perfect(1), [*elicited(1)[:1], *perfect(1)]], ids=["controls alone", "and zero-shot"])
def test_a_study_of_controls_has_a_page(made: list[Measurement], tmp_path: Path) -> None:
    page = written(tmp_path, made)
    assert "ngrams" in page
    assert "above the control" not in page.lower()


def test_a_control_is_told_by_its_role() -> None:
    conditions: tuple[Condition, ...] = pool([*elicited(1), *perfect(1)])
    assert {each.method for each in without_controls(conditions)} == {"zero_shot", "iid_sft"}
