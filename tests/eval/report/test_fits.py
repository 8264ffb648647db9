"""Fitted curves in the report: which are fitted, what is read off, and what is not reached."""

from pathlib import Path

import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.measurement import Measurement
from educe.eval.report import fits
from educe.eval.report.equivalents import equivalents
from educe.eval.report.fits import fits_figure, fitted
from educe.eval.report.page import write_report
from educe.eval.report.style import save
from educe.eval.spend import Spend
from tests.eval.synthetic import in_one_cluster, measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")

SIZES = (4, 16, 64, 256, 1024)


def saturating() -> list[Measurement]:
    """Scores that reach 80% and stay there; an answer costs 1e7 FLOPs."""
    return [
        measurement(
            examples=size,
            right=right,
            of=400,
            spend=Spend(labelled_examples=size, train_flops=1e10 * size, flops_per_answer=1e7),
        )
        for size, right in zip(SIZES, (120, 210, 300, 320, 320), strict=True)
    ]


def test_a_curve_is_read_off() -> None:
    (found,), left_out = fitted(pool(saturating()))
    assert left_out == 0
    assert found.fit.form in ("power law", "logistic")
    assert "flat +" in found.other_forms
    assert found.fit.ceiling is not None and found.fit.ceiling.value == pytest.approx(0.8, abs=0.03)
    # 78% lies between 64 examples (75%) and 256 (80%), at 0.6 of the way between their logarithms. 64 examples miss it
    # for certain, 256 reach it for certain: both have the largest budget's answers but for 20 of 400, or all of them.
    assert found.near_text == "147 [64, 256] labelled examples"
    assert found.near_flops_text == "1.5×10¹² [6.4×10¹¹, 2.6×10¹²]"
    # Interpolated: 6.4e11 + (128 - 64) 1e10, and 400 answers at 1e7.
    assert found.next_text == "128 labelled examples (1 cell, 1.3×10¹² FLOPs)"


def test_measured_budgets_that_leave_doubt_need_seeds_not_neighbours() -> None:
    made = [
        measurement(examples=size, right=right, of=40, spend=Spend(labelled_examples=size, train_flops=1e10 * size))
        for size, right in zip(SIZES, (8, 27, 30, 28, 32), strict=True)
    ]
    (found,), _ = fitted(pool(made))
    assert found.near_text == "776 [4, 1,024] labelled examples"
    assert found.next_text == "more seeds at 16, 64 and 256 labelled examples (3 cells, 3.4×10¹² FLOPs)"


def test_a_curve_that_rises_to_its_end_is_bracketed_by_its_last_budgets() -> None:
    rising = [
        measurement(examples=size, right=right, of=400, spend=Spend(labelled_examples=size))
        for size, right in zip(SIZES, (40, 100, 160, 220, 280), strict=True)
    ]
    (found,), _ = fitted(pool(rising))
    assert found.near_text.endswith("[256, 1,024] labelled examples")


def test_a_fit_that_a_point_contradicts_is_not_quoted(tmp_path: Path) -> None:
    made = [
        measurement(examples=size, right=right, of=300, spend=Spend(labelled_examples=size))
        for size, right in zip(SIZES[:4], (111, 285, 267, 246), strict=True)
    ]
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "not quoted: no form fits its points" in page
    (found,), _ = fitted(pool(made))
    figure = fits_figure(pool(made), [found], task="capitals")
    assert figure is not None
    text = save(figure, tmp_path / "fits")[0].read_text("utf-8")
    assert "no form fits" in text and found.fit.form not in text.replace("the form with", "")


def test_every_kind_of_interval_and_every_unit_is_named(tmp_path: Path) -> None:
    seeds = [
        measurement(
            model="big", examples=each.examples, seed=seed, right=each.outcomes.scores.tolist(), spend=each.spend
        )
        for each in saturating()
        for seed in (0, 1, 2)
    ]
    along = [
        measurement(method="search", settings={"shots": k}, examples=8, right=100 + 20 * k, of=400,
                    spend=Spend(labelled_examples=8, search_flops=1e10 * k))
        for k in (1, 2, 4)
    ]  # fmt: skip
    made = [*saturating(), *seeds, *along]
    found, _ = fitted(pool(made))
    kinds = sorted({each.fit.kind for each in found})
    assert len(kinds) == 2
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert f"In brackets: {kinds[0]} or {kinds[1]}, depending on the seeds" in page
    assert found[0].near_text.endswith("] labelled examples") and "labelled examples" not in found[0].near_flops_text
    figure = fits_figure(pool(made), found, task="capitals")
    assert figure is not None
    text = " ".join(save(figure, tmp_path / "fits")[0].read_text("utf-8").split())
    assert all(kind in text for kind in kinds)


def test_two_budgets_are_no_curve_and_a_large_study_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fitted(pool(small_study())) == ([], 0)
    page = write_report(small_study(), [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "No curve is fitted: a fit needs three budgets" in page
    monkeypatch.setattr(fits, "_MAX_FITS", 0)
    assert fitted(pool(saturating())) == ([], 1)


def test_items_of_one_cluster_have_a_report_and_no_fit(tmp_path: Path) -> None:
    made = [in_one_cluster(each) for each in saturating()]
    assert fitted(pool(made)) == ([], 0)
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "items that are not all of one cluster" in page


def test_figure_and_table(tmp_path: Path) -> None:
    conditions = pool(saturating())
    found, _ = fitted(conditions)
    figure = fits_figure(conditions, found, task="capitals")
    assert figure is not None
    text = save(figure, tmp_path / "fits")[0].read_text("utf-8")
    for needed in ("n = 400 test items", "bootstrap of items 95%", "simultaneous", found[0].fit.form, "chance 25%"):
        assert needed in text, needed
    page = write_report(saturating(), [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert f"<td>{found[0].near_text}</td>" in page


def test_other_training_in_the_compute_of_the_recipe_trained_most(tmp_path: Path) -> None:
    """300 of 400 right for 1e12 FLOPs: the reference, 1e10 an example, has 300 at 64 examples; and one beyond it."""
    cheap, best = (
        measurement(method=method, settings={}, examples=64, right=right, of=400,
                    spend=Spend(labelled_examples=64, train_flops=1e12))
        for method, right in (("ia3", 300), ("norms_and_biases", 398))
    )  # fmt: skip
    made = [*saturating(), cheap, best]
    found = {each.recipe: each for each in equivalents([pool(made)])}
    assert set(found) == {"ia3", "norms_and_biases"}
    assert found["ia3"].gain is not None and found["ia3"].gain.value == pytest.approx(0.64)
    # Shown not to reach it: 16 examples; shown to reach it: 256.
    assert (found["ia3"].gain.low, found["ia3"].gain.high) == pytest.approx((0.16, 2.56))
    assert found["norms_and_biases"].text == "not reached"
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert f"<td>{found['ia3'].text}</td>" in page
    assert equivalents([pool(saturating())]) == []
