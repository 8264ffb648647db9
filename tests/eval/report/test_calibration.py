"""Calibration in the report: all seeds' answers, and measures that move apart."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from educe.eval.analysis.conditions import compare, pool
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.report import calibration
from educe.eval.report.calibration import calibration_figure, calibrations, disagreements
from educe.eval.report.page import write_report
from educe.eval.report.style import save
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement

pytestmark = pytest.mark.usefixtures("no_task_figures")


def answered(base: Measurement, confidence: float) -> Measurement:
    """The same scores, every answer given with this confidence in the option picked, of two."""
    rows = [
        Outcome(
            id=each.id,
            score=each.score,
            answer="a",
            loglikelihoods=(math.log(confidence), math.log(1 - confidence)),
            option_tokens=(1, 1),
            answer_index=0 if each.score else 1,
        )
        for each in base.outcomes
    ]
    return replace(base, outcomes=Outcomes.of(rows))


PLAIN = answered(measurement(method="zero_shot", examples=0, right=60, of=100), 0.6)
TRAINED = [
    answered(measurement(right=75, of=100, seed=seed, spend=Spend(train_flops=1.0, labelled_examples=4)), 0.99)
    for seed in (0, 1)
]


def test_measures_of_all_seeds_by_hand() -> None:
    (group,), left_out = calibrations([list(pool([PLAIN, *TRAINED]))])
    assert left_out == 0
    plain, trained = (each.scores for each in group)
    assert plain.accuracy.value == pytest.approx(0.6)
    assert plain.log_likelihood.value == pytest.approx(0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    assert plain.calibration_error.value == pytest.approx(0.0)
    assert trained.calibration_error.value == pytest.approx(0.24)
    assert trained.accuracy.n == 200
    # Two seeds that answer alike are worth the items and no more.
    assert trained.accuracy.low < 0.75 - 0.07


def test_a_jump_in_one_measure_alone_is_reported() -> None:
    conditions = list(pool([PLAIN, *TRAINED]))
    (line,) = disagreements([conditions], compare)
    assert line.startswith(
        "small on capitals, iid_sft, 4 examples: compared with zero-shot, accuracy changes by +15.0 ["
    )
    assert "by −0.49 [" in line  # 0.75 ln 0.99 + 0.25 ln 0.01 against 0.6 ln 0.6 + 0.4 ln 0.4
    sure = [answered(replace(each, outcomes=each.outcomes), 0.75) for each in TRAINED]
    assert disagreements([list(pool([PLAIN, *sure]))], compare) == []


def test_seeds_that_differ_widen_what_likelihood_moves_by() -> None:
    """By hand: the variance over items of what the seeds gain on average, and that of the seeds' means."""
    for confidences in ((0.9, 0.9, 0.9), (0.7, 0.9, 0.97)):
        seeds = [answered(replace(TRAINED[0], seed=seed), sure) for seed, sure in enumerate(confidences)]
        trained, plain = sorted(pool([PLAIN, *seeds]), key=lambda each: -each.num_seeds)
        found = calibration._likelihood_gain(trained, plain)
        assert found is not None
        right, wrong = np.log(confidences), np.log(1 - np.array(confidences))
        # Of 100 items the plain answers have 60 right, the others 75.
        gains = np.repeat(
            [right.mean() - math.log(0.6), right.mean() - math.log(0.4), wrong.mean() - math.log(0.4)], [60, 15, 25]
        )
        of_items, of_seeds = gains.var(ddof=1) / 100, (0.75 * right + 0.25 * wrong).var(ddof=1) / 3
        df = (of_items + of_seeds) ** 2 / (of_items**2 / 99 + of_seeds**2 / 2)
        half = float(stats.t.ppf(0.975, df)) * (of_items + of_seeds) ** 0.5
        assert found == pytest.approx((gains.mean(), gains.mean() - half, gains.mean() + half))


def test_answers_without_likelihoods_are_left_out(tmp_path: Path) -> None:
    lone = measurement(method="zero_shot", examples=0)
    assert calibrations([list(pool([lone]))]) == ([], 0)
    page = write_report([lone], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "calibration is not known" in page


def test_a_large_study_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MAX_CONDITIONS", 1)
    groups, left_out = calibrations([list(pool([PLAIN, *TRAINED]))])
    assert ([len(group) for group in groups], left_out) == ([1], 1)


def test_figure_and_table(tmp_path: Path) -> None:
    groups, _ = calibrations([list(pool([PLAIN, *TRAINED]))])
    figure = calibration_figure(groups, task="capitals")
    assert figure is not None
    text = save(figure, tmp_path / "figure")[0].read_text("utf-8")
    for needed in ("n = 100 test items", "Wilson 95%", "ECE 24.0 [", "iid_sft, 4 examples", "Diagonal"):
        assert needed in text, needed
    assert calibration_figure(groups, task="other") is None
    page = write_report([PLAIN, *TRAINED], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "Measures disagree:" in page
    assert "<td>24.0 [" in page
