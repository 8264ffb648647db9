"""A task is what its file says, wholly: columns that are recognised, joined, refused and left over."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from educe.data.audit.audit import audit
from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.loading.files import file_task
from educe.data.splits import SPLITS
from educe.data.task import Task

Rows = Sequence[Mapping[str, Any]]
LETTERS = ["A", "B", "C", "D"]


def write_csv(path: Path, rows: Rows) -> str:
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    path.write_text("".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def write_jsonl(path: Path, rows: Rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def examples(task: Task) -> list[Example]:
    return sorted((row for split in SPLITS for row in task.rows[split]), key=lambda row: int(row.question.split()[-1]))


def mistake(path: str, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        file_task(path, **options).rows  # noqa: B018 - reading the rows is what fails
    assert "\n" not in str(error.value)
    return str(error.value)


def reading(number: int = 60, **more: Any) -> list[dict[str, Any]]:
    options = {letter: f"{letter.lower()}-thing" for letter in LETTERS}
    return [
        {"passage": f"Story {i // 3}.", "question": f"What of {i}", **options, "answer": LETTERS[i % 4], **more}
        for i in range(number)
    ]


def test_a_multiple_choice_table_with_passages_is_one(tmp_path: Path) -> None:
    """It became a generation task without its passage or its options, and scored 0."""
    task = file_task(write_csv(tmp_path / "a.csv", reading()))
    assert task.kind == "choice"
    first, second = examples(task)[:2]
    assert first.question == "Story 0.\nWhat of 0" and first.answer == "a-thing" and second.answer == "b-thing"
    assert first.choices == ("a-thing", "b-thing", "c-thing", "d-thing")
    assert first.cluster == second.cluster and first.cluster != examples(task)[3].cluster
    assert task.columns is not None
    assert task.columns().used == {"question": ("passage", "question"), "choices": tuple("ABCD"), "answer": ("answer",)}
    assert task.columns().unused == ()


def test_a_wrong_answer_letter_is_named(tmp_path: Path) -> None:
    """It was ignored."""
    rows = reading()
    rows[6]["answer"] = "E"
    path = write_csv(tmp_path / "a.csv", rows)
    assert f"{path}, row 7, field 'answer': answer 'E' is not among the choices" in mistake(path)


@pytest.mark.parametrize(
    "names",
    [
        ["A", "B", "C", "D"],
        ["option_a", "option_b", "option_c", "option_d"],
        ["optionA", "optionB", "optionC", "optionD"],
        ["choice0", "choice1", "choice2", "choice3"],
        ["choice_1", "choice_2", "choice_3", "choice_4"],
        ["option1", "option2", "option3", "option4"],
    ],
)
@pytest.mark.parametrize("answers", ["letter", "index", "text"])
def test_columns_of_choices_are_recognised(tmp_path: Path, names: list[str], answers: str) -> None:
    def answer(place: int) -> str:
        start = int(names[0].endswith("1"))
        return {"letter": LETTERS[place], "index": str(place + start), "text": f"t{place}"}[answers]

    options = {name: f"t{place}" for place, name in enumerate(names)}
    rows = [{"question": f"Q {i}", **options, "label": answer(i % 4)} for i in range(60)]
    task = file_task(write_csv(tmp_path / "a.csv", rows))
    assert [row.answer for row in examples(task)[:5]] == ["t0", "t1", "t2", "t3", "t0"]


def test_a_list_of_options_and_a_context_are_recognised(tmp_path: Path) -> None:
    rows = [{"context": "", "question": f"Q {i}", "options": ["x", "y"], "label": i % 2} for i in range(60)]
    assert examples(file_task(write_jsonl(tmp_path / "a.jsonl", rows)))[1] == Example(
        id=examples(file_task(str(tmp_path / "a.jsonl")))[1].id,
        question="Q 1",
        choices=("x", "y"),
        answer="y",
        cluster=examples(file_task(str(tmp_path / "a.jsonl")))[1].cluster,
    )


def test_joined_columns(tmp_path: Path) -> None:
    rows = [{"title": f"T{i % 2}", "q": f"Q {i}", "answer": "yes", "{x}": f"z {i}"} for i in range(60)]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    task = file_task(path, columns={"question": "{{{title}}}: {q}"})
    assert examples(task)[3].question == "{T1}: Q 3"
    assert examples(file_task(path, columns={"question": "{q}"}))[3].question == "Q 3"
    assert examples(file_task(path, columns={"question": "{x}"}))[3].question == "z 3"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{q.__class__}", "no column 'q.__class__' for question"),
        ("{q!r}", "no column 'q!r' for question; did you mean 'q'?"),
        ("{q:>99999999}", "no column 'q:>99999999' for question"),
        ("{q[0]}", "no column 'q[0]' for question"),
        ("{}", "no column '' for question"),
        ("{q", "has a brace without its other one; write {NAME}"),
        ("q}", "has a brace without its other one; write {NAME}"),
        ("{{q}}", "names no column; write {NAME} where one belongs"),
    ],
)
def test_a_template_has_plain_names_of_columns_only(tmp_path: Path, template: str, says: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"q": "Q 1", "answer": "yes"}])
    assert says in mistake(path, columns={"question": template})


def test_an_empty_joined_column_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"t": "x", "q": "Q", "answer": "y"}, {"t": "", "q": "Q", "answer": "y"}])
    assert mistake(path, columns={"question": "{t} {q}"}) == (
        f"{path}, line 2, field 'question': its column 't' is empty or missing; fill it in or drop the row"
    )


def test_unused_columns_that_look_like_the_question_are_known(tmp_path: Path) -> None:
    """They were ignored without a word."""
    rows = [
        {
            "question": f"Q {i}",
            "answer": "yes",
            "paragraph": "short",
            "body": f"A long text that tells about case {i} and its end",
            "explanation": f"A long text that tells why case {i} is so",
            "topic": "all of the rows say the same here",
            "split": "test",
        }
        for i in range(60)
    ]
    task = file_task(write_jsonl(tmp_path / "a.jsonl", rows))
    assert task.columns is not None
    assert task.columns().unused == ("paragraph", "body", "explanation", "topic", "split")
    assert set(task.columns().suspicious) == {"paragraph", "body"}


def test_answers_that_are_numbers_are_graded_as_numbers(tmp_path: Path) -> None:
    """They were graded by exact text."""
    rows = [{"question": f"Q {i}", "answer": i} for i in range(60)]
    task = file_task(write_jsonl(tmp_path / "a.jsonl", rows))
    row = examples(task)[42]
    assert task.grader == "number match" and task.grade is not None
    assert task.grade(row, "The answer is 42.0.") == 1 and task.max_new_tokens == 32
    exact = file_task(str(tmp_path / "a.jsonl"), grade="exact")
    assert exact.grader == "exact match" and exact.fingerprint != task.fingerprint
    mixed = file_task(write_jsonl(tmp_path / "b.jsonl", [*rows, {"question": "Q 99", "answer": "none"}]))
    assert mixed.grader == "exact match"


@pytest.mark.parametrize("answer", ["6.02e23", "3/4", "1,234.50", "123456789012345678901234567890.5"])
def test_a_number_stays_as_the_file_writes_it(tmp_path: Path, answer: str) -> None:
    rows = [{"question": f"Q {i}", "answer": answer} for i in range(60)]
    task = file_task(write_jsonl(tmp_path / "a.jsonl", rows), grade="number")
    row = examples(task)[0]
    assert row.answer == answer and task.grade is not None and task.grade(row, f"So it is {answer}.") == 1
    assert task.grade(row, answer[-2:]) == 0


@pytest.mark.parametrize("answer", ["1/2/2020", "2 million", "3,14", "at 3:45", "3/0", "1e9999999999"])
def test_a_gold_answer_that_reads_in_several_ways_is_refused(tmp_path: Path, answer: str) -> None:
    """The grader would not take it of itself."""
    path = write_jsonl(
        tmp_path / "a.jsonl", [{"question": "Q 1", "answer": "5"}, {"question": "Q 2", "answer": answer}]
    )
    assert f"{path}, line 2, field 'answer': {answer!r} ends in no number, or" in mistake(path, grade="number")


def write_parquet(path: Path, **columns: Any) -> str:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)
    return str(path)


def test_binary_columns_are_the_text_that_they_hold(tmp_path: Path) -> None:
    """They became "b'Q 1'"."""
    questions = [f"Q {i}".encode() for i in range(60)]
    choices = [[b"\xc3\xa9", b"n"]] * 60
    task = file_task(write_parquet(tmp_path / "a.parquet", question=questions, choices=choices, answer=["n"] * 60))
    assert examples(task)[1].question == "Q 1" and examples(task)[1].choices == ("\u00e9", "n")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\xff\xfe", "bytes that are not UTF-8 (b'\\xff\\xfe'); store text"),
        ([["a"]], "a list is not text; name a column with one text or number in each row"),
        ({"a": 1}, "a dict is not text; name a column with one text or number in each row"),
        (float("nan"), "nan is not text; name a column with one text or number in each row"),
    ],
)
@pytest.mark.parametrize("field", ["question", "answer", "id"])
def test_columns_of_other_things_are_refused(tmp_path: Path, value: Any, says: str, field: str) -> None:
    columns = {"question": ["Q 1"], "answer": ["yes"], field: [value]}
    path = write_parquet(tmp_path / "a.parquet", **columns)
    assert mistake(path) == f"{path}, row 1, field {field!r}: {says}"


def test_copies_under_new_ids_share_a_cluster(tmp_path: Path) -> None:
    """They counted as items of their own."""
    rows = [
        {"id": f"{copy}-{i}", "question": f"Is it {i}{mark}", "answer": "yes"}
        for i in range(30)
        for copy, mark in (("x", "?"), ("y", " ?"))
    ]
    rows += [{"id": "alone", "question": "Is it alone?", "answer": "yes"}]
    other = [{"id": f"t{i}", "question": f"Train {i}", "answer": "yes"} for i in range(30)]
    task = file_task(write_jsonl(tmp_path / "a.jsonl", rows), train=write_jsonl(tmp_path / "b.jsonl", other))
    test = task.rows["test"]
    assert len(test) == 61 and len({row.cluster or row.id for row in test}) == 31
    assert [row.cluster for row in test if row.id == "alone"] == [None]


def agieval(**more: Any) -> list[dict[str, Any]]:
    """Rows as AGIEval has them."""
    return [
        {
            "passage": f"Five students, {i}.",
            "question": f"Who is {i}",
            "options": ["(A)a", "(B)b"],
            "label": "A",
            **more,
        }
        for i in range(40)
    ]


def test_columns_are_joined_by_a_list(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", agieval())
    rows = examples(file_task(path, columns={"question": ["passage", "question"]}))
    assert (rows[7].question, rows[7].answer) == ("Five students, 7.\nWho is 7", "(A)a")
    assert "no column 'pasage' for question" in mistake(path, columns={"question": ["pasage", "question"]})
    assert "question: [] is not the name of a column" in mistake(path, columns={"question": []})


def test_half_a_question_is_a_serious_finding(tmp_path: Path) -> None:
    half = {"question": "question", "choices": "options", "answer": "label"}
    task = file_task(write_jsonl(tmp_path / "a.jsonl", agieval()), columns=half)
    (unread,) = (each for each in audit(task) if each.kind == "unread_columns")
    assert unread.serious and "'passage' (by its name)" in unread.sentence
    task = file_task(write_jsonl(tmp_path / "b.jsonl", agieval(passage=None)), columns=half)
    assert not any(each.kind == "unread_columns" for each in audit(task)), "nobody misses an empty column"
