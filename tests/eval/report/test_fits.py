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

SIZES = (4, 16, 64, 256, 1024)


def saturating() -> list[Measurement]:
    """Scores that reach 80% and stay there."""
    return [
        measurement(
            examples=size,
            right=right,
            of=400,
            spend=Spend(labelled_examples=size, train_flops=1e10 * size),
        )
        for size, right in zip(SIZES, (120, 210, 300, 320, 320), strict=True)
    ]


def test_a_curve_is_read_off() -> None:
    (found,), left_out = fitted(pool(saturating()))
    assert left_out == 0
    assert found.fit.form in ("power law", "logistic")
    assert "flat +" in found.other_forms
    assert found.fit.ceiling.value == pytest.approx(0.8, abs=0.03)
    assert found.near.budget is not None and 40 < found.near.budget < 1024
    budget = float(found.near_text.split(" ")[0].replace(",", ""))
    assert budget == pytest.approx(found.near.budget, abs=0.5)
    # 1e10 FLOPs an example.
    digits, power = found.near_flops_text.split(" ")[0].split("×10")
    assert power == "¹²" and float(digits) == pytest.approx(budget / 100, abs=0.06)


def test_a_ceiling_beyond_the_budgets_is_not_reached() -> None:
    rising = [
        measurement(examples=size, right=right, of=400, spend=Spend(labelled_examples=size))
        for size, right in zip(SIZES, (40, 100, 160, 220, 280), strict=True)
    ]
    (found,), _ = fitted(pool(rising))
    assert found.near_text == "not reached"


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
    reached = [each for each in found if each.near.budget is not None]
    assert (
        reached[0].near_text.endswith("] labelled examples") and "labelled examples" not in reached[0].near_flops_text
    )
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
    """A recipe that gets 300 of 400 right for 1e12 FLOPs, where the reference takes 6.4e11, and one beyond it."""
    cheap, best = (
        measurement(method=method, settings={}, examples=64, right=right, of=400,
                    spend=Spend(labelled_examples=64, train_flops=1e12))
        for method, right in (("ia3", 300), ("norms_and_biases", 398))
    )  # fmt: skip
    made = [*saturating(), cheap, best]
    found = {each.recipe: each for each in equivalents([pool(made)])}
    assert set(found) == {"ia3", "norms_and_biases"}
    assert found["ia3"].gain is not None and found["ia3"].gain.value == pytest.approx(0.64, rel=0.1)
    assert found["ia3"].gain.low < found["ia3"].gain.value < found["ia3"].gain.high
    assert found["norms_and_biases"].text == "not reached"
    page = write_report(made, [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert f"<td>{found['ia3'].text}</td>" in page
    assert equivalents([pool(saturating())]) == []
