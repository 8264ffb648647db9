"""The user's own files: columns, answers, splits, and every mistake in one line that names file, row and field."""

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from educe.data.errors import UserError
from educe.data.loading.files import file_task
from educe.data.loading.readers import read_rows
from educe.data.resolve import resolve
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.recipes.runner.describe import describe

Rows = Sequence[Mapping[str, Any]]
LABELS = ["red", "green", "blue"]


def questions(number: int = 60, **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"Q{i}?", "choices": LABELS, "answer": LABELS[i % 3], **more} for i in range(number)]


def write_jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_csv(path: Path, rows: Rows, *, encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def held(task: Task) -> list[Any]:
    return sorted((row for split in SPLITS for row in task.rows[split]), key=lambda row: int(row.question[1:-1]))


def mistake(path: Path | str, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        file_task(str(path), **options).rows  # noqa: B018 - reading the rows is what fails
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_format_gives_the_same_examples(tmp_path: Path) -> None:
    rows = questions()
    jsonl = file_task(str(write_jsonl(tmp_path / "a.jsonl", rows)))
    parquet = file_task(str(write_parquet(tmp_path / "a.parquet", rows)))
    spread = [
        {"question": r["question"], **dict(zip(COLUMNS, LABELS, strict=True)), "answer": r["answer"]} for r in rows
    ]
    table = file_task(str(write_csv(tmp_path / "a.csv", spread, encoding="utf-8-sig")))
    as_text = [{**row, "choices": json.dumps(row["choices"])} for row in rows]
    text = file_task(str(write_csv(tmp_path / "b.csv", as_text)))
    assert (jsonl.kind, jsonl.name) == ("choice", "a")
    assert held(jsonl) == held(parquet) == held(table) == held(text)
    assert [row.answer for row in held(jsonl)[:4]] == ["red", "green", "blue", "red"]


COLUMNS = ("choice0", "choice1", "choice2")


def test_column_map_and_optional_fields(tmp_path: Path) -> None:
    rows = [
        {"Q": f"Q{i}?", "meta": {"right": "yes"}, "key": i, "topic": f"t{i % 5}", "also": ["yep", "aye"], "why": "so"}
        for i in range(60)
    ]
    columns = {"question": "Q", "answer": "meta.right", "id": "key", "cluster": "topic", "aliases": "also"}
    task = file_task(str(write_jsonl(tmp_path / "a.jsonl", rows)), columns={**columns, "worked": "why"})
    first = held(task)[0]
    assert (first.id, first.cluster, first.aliases, first.worked) == ("0", "t0", ("yep", "aye"), "so")
    assert task.kind == "generation" and task.grade is not None
    assert task.grade(first, "Aye.\n") == 1.0


def test_separator_splits_text_choices(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{**row, "choices": "red; green; blue"} for row in questions()])
    assert held(file_task(str(path), separator=";"))[0].choices == ("red", "green", "blue")
    assert (
        "row 1, field 'choices': 'red; green; blue' is text, not a list; write a JSON list or set separator"
        in mistake(path)
    )


@pytest.mark.parametrize("written", [[0, 1, 2], ["0", "1", "2"], [1, 2, 3], ["A", "B", "C"], ["a", "b", "c"], LABELS])
def test_what_the_answer_holds_is_seen_from_all_rows(tmp_path: Path, written: list[Any]) -> None:
    rows = [{**row, "answer": written[i % 3]} for i, row in enumerate(questions())]
    assert [row.answer for row in held(file_task(str(write_jsonl(tmp_path / "a.jsonl", rows))))] == [
        LABELS[i % 3] for i in range(60)
    ]


def test_an_answer_that_can_be_read_in_two_ways_asks(tmp_path: Path) -> None:
    rows = [{**row, "choices": ["2", "1", "0"], "answer": i % 3} for i, row in enumerate(questions())]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert mistake(path) == (
        f"{path}, line 1, field 'answer': 0 can be read as text and as index_from_0; "
        "set answer_is: text or answer_is: index_from_0"
    )
    assert held(file_task(str(path), answer_is="index_from_0"))[0].answer == "2"
    assert held(file_task(str(path), answer_is="text"))[0].answer == "0"


def test_readings_that_agree_do_not_ask(tmp_path: Path) -> None:
    rows = [{**row, "choices": ["0", "1", "2"], "answer": i % 3} for i, row in enumerate(questions())]
    assert held(file_task(str(write_jsonl(tmp_path / "a.jsonl", rows))))[1].answer == "1"


def test_rows_without_id_are_known_by_content(tmp_path: Path) -> None:
    rows = questions()
    changed = {**rows[0], "choices": ["pink", "red", "green"]}
    path = write_jsonl(tmp_path / "a.jsonl", [*rows, rows[5], changed])
    examples = held(file_task(str(path)))
    assert len(examples) == 61
    same_text = [row for row in examples if row.question == "Q0?"]
    assert len({row.id for row in same_text}) == 2 and len({row.cluster for row in same_text}) == 1


def test_rows_keep_their_split_when_the_file_grows(tmp_path: Path) -> None:
    few = file_task(str(write_jsonl(tmp_path / "a.jsonl", questions(60))))
    many = file_task(
        str(write_jsonl(tmp_path / "b.jsonl", [*questions(200), *questions(3, choices=["red", "green"])[:2]]))
    )
    for split in SPLITS:
        assert set(few.rows[split]) <= set(many.rows[split])


def test_an_option_printed_twice_is_one_option(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{**row, "choices": [*LABELS, "red"], "answer": 3} for row in questions()])
    task = file_task(str(path), answer_is="index_from_0")
    assert held(task)[0].choices == ("red", "green", "blue") and held(task)[0].answer == "red"


def test_rows_may_have_fewer_choice_columns_filled(tmp_path: Path) -> None:
    rows = [{"question": f"Q{i}?", "choice0": "a", "choice1": "b", "choice2": "", "answer": 1} for i in range(60)]
    assert held(file_task(str(write_csv(tmp_path / "a.csv", rows))))[0].choices == ("a", "b")


def test_csv_fields_may_hold_line_breaks(tmp_path: Path) -> None:
    rows = [{"question": f"Q{i}?", "answer": "first, then\nsecond"} for i in range(60)]
    assert held(file_task(str(write_csv(tmp_path / "a.csv", rows))))[0].answer == "first, then\nsecond"


def test_worked_solutions_are_seen_by_their_mark(tmp_path: Path) -> None:
    rows = [{"question": f"Q{i}?", "answer": f"1 + {i}\n#### {i + 1:,}"} for i in range(1000, 1060)]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    task = file_task(str(path))
    first = held(task)[0]
    assert (first.answer, first.worked, task.max_new_tokens) == ("1001", "1 + 1000\n#### 1,001", 320)
    assert task.grade is not None and task.grade(first, "so it is\n#### 1001") == 1.0
    plain = file_task(str(path), grade="exact")
    assert held(plain)[0].answer == "1 + 1000\n#### 1,001"


def test_train_and_dev_files_of_their_own(tmp_path: Path) -> None:
    paths = {}
    for start, split in ((0, "train"), (60, "dev"), (80, "test")):
        rows = [{**row, "question": f"Q{start + i}?"} for i, row in enumerate(questions(20))]
        paths[split] = str(write_jsonl(tmp_path / f"{split}.jsonl", rows))
    task = file_task(paths["test"], train=paths["train"], dev=paths["dev"])
    assert {split: len(task.rows[split]) for split in SPLITS} == {"train": 20, "dev": 20, "test": 20}
    message = mistake(paths["test"], train=paths["test"])
    assert "has one question in two splits: train id" in message and "set repeats: drop" in message
    kept = file_task(paths["test"], train=paths["train"], dev=paths["test"], repeats="drop")
    assert {split: len(kept.rows[split]) for split in SPLITS} == {"train": 20, "dev": 0, "test": 20}


def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", questions(3))
    with path.open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    rows = read_rows(path)
    assert [next(rows).fields["question"] for _ in range(3)] == ["Q0?", "Q1?", "Q2?"]


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    assert mistake(path) == f"{path}: no such file (from {Path.cwd()}); check the path"
    good = write_jsonl(tmp_path / "a.jsonl", questions())
    assert "none.csv: no such file" in mistake(good, train=str(path))


@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.csv", ""), ("a.csv", "question,answer\n")]
)
def test_empty_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert mistake(path) == f"{path}: the file holds no rows; give it at least one"


def test_unknown_extension(tmp_path: Path) -> None:
    assert "unknown extension '.txt'; use one of .jsonl, .json, .csv, .parquet" in mistake(tmp_path / "a.txt")


def test_broken_json(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", questions())
    path.write_text(path.read_text() + '{"question": "Q?", \n')
    assert f"{path}, line 61: broken JSON at column" in mistake(path)
    path.write_text("[1, 2]\n")
    assert f"{path}, line 1: not a JSON object but '[1, 2]'" in mistake(path)


def test_broken_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer\nQ1?,a\nQ2?,a,b\n")
    assert mistake(path) == f"{path}, row 2: 3 fields, but the header has 2; quote fields with commas"
    path.write_text('question,answer\nQ1?,a\n"Q2?,a\n')
    assert f"{path}, row 2: not readable as CSV (" in mistake(path)
    path.write_text("question,question\nQ1?,a\n")
    assert "two columns have the name 'question'" in mistake(path)


@pytest.mark.parametrize("write", [write_jsonl, write_csv, write_parquet])
def test_many_columns_are_refused_at_once(tmp_path: Path, write: Callable[[Path, Rows], Path]) -> None:
    """Names were compared with each other: 40,000 took half a minute."""
    path = write(tmp_path / f"a.{write.__name__.removeprefix('write_')}", [{f"c{i}": "a" for i in range(40_000)}])
    start = time.monotonic()
    assert mistake(path) == f"{path}: 40,000 columns, over 2,000; leave out those that are not needed"
    assert time.monotonic() - start < 5


def test_numbers_of_few_bits_are_their_shortest_text(tmp_path: Path) -> None:
    """Before: the answer 0.1 was 0.10000000149011612, and "0.1" was graded wrong."""
    for kind, written in ((pyarrow.float32(), ["0.1", "7.3333335"]), (pyarrow.float64(), ["0.1", str(22 / 3)])):
        table = pyarrow.table({"question": ["a", "b"], "answer": pyarrow.array([0.1, 22 / 3], kind)})
        pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
        assert [row.text("answer") for row in read_rows(tmp_path / "a.parquet")] == written


def test_broken_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("not parquet at all")
    assert mistake(path).startswith(f"{path}: not a Parquet file (")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_wrong_encoding_names_the_byte(tmp_path: Path, name: str, bom: bytes) -> None:
    jsonl = [f'{{"question": "Q{i}?", "answer": "caf\u00e9"}}\n' for i in range(3)]
    table = ["question,answer\n", "Q1?,caf\u00e9\n"]
    content = bom + "".join(jsonl if name == "a.jsonl" else table).encode("latin-1")
    path = tmp_path / name
    path.write_bytes(content)
    assert mistake(path) == f"{path}: byte {content.index(0xE9)} is not UTF-8; save the file as UTF-8"


def test_missing_column(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"Question": "Q?", "answer": "a"}])
    assert mistake(path) == (
        f"{path}: no column 'question'; did you mean 'Question'? (or set columns: {{question: NAME}})"
    )
    message = mistake(path, columns={"question": "Question", "choices": ["answr"]})
    assert message == f"{path}: no column 'answr' for choices; did you mean 'answer'?"
    assert (
        mistake(path, columns={"qestion": "Question"}) == "columns: unknown field 'qestion'; did you mean 'question'?"
    )
    assert "is not the name of a column" in mistake(path, columns={"question": 3})


def test_a_field_missing_in_one_row(tmp_path: Path) -> None:
    rows = questions()
    del rows[7]["answer"]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert mistake(path) == f"{path}, line 8, field 'answer': empty or missing; fill it in or drop the row"
    path = write_jsonl(tmp_path / "a.jsonl", [*questions(), {**rows[0], "question": " "}])
    assert mistake(path) == f"{path}, line 61, field 'question': empty or missing; fill it in or drop the row"


def test_answer_not_among_the_choices(tmp_path: Path) -> None:
    rows = [*questions(), {**questions(1)[0], "answer": "rde"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    where = f"{path}, line 61, field 'answer': answer 'rde' is not among the choices ['red', 'green', 'blue']"
    assert mistake(path) == f"{where}; correct one of them"
    assert "line 1, field 'answer': answer 'red' is not among" in mistake(path, answer_is="letter")


def test_a_number_that_is_no_options_says_how_many_there_are(tmp_path: Path) -> None:
    rows = [{**row, "answer": 3 if i == 20 else i % 2} for i, row in enumerate(questions())]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert mistake(path) == (f"{path}, line 21, field 'answer': answer 3 is none of the 3 options, 0 to 2; correct it")
    numbered = [{"question": f"Q{i}?", "choice1": "x", "choice2": "y", "answer": i % 2} for i in range(60)]
    path = write_jsonl(tmp_path / "b.jsonl", numbered)
    assert mistake(path) == (
        f"{path}, line 1, field 'answer': answer 0 is none of the 2 options, 1 to 2; "
        "correct it or set answer_is: index_from_0"
    )
    assert held(file_task(str(path), answer_is="index_from_0"))[1].answer == "y"


def test_numbers_that_may_count_from_0_or_from_1_ask(tmp_path: Path) -> None:
    """Answers 1 and 2 of three options, meant from 1, were read from 0 without a word."""
    path = write_jsonl(tmp_path / "a.jsonl", [{**row, "answer": 1 + i % 2} for i, row in enumerate(questions())])
    assert mistake(path) == (
        f"{path}, line 1, field 'answer': 1 can be read as index_from_0 and as index_from_1; "
        "set answer_is: index_from_0 or answer_is: index_from_1"
    )
    for start, first in ((0, "green"), (1, "red")):
        task = file_task(str(path), answer_is=f"index_from_{start}")  # type: ignore[arg-type]
        assert held(task)[0].answer == first
        assert f"  answers are read as: index_from_{start} (1 to 2)\n" in describe(task, style="chat")


@pytest.mark.parametrize("choices", [["red"], ["red", "red"]])
def test_one_choice_only(tmp_path: Path, choices: list[str]) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl", [*questions(), {"id": "x", "question": "Q?", "choices": choices, "answer": "red"}]
    )
    assert mistake(path) == f"{path}, line 61: example 'x' has one choice only ('red'); give at least two that differ"


def test_duplicate_ids(tmp_path: Path) -> None:
    rows = [{**row, "id": i % 59} for i, row in enumerate(questions())]
    path = write_csv(tmp_path / "a.csv", [{**row, "choices": json.dumps(LABELS)} for row in rows])
    assert mistake(path) == f"{path}, row 60, field 'id': '0' is also the id of {path}, row 1; make ids unique"


def test_no_number_to_grade(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "Q?", "answer": "none"}])
    assert mistake(path, grade="number") == (
        f"{path}, line 1, field 'answer': 'none' ends in no number, or in one that can be read in several ways; "
        "write 1234.5, 3/4 or #### 1234.5, or use grade: exact"
    )


def test_wrong_option_values(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", questions())
    assert mistake(path, answer_is="indx") == "answer_is: 'indx' is not known; did you mean 'index_from_1'?"
    assert mistake(path, repeats="dorp") == "repeats: 'dorp' is not known; did you mean 'drop'?"
    assert mistake(path, columns="question") == "columns: 'question' is not a mapping; write columns: {name: value}"
    assert mistake(path, train=3) == "train: 3 is not text; put it in quotes"
    assert mistake(path, grade="number") == "grade: 'number' is for tasks without choices; leave grade out"
    free = write_jsonl(tmp_path / "b.jsonl", [{"question": "Q?", "answer": "a"}])
    assert mistake(free, grade="numbers") == "grade: 'numbers' is not known; did you mean 'number'?"
    assert "its choices are in other columns than those of" in mistake(path, train=str(free))


def test_mmlu_files(test_data: Path) -> None:
    file = test_data / "mmlu" / "test" / "anatomy_test.csv"
    task = resolve({f"file:{file}": {"answer_as": "letter"}})
    assert (task.name, task.kind, {split: len(task.rows[split]) for split in SPLITS}) == (
        "anatomy_test",
        "choice",
        {"train": 82, "dev": 9, "test": 44},
    )
    first = next(row for split in SPLITS for row in task.rows[split] if row.question.startswith("A lesion causing"))
    assert first.answer == "paralysis of the facial muscles."
    both = resolve({f"file:{file}": {"train": str(test_data / "mmlu" / "dev" / "anatomy_dev.csv")}})
    assert {split: len(both.rows[split]) for split in SPLITS} == {"train": 4, "dev": 1, "test": 135}


def test_every_mmlu_subject_loads(test_data: Path) -> None:
    files = sorted((test_data / "mmlu" / "test").glob("*.csv"))
    total = sum(len(file_task(str(file)).rows[split]) for file in files for split in SPLITS)
    assert (len(files), total) == (57, 14_015)


def test_gsm8k_files(test_data: Path) -> None:
    task = file_task(str(test_data / "gsm8k" / "test.jsonl"))
    assert (task.kind, {split: len(task.rows[split]) for split in SPLITS}) == (
        "generation",
        {"train": 785, "dev": 113, "test": 421},
    )
    assert all(row.answer.lstrip("-").replace(".", "").isdigit() for row in task.rows["test"])
    assert all(task.grade is not None and task.grade(row, row.worked or "") == 1.0 for row in task.rows["test"])


def test_truthfulqa_file(test_data: Path) -> None:
    columns = {"question": "Question", "answer": "Best Answer", "aliases": "Correct Answers"}
    task = file_task(str(test_data / "truthfulqa" / "TruthfulQA.csv"), columns=columns, separator=";")
    first = next(row for split in SPLITS for row in task.rows[split] if row.question == "Why do veins appear blue?")
    assert sum(len(task.rows[split]) for split in SPLITS) == 813
    assert first.answer in first.aliases and len(first.aliases) == 5
