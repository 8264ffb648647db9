"""The page of a study of many tasks: its index, its table by task, its means, and their CSV files."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from educe.eval.analysis.conditions import compare, pool
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.page import write_report
from educe.eval.report.suites import MAX_HEADLINES
from educe.eval.report.tables import CURVE_COLUMNS, MEAN_COLUMNS, TASK_COLUMNS, curve_rows
from tests.eval.conftest import leave_out_task_figures
from tests.eval.suite import suite
from tests.eval.synthetic import FAILED, measurement, small_study

pytestmark = pytest.mark.usefixtures("no_task_figures")


def written(folder: Path, measurements: Sequence[Measurement], failures: Sequence[Failure] = ()) -> str:
    return write_report(measurements, failures, folder, study="suite", study_text="name: suite").read_text("utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def section(page: str, name: str) -> str:
    found = re.search(rf'<h2 id="{name}">.*?(?=<h2 |<ul class="headlines"|<details>)', page, flags=re.DOTALL)
    assert found, name
    return found.group()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five tasks and two models, one of which has no control on one task."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_task_figures(patch)
        return many_tasks(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its figures."""
    return many_tasks(tmp_path_factory.mktemp("drawn"))


def many_tasks(folder: Path) -> Path:
    lost = ("task_03", "plain", "ngrams")
    made = suite(tasks=5, items=30, seeds=3, budgets=(64,))
    kept = [each for each in made if (each.task, each.model, each.method) != lost]
    written(folder, kept, [replace(FAILED, model="plain", task="never")])
    return folder


@pytest.mark.slow
def test_every_task_leads_to_its_section_and_back(drawn: Path) -> None:
    page = (drawn / "report.html").read_text("utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = re.findall(r'href="#([^"]+)"', page)
    assert set(links) <= set(ids)
    table = section(page, "tasks")
    for number in range(5):
        assert f'<a href="#task-{number + 1}">task_0{number}</a>' in table
        assert f'<h3 id="task-{number + 1}">task_0{number}</h3>' in page
        for kind in ("conditions", "forest", "frontier"):
            assert f"{kind}-{number + 1}" in links
    assert links.count("tasks") >= 6
    assert table.count("<tr>") == 11


def test_many_paragraphs_are_folded_and_few_are_not(many: Path, tmp_path: Path) -> None:
    folded = "<summary>The same in sentences: 10 paragraphs"
    assert MAX_HEADLINES < 10 and folded in (many / "report.html").read_text("utf-8")
    assert "The same in sentences" not in written(tmp_path, small_study())


def test_what_is_missing_is_named_and_in_no_mean(many: Path) -> None:
    page = section((many / "report.html").read_text("utf-8"), "tasks")
    assert "plain has no score at all on 1 task of the study, which no mean contains: never." in page
    means = section((many / "report.html").read_text("utf-8"), "means")
    assert "chat: mean of these 5 tasks (150 items)" in means
    assert "plain: mean of these 4 tasks (120 items)" in means
    assert '<a href="#task-4">task_03</a> (no ngrams, 64 examples).' in means
    assert "do not compare their means" in means


def test_tables_are_there_for_programs(many: Path) -> None:
    tasks, means = rows_of(many / "tasks.csv"), rows_of(many / "task_means.csv")
    assert (tuple(tasks[0]), tuple(means[0])) == (TASK_COLUMNS, MEAN_COLUMNS)
    assert len(tasks) == 10 and len(means) == 2 * 5
    for row in tasks:
        assert float(row["gain_low"]) < float(row["gain"]) < float(row["gain_high"])
        assert float(row["gain"]) == pytest.approx(float(row["trained_corrected"]) - float(row["zero_shot"]))
        assert float(row["trained_corrected"]) <= float(row["trained_measured"])
    (without,) = [row for row in tasks if row["control"] == ""]
    assert (without["task"], without["model"], without["above_control"]) == ("task_03", "plain", "")
    by_task = {row["task"]: float(row["zero_shot"]) for row in tasks if row["model"] == "chat"}
    (zero,) = [row for row in means if (row["model"], row["method"]) == ("chat", "zero_shot")]
    assert float(zero["score"]) == pytest.approx(sum(by_task.values()) / 5)
    assert (zero["num_tasks"], zero["gain"]) == ("5", "")


def test_points_of_curves_have_their_gains() -> None:
    conditions = pool(suite(tasks=1, models=("chat",), items=30, budgets=(4, 64)))
    rows = {(row["method"], row["examples"]): row for row in curve_rows(conditions) if row["axis"] == "examples"}
    found = {(each.method, each.examples): each for each in conditions}
    plain, tuned, control = found["zero_shot", 0], found["iid_sft", 64], found["ngrams", 64]
    over, above, row = compare(tuned, plain), compare(tuned, control), rows["iid_sft", 64]
    assert tuple(row) == CURVE_COLUMNS
    assert (row["gain"], row["gain_low"], row["gain_high"]) == (over.difference, over.low, over.high)
    assert (row["above_control"], row["above_control_low"], row["above_control_high"]) == (
        above.difference,
        above.low,
        above.high,
    )
    assert rows["few_shot", 8]["gain"] is not None and rows["few_shot", 8]["above_control"] is None
    assert {rows[key]["gain"] for key in (("zero_shot", 0), ("ngrams", 64))} == {None}
    assert {row["gain"] for row in curve_rows([tuned])} == {None}  # no baseline is no gain of 0


def test_one_task_has_no_index_and_no_mean(tmp_path: Path) -> None:
    page = written(tmp_path, [each for each in small_study() if each.task == "capitals"])
    assert 'id="tasks"' not in page and 'id="means"' not in page and 'id="task-1"' not in page
    assert 'href="#tasks"' not in page
    assert len(rows_of(tmp_path / "tasks.csv")) == 2 and rows_of(tmp_path / "task_means.csv") == []


def test_without_training_and_without_controls_there_are_no_such_columns(tmp_path: Path) -> None:
    made = [each for each in small_study() if each.method != "iid_sft"]
    page = written(tmp_path, made)
    assert "Best prompt, %" in page and "Best training, %" not in page
    page = written(tmp_path, small_study())
    assert "Best training, %" in page and "above the control" not in page.lower()


def test_names_of_tasks_are_escaped(tmp_path: Path) -> None:
    made = [
        measurement(task=task, method=method, examples=examples, settings=settings)
        for task in ("<script>alert(1)</script>", "a & b")
        for method, examples, settings in (("zero_shot", 0, {}), ("few_shot", 8, {"shots": 8}))
    ]
    page = written(tmp_path, made)
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;</a>" in page


def test_models_without_a_common_task_have_no_mean_and_the_page_says_so(tmp_path: Path) -> None:
    made = [measurement(task="capitals"), measurement(task="logic", method="minimal_lora")]
    assert "No mean over tasks of small: fewer than two tasks" in written(tmp_path, made)


def test_nothing_measured_has_a_page(tmp_path: Path) -> None:
    assert 'id="tasks"' not in written(tmp_path, [], [FAILED])
