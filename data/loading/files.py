"""Tasks from the user's own files: `file:PATH.jsonl`, `.json`, `.csv` or `.parquet`.

Columns: `question`, perhaps after `passage` or `context`; `answer` or `label`; `choices` or `options` (a list, or a
JSON list in a text cell), or choice0, choice1, ... or option_a, option_b, ... or A, B, ...; and `id`, `cluster`,
`worked`, `aliases`. `columns` names others. Without choices the task is generation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import FINAL_MARK, exact_match, is_number, number_match
from educe.data.loading.answers import ANSWER_IS, AnswerIs
from educe.data.loading.columns import GRADE_BY, GradeBy, Loaded, to_examples
from educe.data.loading.names import find_columns
from educe.data.loading.readers import read_rows
from educe.data.own import OwnGrade, is_own, own_grade
from educe.data.splits import drop_repeats
from educe.data.task import ColumnsRead, Grade, Kind, Task
from educe.data.validation import check_mapping, check_one_of, check_text

Repeats = Literal["error", "drop"]
REPEATS = ("error", "drop")
Load = Callable[[], Loaded]
GRADES: dict[GradeBy, Grade] = {"exact": exact_match, "number": number_match}
# Room for the answer alone, and for a worked solution before it.
NEW_TOKENS: dict[GradeBy, int] = {"exact": 32, "number": 320}


def file_task(
    path: str,
    *,
    columns: Mapping[str, Any] | None = None,
    answer_is: AnswerIs = "auto",
    separator: str | None = None,
    grade: str | None = None,
    train: str | None = None,
    dev: str | None = None,
    repeats: Repeats = "error",
) -> Task:
    """A task from one file, split by hash. With `train` (and `dev`) files of their own, the file is the test.

    `answer_is` says what the answer column of a multiple-choice file holds ("auto": what fits every row, where numbers
    count as the columns of the choices do, if these are numbered). A generation task is graded by its final number
    where `grade: number` says so, every answer is a number, or the first one ends in `#### 18`, which makes the answer
    18 and the whole text its worked solution; else by exact match. `repeats: drop` leaves out train questions that the
    test repeats. The first row is read at once, the rest on first use. UserError where an option or the file does not
    fit.
    """
    check_row_options(columns=columns, answer_is=answer_is, repeats=repeats, separator=separator, train=train, dev=dev)
    by, own = read_grade(grade)
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
    if by is None:
        answer = str(first_rows[main].value(found[main].answer)).strip()
        by = "number" if FINAL_MARK in answer else None if is_number(answer) else "exact"
    elif choices:
        raise UserError(f"grade: {grade!r} is for tasks without choices; leave grade out")

    def load() -> Loaded:
        rows = {split: read_rows(each) for split, each in paths.items()}
        return to_examples(rows, found[main], answer_is=answer_is, grade=by or "exact")

    task = make_task(
        name=Path(path).stem, load=load, choices=choices, grade=by, grade_chosen=grade is not None, repeats=repeats
    )
    return graded(task, own)


def read_grade(grade: str | None) -> tuple[GradeBy | None, OwnGrade | None]:
    """How answers are read and graded, as an option says it: by a function of the user's own, they are read as text."""
    if isinstance(grade, str) and is_own(grade):
        return "exact", own_grade(grade)
    for known in GRADE_BY:
        if grade == known:
            return known, None
    if grade is not None:
        check_one_of("grade", grade, GRADE_BY)
    return None, None


def graded(task: Task, own: OwnGrade | None) -> Task:
    """The task, graded by a function of the user's own where there is one."""
    return task if own is None else replace(task, grade=own.grade, code=own.sha256)


def check_row_options(*, columns: Any, answer_is: Any = "auto", repeats: Any = "error", **texts: Any) -> None:
    """UserError where an option on how rows are read has a wrong value; a text may be missing."""
    check_mapping("columns", columns)
    check_one_of("answer_is", answer_is, ANSWER_IS)
    check_one_of("repeats", repeats, REPEATS)
    for option, value in texts.items():
        if value is not None:
            check_text(option, value)


def make_task(
    *,
    name: str,
    load: Load,
    choices: bool,
    grade: GradeBy | None,
    grade_chosen: bool = True,
    repeats: Repeats = "error",
    own_grade: Grade | None = None,
    **more: Any,
) -> Task:
    """Multiple choice, or generation with its grader and room to answer; `repeats: drop` drops repeated questions.

    Without a `grade` the rows are read at once: by number where all answers are numbers alone, else by exact match.
    `grade_chosen` says that a grade does not follow from the answers. An `own_grade` takes the place of `grade`'s.
    """
    read = cache(load)
    kind: Kind = "choice" if choices else "generation"
    by_answers = not choices and (grade is None or not grade_chosen)
    if not choices:
        tokens = NEW_TOKENS[grade or "exact"]
        grade = grade or ("exact" if _not_numbers(read().examples) else "number")
        more = {"grade": own_grade or GRADES[grade], "max_new_tokens": tokens, **more}

    def examples() -> Mapping[str, Sequence[Example]]:
        return drop_repeats(read().examples) if repeats == "drop" else read().examples

    @cache
    def columns() -> ColumnsRead:
        few = _not_numbers(read().examples) if by_answers and grade == "exact" else ()
        # Among texts that are not mostly numbers, nobody expects numbers to be graded as such.
        known = 2 * len(few) < sum(map(len, read().examples.values()))
        return replace(read().columns, not_numbers=few if known else ())

    return Task(name=name, version=1, kind=kind, load=examples, columns=columns, **more)


def _not_numbers(examples: Mapping[str, Sequence[Example]]) -> tuple[str, ...]:
    """The ids of rows whose answer is more than a number, or not the only one."""
    rows = (row for each in examples.values() for row in each)
    return tuple(row.id for row in rows if not is_number(row.answer) or row.aliases)
