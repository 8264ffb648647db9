"""Rows of any file or dataset -> examples: which column is which field, and what an answer column holds."""

import json
import re
import string
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Example
from educe.data.grade import numeric_answer
from educe.data.hashing import content_id, text_cluster
from educe.data.loading.readers import Row

AnswerIs = Literal["auto", "text", "index", "letter"]
ANSWER_IS: tuple[AnswerIs, ...] = get_args(AnswerIs)
GradeBy = Literal["exact", "number"]
GRADE_BY: tuple[GradeBy, ...] = get_args(GradeBy)
FIELDS = ("question", "choices", "answer", "id", "cluster", "worked", "aliases")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where each field of an example stands: a column, or for `choices` one column with a list or several columns.

    A dot reaches into a nested column (`choices.text`). A `separator` splits a text column into choices or aliases.
    """

    question: str
    answer: str
    choices: str | tuple[str, ...] | None = None
    id: str | None = None
    cluster: str | None = None
    worked: str | None = None
    aliases: str | None = None
    separator: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row with its columns found and its answer not yet understood."""

    row: Row
    question: str
    answer: Any
    choices: tuple[str, ...]
    aliases: tuple[str, ...]
    id: str | None
    cluster: str | None
    worked: str | None


def find_columns(
    given: Mapping[str, Any], names: Collection[str], *, where: str, separator: str | None = None
) -> Columns:
    """Columns as the user gave them, the rest by the documented names among the `names` that the rows have.

    Without a column `choices`, columns choice0, choice1, ... are the choices. UserError where a field or a column is
    unknown or a needed one is missing; `where` names the file or dataset.
    """
    check_columns(given, names, fields=FIELDS, where=where)
    require_columns(("question", "answer"), given, names, where=where)
    found = {field: field for field in FIELDS if field in names or field in ("id", "cluster", "worked", "aliases")}
    numbered = tuple(f"choice{i}" for i in range(len(names)) if f"choice{i}" in names)
    choices = given.get("choices", found.pop("choices", numbered or None))
    rest = {field: str(column) for field, column in given.items() if field != "choices"}
    choices = tuple(choices) if isinstance(choices, list | tuple) else choices
    return Columns(**{**found, **rest}, choices=choices, separator=separator)


def check_columns(given: Mapping[str, Any], names: Collection[str], *, fields: Collection[str], where: str) -> None:
    """UserError where the user's map names an unknown field, or a column that the rows do not have."""
    for field, column in given.items():
        if field not in fields:
            raise UserError(f"columns: unknown field {field!r}; {did_you_mean(str(field), fields)}")
        several = isinstance(column, list | tuple) and field == "choices" and column
        for name in column if several else [column]:
            if not isinstance(name, str):
                raise UserError(f"columns: {field}: {name!r} is not the name of a column; write {field}: NAME")
            if name not in names and name.partition(".")[0] not in names:
                raise UserError(f"{where}: no column {name!r} for {field}; {did_you_mean(name, names)}")


def require_columns(fields: Iterable[str], given: Mapping[str, Any], names: Collection[str], *, where: str) -> None:
    """UserError where a field is neither mapped by the user nor a column of the rows."""
    for field in fields:
        if field not in given and field not in names:
            raise UserError(
                f"{where}: no column {field!r}; {did_you_mean(field, names)} (or set columns: {{{field}: NAME}})"
            )


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
) -> Mapping[str, Sequence[Example]]:
    """Examples of every split, with what the answer column holds decided for all rows together.

    A row without an id gets one from its content, exact repeats of such rows in a split are dropped, and its question
    text is its cluster unless it has one. UserError names the place of the row that does not fit.
    """
    records = {split: [_record(row, columns) for row in split_rows] for split, split_rows in rows.items()}
    flat = [record for split_records in records.values() for record in split_records]
    if columns.choices is None:
        solved = [_free_answer(record, grade) for record in flat]
    else:
        solved = [(answer, record.worked) for answer, record in zip(read_answers(flat, answer_is), flat, strict=True)]
    check_ids((record.row, record.id) for record in flat)
    answers = iter(solved)
    loaded: dict[str, tuple[Example, ...]] = {}
    for split, split_records in records.items():
        examples: dict[str, Example] = {}
        for record in split_records:
            example = _example(record, *next(answers))
            examples.setdefault(example.id, example)
        loaded[split] = tuple(examples.values())
    return loaded


def read_answers(records: Sequence[Record], answer_is: AnswerIs) -> list[str]:
    """The right choice of every record, all answers read as the same thing: the option's text, index or letter.

    "auto" takes the reading that fits every row. UserError where none does, which names the first row that fails the
    best reading, and where two do and disagree.
    """
    readings = READINGS if answer_is == "auto" else {answer_is: READINGS[answer_is]}
    read = {name: [reading(record) for record in records] for name, reading in readings.items()}
    fits = [name for name, answers in read.items() if None not in answers]
    if not fits:
        closest = max(read.values(), key=lambda answers: sum(answer is not None for answer in answers))
        record = records[closest.index(None)]
        problem = f"answer {record.answer!r} is not among the choices {list(record.choices)}; correct one of them"
        raise record.row.error("answer", problem + ("" if answer_is == "auto" else f", or answer_is: {answer_is}"))
    first = fits[0]
    for name in fits[1:]:
        for record, one, other in zip(records, read[first], read[name], strict=True):
            if one != other:
                problem = f"{record.answer!r} can be read as {first} and as {name}"
                raise record.row.error("answer", f"{problem}; set answer_is: {first} or answer_is: {name}")
    return [answer for answer in read[first] if answer is not None]


def _as_text(record: Record) -> str | None:
    text = str(record.answer).strip()
    return text if text in record.choices else None


def _as_index(record: Record) -> str | None:
    is_index = not isinstance(record.answer, bool) and re.fullmatch(r"\d+", str(record.answer).strip())
    return _at(record.choices, int(record.answer)) if is_index else None


def _as_letter(record: Record) -> str | None:
    letter = str(record.answer).strip().upper()
    return _at(record.choices, string.ascii_uppercase.index(letter)) if re.fullmatch("[A-Z]", letter) else None


READINGS: dict[str, Callable[[Record], str | None]] = {"text": _as_text, "index": _as_index, "letter": _as_letter}


def _at(choices: tuple[str, ...], index: int) -> str | None:
    return choices[index] if index < len(choices) else None


def _record(row: Row, columns: Columns) -> Record:
    question = row.require("question", row.value(columns.question))
    return Record(
        row=row,
        question=str(question).strip(),
        answer=row.require("answer", row.value(columns.answer)),
        choices=_choices(row, columns),
        aliases=_listed(row, columns.aliases, "aliases", columns.separator),
        id=row.text(columns.id),
        cluster=row.text(columns.cluster),
        worked=row.text(columns.worked),
    )


def _choices(row: Row, columns: Columns) -> tuple[str, ...]:
    if columns.choices is None or isinstance(columns.choices, str):
        return _listed(row, columns.choices, "choices", columns.separator)
    cells = [row.value(column) for column in columns.choices]
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
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
    return tuple(str(item).strip() for item in value)


def _split_text(row: Row, text: str, field: str, separator: str | None) -> list[Any]:
    if separator is not None:
        return [part for part in text.split(separator) if part.strip()]
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, list):
        raise row.error(field, f"{text[:40]!r} is text, not a list; write a JSON list or set separator")
    return parsed


def _free_answer(record: Record, grade: GradeBy) -> tuple[str, str | None]:
    answer = str(record.answer)
    if grade == "exact":
        return answer.strip(), record.worked
    parts = numeric_answer(answer)
    if parts is None:
        raise record.row.error("answer", f"no number in {answer[:60]!r}; correct it or use grade: exact")
    return parts[0], record.worked if record.worked is not None else parts[1]


def _example(record: Record, answer: str, worked: str | None) -> Example:
    # One option printed twice is one option: published sets hold a few such rows.
    choices = tuple(dict.fromkeys(record.choices))
    cluster = record.cluster
    if cluster is None and record.id is None:
        cluster = text_cluster(record.question)
    try:
        return Example(
            id=record.id if record.id is not None else content_id(record.question, choices, answer),
            question=record.question,
            choices=choices,
            answer=answer,
            aliases=record.aliases,
            worked=worked,
            cluster=cluster,
        )
    except UserError as error:
        raise UserError(f"{record.row.place}: {error}") from error
