"""A study over tasks with few and many train rows: which sizes each has, and what is said of those it has not."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserErrors
from educe.eval.analysis.claims.study import claims_of
from educe.eval.report import claims
from educe.recipes.runner.power import power_lines
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.sizes import left_out
from educe.recipes.runner.study import Study
from tests.recipes.small import parity_rows, run_cli, small_study, study_values, write_rows

COMPARE = [{"recipe": "iid_sft", "examples": 2}, {"recipe": "iid_sft", "examples": 64}]


def two_tasks(folder: Path, **changes: Any) -> dict[str, Any]:
    """A study on a task with some 36 train rows and one with some 120."""
    few = write_rows(folder / "few.jsonl", parity_rows(60))
    many = write_rows(folder / "many.jsonl", parity_rows(200))
    return study_values(folder, tasks=[f"file:{few}", f"file:{many}"], examples=[2, 64], **changes)


def sizes_of(study: Study, task: str) -> list[int]:
    """The numbers of examples of iid_sft there, in order."""
    return [cell.examples for cell in study.cells() if cell.task.name == task and cell.method_name == "iid_sft"]


def test_a_task_with_few_rows_goes_without_the_largest_size_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = two_tasks(tmp_path)
    study = Study.make(values)
    assert sizes_of(study, "few") == [2] and sizes_of(study, "many") == [2, 64]
    held = len(study.cells()[0].task.rows["train"])
    said = f"64 examples on 1 task only; others hold fewer train rows: few {held}"
    assert left_out(study.cells(), study.examples) == said
    (tmp_path / "study.yaml").write_text(study.text())
    assert run_cli("validate", tmp_path / "study.yaml") == 0 and said in capsys.readouterr().out
    assert run_cli("plan", tmp_path / "study.yaml") == 0 and said in capsys.readouterr().out
    assert run_cli("run", tmp_path / "study.yaml", "--out", tmp_path / "out") == 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("examples", "says"),
    [
        ([2, 300], "task 'many' holds"),  # no task has as many
        ([50, 64], "task 'few' holds"),  # it would be left without any
    ],
)
def test_a_size_that_no_task_holds_and_a_task_without_any_are_mistakes(
    tmp_path: Path, examples: list[int], says: str
) -> None:
    with pytest.raises(UserErrors, match=says):
        Study.make(two_tasks(tmp_path) | {"examples": examples}).cells()


def test_only_recipes_that_learn_go_without(tmp_path: Path) -> None:
    """A few-shot prompt of 50 shots would be another recipe with fewer."""
    with pytest.raises(UserErrors, match=r"'few_shot': task 'few' holds .* 50 were asked for"):
        Study.make(two_tasks(tmp_path, recipes=[{"few_shot": {"shots": 50}}, "iid_sft"])).cells()


def test_a_study_of_one_task_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(UserErrors, match="64 were asked for"):
        small_study(tmp_path, examples=[2, 64]).cells()
    assert left_out(small_study(tmp_path).cells(), [2, 4]) is None


def test_a_stack_on_instructions_goes_without_nothing(tmp_path: Path) -> None:
    """It has one cell whatever the study's examples are, which was said to lack them all."""
    stack = {"stacked": {"train": {"helpful_sft": {}}, "prompt": {"few_shot": {"shots": 2}}}}
    study = small_study(tmp_path, recipes=["zero_shot", stack], examples=[2, 64])
    assert {cell.examples for cell in study.cells()} == {0}
    assert left_out(study.cells(), study.examples) is None


def test_a_comparison_at_a_size_is_counted_for_the_tasks_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the plan, on the page and by the claims; on the other tasks nothing is missing."""
    counted: list[int] = []

    def counting(*arguments: Any, planned: int, **named: Any) -> list[Any]:
        counted.append(planned)
        return claims_of(*arguments, planned=planned, **named)

    monkeypatch.setattr(claims, "claims_of", counting)
    study = Study.make(two_tasks(tmp_path, compare=COMPARE))
    assert "for 3 primary comparisons" in "\n".join(power_lines(study.cells(), effect=0.05, primary=study.primary()))
    page = run_study(study, tmp_path / "out").folder / "report.html"
    assert "was not measured in full" not in page.read_text("utf-8")
    assert counted == [3]
