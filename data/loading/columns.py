"""Rows of any file or dataset -> examples: what the question, the choices and the answer column hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import is_number, numeric_answer
from educe.data.hashing import content_id, text_cluster
from educe.data.loading.answers import AnswerIs, Record, read_answers
from educe.data.loading.names import CONTEXTS, Columns, Template, columns_read
from educe.data.loading.readers import Row
from educe.data.task import ColumnsRead
from educe.data.untrusted import parse_json

GradeBy = Literal["exact", "number"]
GRADE_BY: tuple[GradeBy, ...] = get_args(GradeBy)
# Around words, these do not make another question.
_MARKS = ".,;:!?\"'`()[]\u2026\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The examples of each split, and which columns they were read from."""

    examples: Mapping[str, Sequence[Example]]
    columns: ColumnsRead


def check_ids(rows: Iterable[tuple[Row, str | None]]) -> None:
    """UserError where two rows have the same id of their own."""
    places: dict[str, str] = {}
    for row, own_id in rows:
        if own_id is None:
            continue
        if own_id in places:
            raise row.error("id", f"{own_id!r} is also the id of {places[own_id]}; make ids unique")
        places[own_id] = row.place


def to_examples(
    rows: Mapping[str, Iterable[Row]], columns: Columns, *, answer_is: AnswerIs = "auto", grade: GradeBy = "exact"
) -> Loaded:
    """Examples of every split, with what the answer column holds decided for all rows together.

    A row without an id gets one from its content, and exact repeats of such rows in a split are dropped. The cluster of
    a row that names none is its passage, else its question where it has no id or other rows ask the same. UserError
    names the place of the row that does not fit.
    """
    records = {split: [_record(row, columns) for row in split_rows] for split, split_rows in rows.items()}
    flat = [record for split_records in records.values() for record in split_records]
    answers_are = None
    if columns.choices is None:
        solved = [_free_answer(record, grade) for record in flat]
    else:
        found = read_answers(flat, answer_is, first_index=columns.first_index)
        solved = [(answer, record.worked) for answer, record in zip(found.answers, flat, strict=True)]
        answers_are = found.described
    check_ids((record.row, record.id) for record in flat)
    answers, clusters = iter(solved), iter(_clusters(flat))
    loaded: dict[str, tuple[Example, ...]] = {}
    for split, split_records in records.items():
        examples: dict[str, Example] = {}
        for record in split_records:
            example = _example(record, *next(answers), next(clusters))
            examples.setdefault(example.id, example)
        loaded[split] = tuple(examples.values())
    read = columns_read(columns, [record.row for record in flat], answers_are=answers_are)
    return Loaded(examples=loaded, columns=read)


def _clusters(records: Sequence[Record]) -> list[str | None]:
    """The cluster of every record; records that ask the same in other words' case, spaces or marks share one."""
    own = [record.cluster or (text_cluster(record.question) if record.id is None else None) for record in records]
    asked: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        asked.setdefault(_words(record.question), []).append(place)
    for places in asked.values():
        offered: dict[frozenset[str], list[int]] = {}
        for place in places if len(places) > 1 else ():
            offered.setdefault(frozenset(map(_words, records[place].choices)), []).append(place)
        for same in offered.values():
            named = {own[place] for place in same}
            if len(same) > 1 and (None in named or len(named) > 1):
                first = min((name for name in named if name), default=text_cluster(records[same[0]].question))
                for place in same:
                    own[place] = records[place].cluster or first
    return own


def _words(text: str) -> str:
    return " ".join(filter(None, (word.strip(_MARKS) for word in text.casefold().split()))) or text


def _record(row: Row, columns: Columns) -> Record:
    answer = row.require("answer", row.value(columns.answer))
    row.written("answer", answer)
    question, passage = _question(row, columns)
    return Record(
        row=row,
        question=question,
        answer=answer,
        choices=_choices(row, columns),
        aliases=_listed(row, columns.aliases, "aliases", columns.separator),
        id=row.text(columns.id),
        cluster=row.text(columns.cluster) or (text_cluster(passage) if passage else None),
        worked=row.text(columns.worked),
        scores=tuple((row.value(columns.scores) or {}).items()),
    )


def _question(row: Row, columns: Columns) -> tuple[str, str]:
    """The question, and the passage in it, empty where it has none."""
    if columns.bare_choices and row.value(str(columns.question)) == "":
        return "", ""
    if not isinstance(columns.question, Template):
        return row.written("question", row.require("question", row.value(columns.question))).strip(), ""
    texts, passages = list(columns.question.parts), []
    for place, column in enumerate(columns.question.columns):
        value = row.value(column)
        blank = value is None or not str(value).strip()
        if blank and column not in CONTEXTS:
            raise row.error("question", f"its column {column!r} is empty or missing; fill it in or drop the row")
        text = "" if blank else row.written("question", value).strip()
        texts[2 * place + 1] = text
        if column in CONTEXTS:
            passages.append(text)
    return "".join(texts).strip(), "\n".join(filter(None, passages))


def _choices(row: Row, columns: Columns) -> tuple[str, ...]:
    if columns.choices is None or isinstance(columns.choices, str):
        return _listed(row, columns.choices, "choices", columns.separator)
    cells = [row.value(column) for column in columns.choices]
    texts = ["" if cell is None else row.written("choices", cell).strip() for cell in cells]
    # Rows with fewer options leave the last columns empty.
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)


def _listed(row: Row, column: str | None, field: str, separator: str | None) -> tuple[str, ...]:
    value = row.value(column)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = _split_text(row, value, field, separator)
    if not isinstance(value, list):
        raise row.error(field, f'{str(value)[:40]!r} is not a list; write ["...", "..."]')
    return tuple(row.written(field, item).strip() for item in value)


def _split_text(row: Row, text: str, field: str, separator: str | None) -> list[Any]:
    if separator is not None:
        return [part for part in text.split(separator) if part.strip()]
    if not text.lstrip().startswith("["):
        raise row.error(field, f"{text[:40]!r} is text, not a list; write a JSON list or set separator")
    return list(parse_json(text, source=f"{row.place}, field {field!r}"))


def _free_answer(record: Record, grade: GradeBy) -> tuple[str, str | None]:
    answer = str(record.answer).strip()
    if grade == "exact" or is_number(answer):
        return answer, record.worked
    parts = numeric_answer(answer)
    if parts is None:
        problem = f"{answer[-60:]!r} ends in no number, or in one that can be read in several ways"
        raise record.row.error("answer", f"{problem}; write 1234.5, 3/4 or #### 1234.5, or use grade: exact")
    return parts[0], record.worked if record.worked is not None else parts[1]


def _example(record: Record, answer: str, worked: str | None, cluster: str | None) -> Example:
    # One option printed twice is one option: published sets hold a few such rows.
    choices = tuple(dict.fromkeys(record.choices))
    try:
        return Example(
            id=record.id if record.id is not None else content_id(record.question, choices, answer, record.scores),
            question=record.question,
            choices=choices,
            answer=answer,
            aliases=record.aliases,
            worked=worked,
            cluster=cluster,
            scores=record.scores,
        )
    except UserError as error:
        raise UserError(f"{record.row.place}: {error}") from error
