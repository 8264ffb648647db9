"""`educe validate` shows what each task is; a run says before and after what makes its scores doubtful."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.loading.files import file_task
from educe.recipes.runner.describe import describe
from tests.recipes.small import no_figures, run_cli, study_file, write_rows


def rows(**more: Any) -> list[dict[str, Any]]:
    return [{"question": f"What is {n} and 1?", "answer": n + 1, **more} for n in range(60)]


def test_a_task_is_shown_with_its_columns_grader_prompt_and_answer(tmp_path: Path) -> None:
    texts = [{**row, "question": f"{row['question']}\n\x1b[31mred"} for row in rows(topic="sums")]
    lines = describe(file_task(str(write_rows(tmp_path / "a.jsonl", texts))), style="completion").split("\n")
    assert lines[0].startswith("task a: generation, at most 32 tokens; ") and lines[0].count("rows") == 3
    assert lines[1] == "  columns: 'question' -> question, 'answer' -> answer"
    assert lines[2] == "  columns that are not read: 'topic'"
    assert lines[3] == "  graded by: number match (the final number; every answer is one)"
    assert lines[4].startswith("  prompt of row '") and lines[4].endswith("zero-shot, as text to complete:")
    assert lines[6] == "    | \\x1b[31mred" and "  its answer:" in lines


def test_clusters_are_counted(tmp_path: Path) -> None:
    """30 test rows and copies of them under new ids counted as 60."""
    test = [{"id": f"{copy}{n}", "question": f"Is it {n}?", "answer": "yes"} for n in range(30) for copy in "xy"]
    train = [{"id": f"t{n}", "question": f"Was it {n}?", "answer": "yes"} for n in range(30)]
    path, other = write_rows(tmp_path / "a.jsonl", test), write_rows(tmp_path / "b.jsonl", train)
    shown = describe(file_task(str(path), train=str(other)), style="chat")
    assert "60 test rows in 30 clusters" in shown and "[user] Is it" in shown


def test_an_unread_column_is_a_warning_of_validate_and_at_the_start_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was left out without a word, and "all in order"."""
    no_figures(monkeypatch)
    path = study_file(tmp_path, recipes=["zero_shot"])
    write_rows(tmp_path / "parity.jsonl", [{**row, "story": "Once."} for row in rows()])
    assert run_cli("validate", path) == 0
    said = capsys.readouterr().out
    assert (
        said.startswith(f"{path}: 1 cell, 1 warning\n") and "warning: parity: The column 'story' (by its name)" in said
    )
    assert run_cli("run", path, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert said.index("warning: parity: The column 'story' (by its name)") < said.index("loading tiny-random")
    # The tiny model writes noise up to the limit, and nothing is right.
    assert "warning: Scores of exactly 0: a wrong format or grader" in said
    assert "warning: Generated answers that were cut at the limit of tokens: tiny-random, parity, zero_shot" in said
