"""Tasks from the user's own files: `file:PATH.jsonl`, `.csv` or `.parquet`.

Columns: `question`, `answer`, `choices` (a list, a JSON list in a text cell, or columns choice0, choice1, ...) and,
optionally, `id`, `cluster`, `worked`, `aliases`; `columns` names others. Without choices the task is generation.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import FINAL_MARK, exact_match, number_match
from educe.data.loading.columns import ANSWER_IS, GRADE_BY, AnswerIs, GradeBy, find_columns, to_examples
from educe.data.loading.readers import read_rows
from educe.data.splits import drop_repeats
from educe.data.task import Grade, Task
from educe.data.validation import check_mapping, check_one_of, check_text

Repeats = Literal["error", "drop"]
REPEATS = ("error", "drop")
Load = Callable[[], Mapping[str, Sequence[Example]]]
GRADES: dict[GradeBy, Grade] = {"exact": exact_match, "number": number_match}
# Room for the answer alone, and for a worked solution before it.
NEW_TOKENS: dict[GradeBy, int] = {"exact": 32, "number": 320}


def file_task(
    path: str,
    *,
    columns: Mapping[str, Any] | None = None,
    answer_is: AnswerIs = "auto",
    separator: str | None = None,
    grade: GradeBy | None = None,
    train: str | None = None,
    dev: str | None = None,
    repeats: Repeats = "error",
) -> Task:
    """A task from one file, split by hash. With `train` (and `dev`) files of their own, the file is the test.

    `answer_is` says what the answer column of a multiple-choice file holds (an index counts from 0). A generation task
    is graded by exact match, or by its final number where `grade: number` says so or the first answer ends in
    `#### 18`, which makes the answer 18 and the whole text its worked solution. `repeats: drop` leaves out train
    questions that the test repeats. The first row is read at once, the rest on first use. UserError where an option
    or the file does not fit.
    """
    check_row_options(columns=columns, answer_is=answer_is, repeats=repeats, separator=separator, train=train, dev=dev)
    others = {split: Path(each).expanduser() for split, each in (("train", train), ("dev", dev)) if each is not None}
    main = Path(path).expanduser()
    paths = {"test" if others else "all": main, **others}
    first_rows = {file: next(read_rows(file)) for file in paths.values()}
    found = {
        file: find_columns(columns or {}, row.fields, where=str(file), separator=separator)
        for file, row in first_rows.items()
    }
    for file in others.values():
        if found[file] != found[main]:
            raise UserError(f"{file}: its choices are in other columns than those of {main}; use the same in both")
    choices = found[main].choices is not None
    if grade is None:
        worked = FINAL_MARK in str(first_rows[main].fields.get(found[main].answer))
        grade = "number" if worked and not choices else "exact"
    else:
        check_one_of("grade", grade, GRADE_BY)
        if choices:
            raise UserError(f"grade: {grade!r} is for tasks without choices; leave grade out")

    def load() -> Mapping[str, Sequence[Example]]:
        rows = {split: read_rows(each) for split, each in paths.items()}
        return to_examples(rows, found[main], answer_is=answer_is, grade=grade)

    return make_task(name=Path(path).stem, load=load, choices=choices, grade=grade, repeats=repeats)


def check_row_options(*, columns: Any, answer_is: Any = "auto", repeats: Any = "error", **texts: Any) -> None:
    """UserError where an option on how rows are read has a wrong value; a text may be missing."""
    check_mapping("columns", columns)
    check_one_of("answer_is", answer_is, ANSWER_IS)
    check_one_of("repeats", repeats, REPEATS)
    for option, value in texts.items():
        if value is not None:
            check_text(option, value)


def make_task(*, name: str, load: Load, choices: bool, grade: GradeBy, repeats: Repeats = "error", **more: Any) -> Task:
    """Multiple choice, or generation with its grader and room to answer; `repeats: drop` drops repeated questions."""
    if not choices:
        more = {"grade": GRADES[grade], "max_new_tokens": NEW_TOKENS[grade], **more}
    kept = (lambda: drop_repeats(load())) if repeats == "drop" else load
    return Task(name=name, version=1, kind="choice" if choices else "generation", load=kept, **more)
