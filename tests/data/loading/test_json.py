"""JSON files by their shape: a list of rows, or a mapping with one, as in BIG-Bench Hard."""

import json
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.loading.files import file_task

ROWS = [{"question": f"Q{number}?", "answer": "yes"} for number in range(40)]
HARD = [{"input": f"not ( True ) and {number} is", "target": "False"} for number in range(40)]


def write(folder: Path, value: Any) -> str:
    path = folder / "a.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "value", [ROWS, {"examples": ROWS}, {"version": 1, "data": ROWS}, {"canary": "x", "rows": ROWS}]
)
def test_shapes(tmp_path: Path, value: Any) -> None:
    assert sum(map(len, file_task(write(tmp_path, value)).rows.values())) == 40


def test_big_bench_hard(tmp_path: Path) -> None:
    task = file_task(write(tmp_path, {"canary": "BENCHMARK DATA", "examples": HARD}))
    row = next(row for row in task.rows["test"])
    assert task.kind == "generation" and row.question.startswith("not ( True )") and row.answer == "False"
    assert task.grade is not None and task.grade(row, " False\n\nQ: x") == 1.0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"name": "x"}, "no list of objects"),
        ("text", "no list of objects"),
        ([], "the file holds no rows"),
        ([*ROWS, "yes"], "row 41: not an object but 'yes'"),
        ({"examples": [1]}, "example 1: not an object but '1'"),
        ({"examples": [{"input": "Q", "target_scores": {"a": 1}}]}, "a task of BIG-bench; write bigbench:"),
        ([{"input": "Q", "output": "a"}], "no column 'question'"),
    ],
)
def test_mistakes(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(UserError) as error:
        file_task(write(tmp_path, value)).rows  # noqa: B018 - reading the rows is what fails
    assert says in str(error.value) and "\n" not in str(error.value)
