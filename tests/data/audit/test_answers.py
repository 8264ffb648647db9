"""Answers that contradict each other, and the few that make a task of numbers be graded as text."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.audit.audit import audit
from educe.data.loading.files import file_task
from educe.data.task import Task
from educe.recipes.runner.audits import update_audits
from educe.recipes.runner.store import Store
from tests.recipes.small import write_rows

SUMS = [{"id": f"s{n}", "question": f"What is {n} and 1?", "answer": str(n + 1)} for n in range(60)]
PARITY = [
    {"id": f"p{n}", "question": f"Is {n} odd?", "choices": ["yes", "no"], "answer": "yes" if n % 2 else "no"}
    for n in range(60)
]


def made(folder: Path, rows: list[dict[str, Any]], **options: Any) -> Task:
    return file_task(str(write_rows(folder / "a.jsonl", rows)), **options)


def sentences(task: Task) -> dict[str, str]:
    return {each.kind: each.sentence for each in audit(task) if each.serious}


@pytest.mark.parametrize("choices", [["yes", "no"], ["no", "yes"]])
def test_one_question_with_two_answers_is_named(tmp_path: Path, choices: list[str]) -> None:
    again = {"id": "again", "question": "is 4  ODD?", "choices": choices, "answer": "yes"}
    said = sentences(made(tmp_path, [*PARITY, again]))["contradictions"]
    assert said.startswith("2 rows ask the same as another and have another answer; correct or drop them: ")
    assert "'yes' (row 'again')" in said and "'no' (row 'p4')" in said
    assert "contradictions" not in sentences(made(tmp_path, [*PARITY, {**again, "answer": "no"}]))
    assert "contradictions" not in sentences(made(tmp_path, [*PARITY, {**again, "choices": ["yes", "no", "both"]}]))


@pytest.mark.parametrize(
    ("question", "answer", "aliases", "contradicts"),
    [
        ("What is 4 and 1?", "5.0", [], False),
        ("What is 4 and 1?", "6", [], True),
        ("What is a fruit?", "The apple.", [], False),
        ("What is a fruit?", "pear", ["apple"], False),
        ("What is a fruit?", "pear", [], True),
    ],
)
def test_answers_that_the_grader_takes_for_each_other_agree(
    tmp_path: Path, question: str, answer: str, aliases: list[str], contradicts: bool
) -> None:
    number = question == SUMS[4]["question"]
    fruit = [] if number else [{"id": "fruit", "question": "What is a fruit?", "answer": "apple"}]
    rows = [*SUMS, *fruit, {"id": "x", "question": question, "answer": answer, "aliases": aliases}]
    task = made(tmp_path, rows, grade="number" if number else "exact")
    assert ("contradictions" in sentences(task)) == contradicts


@pytest.mark.parametrize("place", [0, 30])
def test_the_answers_that_make_numbers_be_graded_as_text_are_named(tmp_path: Path, place: int) -> None:
    """One of them turned the grader from numbers to text without a word."""
    rows = [*SUMS[:place], {"id": "odd", "question": "What is x?", "answer": "none"}, *SUMS[place:]]
    task = made(tmp_path, rows)
    assert task.grader == "exact match"
    assert sentences(task)["not_numbers"] == (
        "1 of 61 answers is not a number alone, so all are graded as text: 'none' (row 'odd'); correct them, or choose "
        "with grade: number or grade: exact."
    )
    assert "not_numbers" not in sentences(made(tmp_path, rows, grade="exact"))


def test_numbers_among_texts_are_no_finding(tmp_path: Path) -> None:
    rows = [{**row, "answer": f"word {n}"} if n % 2 else row for n, row in enumerate(SUMS)]
    assert "not_numbers" not in sentences(made(tmp_path, rows))


def test_a_stored_audit_is_made_again_once_the_grade_is_chosen(tmp_path: Path) -> None:
    rows = [*SUMS, {"id": "odd", "question": "What is x?", "answer": "none"}]
    store = Store(tmp_path)
    kinds = []
    for options in ({}, {"grade": "exact"}):
        update_audits(store, [made(tmp_path, rows, **options)])
        kinds.append({each.kind for each in store.read_audits()["a"].findings})
    assert "not_numbers" in kinds[0] and "not_numbers" not in kinds[1]
