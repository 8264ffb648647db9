"""Tasks from the user's own files: `file:PATH.jsonl`, `.csv` or `.parquet`.

Columns: `question`, `answer`, `choices` (a list, a JSON list in a text cell, or columns choice0, choice1, ...) and,
as wanted, `id`, `cluster`, `worked`, `aliases`; `columns` names others. Without choices the task is generation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import FINAL_MARK, exact_match, number_match
from educe.data.loading.columns import ANSWER_IS, GRADE_BY, AnswerIs, Columns, GradeBy, find_columns, to_examples
from educe.data.loading.readers import Row, read_rows
from educe.data.splits import drop_repeats
from educe.data.task import Grade, Kind, Task
from educe.data.validation import check_mapping, check_one_of, check_text

Repeats = Literal["error", "drop"]
REPEATS = ("error", "drop")
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
    """A task from one file, split by hash, or with `train` (and `dev`) files of their own, when the file is the test.

    `answer_is` says what the answer column of a multiple-choice file holds (an index counts from 0). A generation task
    is graded by exact match, or by its final number where `grade: number` says so or the first answer ends in
    `#### 18`, which makes the answer 18 and the whole text its worked solution. `repeats: drop` leaves out train
    questions that are asked again in the test. The first row is read at once, the rest on first use. UserError where
    an option or the file does not fit.
    """
    for option, value in (("separator", separator), ("train", train), ("dev", dev)):
        if value is not None:
            check_text(option, value)
    check_mapping("columns", columns)
    check_one_of("answer_is", answer_is, ANSWER_IS)
    check_one_of("repeats", repeats, REPEATS)
    paths = _paths(path, train=train, dev=dev)
    firsts = {split: next(read_rows(each)) for split, each in paths.items()}
    found = {
        split: find_columns(columns or {}, row.fields, where=str(paths[split]), separator=separator)
        for split, row in firsts.items()
    }
    main = next(iter(found))
    for split, other in found.items():
        if other != found[main]:
            raise UserError(
                f"{paths[split]}: its choices stand in other columns than in {paths[main]}; make both alike"
            )
    grade_by = grade_of(grade, found[main], firsts[main])

    def load() -> Mapping[str, Sequence[Example]]:
        rows = {split: read_rows(each) for split, each in paths.items()}
        loaded = to_examples(rows, found[main], answer_is=answer_is, grade=grade_by)
        return drop_repeats(loaded) if repeats == "drop" else loaded

    return make_task(name=Path(path).stem, load=load, choices=found[main].choices is not None, grade=grade_by)


def grade_of(grade: GradeBy | None, columns: Columns, first: Row | None) -> GradeBy:
    """How a generation task is graded: as the user says, else by number where the first answer ends in `#### N`."""
    if grade is None:
        marked = first is not None and FINAL_MARK in str(first.fields.get(columns.answer))
        return "number" if marked and columns.choices is None else "exact"
    check_one_of("grade", grade, GRADE_BY)
    if columns.choices is not None:
        raise UserError(f"grade: {grade!r} is for tasks without choices; leave grade out")
    return grade


def make_task(*, name: str, load: Any, choices: bool, grade: GradeBy, **more: Any) -> Task:
    """Multiple choice, or generation with its grader and room to answer."""
    kind: Kind = "choice" if choices else "generation"
    if not choices:
        more = {"grade": GRADES[grade], "max_new_tokens": NEW_TOKENS[grade], **more}
    return Task(name=name, version=1, kind=kind, load=load, **more)


def _paths(path: str, *, train: str | None, dev: str | None) -> dict[str, Path]:
    more = {split: Path(each).expanduser() for split, each in (("train", train), ("dev", dev)) if each is not None}
    return {"test" if more else "all": Path(path).expanduser(), **more}
