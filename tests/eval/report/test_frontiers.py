"""The frontier in the report: its steps, when neighbours cost the same, and its figure."""

import re
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import by_task_and_model, pool
from educe.eval.report.frontiers import frontier_figure, frontiers, steps
from educe.eval.report.page import write_report
from educe.eval.report.style import save
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def test_steps_and_break_even_by_hand() -> None:
    found = steps(frontiers(by_task_and_model(pool(small_study())))["capitals", "big"]["flops"])
    # 1e12 plain; 5e12 for both 8 shots (66%) and 4 examples (61%); 65e12 for 64 examples.
    assert [(step.point.condition.method, step.point.cost) for step in found] == [
        ("zero_shot", 1e12),
        ("few_shot", 5e12),
        ("iid_sft", 65e12),
    ]
    assert [step.against_before for step in found] == [
        "–",
        "costs more for any number of questions",
        "costs less beyond 16,000 questions",  # 64e12 / (5e9 - 1e9)
    ]
    first = measurement(method="zero_shot", examples=0, spend=Spend(train_flops=4e12, flops_per_answer=1e9))
    dear = measurement(right=9, spend=Spend(flops_per_answer=9e9))
    (_, last) = steps(frontiers([list(pool([first, dear]))])["capitals", "small"]["flops"])
    assert last.against_before == "costs less up to 500 questions"


def test_one_condition_has_no_frontier(tmp_path: Path) -> None:
    alone = measurement(method="zero_shot", examples=0)
    assert frontiers([list(pool([alone]))]) == {}
    page = write_report([alone], [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "so there is no frontier" in page


def test_figure_and_table(tmp_path: Path) -> None:
    figure = frontier_figure(pool(small_study()), frontiers(by_task_and_model(pool(small_study()))), task="capitals")
    assert figure is not None
    text = " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", save(figure, tmp_path / "f")[0].read_text("utf-8")))
    for needed in ("n = 40 test items, 1 to 2 seeds", "Wilson of these runs 95%", "1,000 questions (log scale)",
                   "labelled examples read (log scale above 1)", "3 iid_sft rank=8, 64", "chance 25%"):  # fmt: skip
        assert needed in text, needed
    page = write_report(small_study(), [], tmp_path, study="quick", study_text="").read_text("utf-8")
    assert "costs less beyond 16,000 questions" in page
    assert "On the frontier in labelled examples read: zero_shot (0 labels, corrected 60.0 [" in page
    # Both budgets of two that scored best: the measured score, then the corrected one, then what noise gave.
    assert re.search(r"<td>93\.8 \[[^<]*</td><td>9\d\.\d \[[^<]*</td><td>\+0\.\d</td>", page)
