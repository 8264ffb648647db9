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

    place: str
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
    for field in given:
        if field not in FIELDS:
            raise UserError(f"columns: unknown field {field!r}; {did_you_mean(field, FIELDS)}")
    for field, column in given.items():
        check_column(field, column, names, where=where)
    for field in ("question", "answer"):
        if field not in given and field not in names:
            raise UserError(
                f"{where}: no column {field!r}; {did_you_mean(field, names)} (or set columns: {{{field}: NAME}})"
            )
    found = {field: field for field in FIELDS if field in names or field in ("id", "cluster", "worked", "aliases")}
    numbered = tuple(f"choice{i}" for i in range(len(names)) if f"choice{i}" in names)
    choices = given.get("choices", found.pop("choices", numbered or None))
    rest = {field: str(column) for field, column in given.items() if field != "choices"}
    return Columns(**{**found, **rest}, choices=_frozen(choices), separator=separator)


def to_examples(
    rows: Mapping[str, Iterable[Row]], columns: Columns, *, answer_is: AnswerIs = "auto", grade: GradeBy = "exact"
) -> Mapping[str, Sequence[Example]]:
    """Examples of every split, with what the answer column holds decided for all rows together.

    A row without an id gets one from its content, exact repeats of such rows in a split are dropped, and its question
    text is its cluster unless it has one. UserError names the place of the row that does not fit.
    """
    records = {split: [_record(row, columns) for row in held] for split, held in rows.items()}
    flat = [record for held in records.values() for record in held]
    if columns.choices is None:
        solved = [_free_answer(record, grade) for record in flat]
    else:
        solved = [(answer, record.worked) for answer, record in zip(read_answers(flat, answer_is), flat, strict=True)]
    _check_ids(flat)
    answers = iter(solved)
    return {split: _examples(held, [next(answers) for _ in held]) for split, held in records.items()}


def read_answers(records: Sequence[Record], answer_is: AnswerIs) -> list[str]:
    """The right choice of every record, all answers read in one way.

    "auto" takes the way that fits every row. UserError where none does (naming the first row that fails the nearest
    fit) and where two do and disagree.
    """
    ways = READINGS if answer_is == "auto" else {answer_is: READINGS[answer_is]}
    read = {way: [reading(record) for record in records] for way, reading in ways.items()}
    fits = [way for way, answers in read.items() if None not in answers]
    if not fits:
        closest = max(read.values(), key=lambda answers: sum(answer is not None for answer in answers))
        record = records[closest.index(None)]
        raise UserError(
            f"{record.place}, field 'answer': answer {record.answer!r} is not among the choices {list(record.choices)}"
            "; correct one of them" + ("" if answer_is == "auto" else f", or answer_is: {answer_is}")
        )
    for way in fits[1:]:
        if read[way] != read[fits[0]]:
            differs = next(i for i, pair in enumerate(zip(read[way], read[fits[0]], strict=True)) if len(set(pair)) > 1)
            raise UserError(
                f"{records[differs].place}, field 'answer': {records[differs].answer!r} can be read as {fits[0]} and as"
                f" {way}; set answer_is: {fits[0]} or answer_is: {way}"
            )
    return [answer for answer in read[fits[0]] if answer is not None]


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


def check_column(field: str, column: Any, names: Collection[str], *, where: str) -> None:
    """UserError where a column that the user named for a field is not among the names; `where` says of what."""
    several = isinstance(column, list | tuple) and field == "choices" and column
    for name in column if several else [column]:
        if not isinstance(name, str):
            raise UserError(f"columns: {field}: {name!r} is not the name of a column; write {field}: NAME")
        if name not in names and name.partition(".")[0] not in names:
            raise UserError(f"{where}: no column {name!r} for {field}; {did_you_mean(name, names)}")


def _frozen(choices: Any) -> str | tuple[str, ...] | None:
    return tuple(choices) if isinstance(choices, list | tuple) else choices


def _record(row: Row, columns: Columns) -> Record:
    question = value_at(row.fields, columns.question)
    answer = value_at(row.fields, columns.answer)
    for field, value in (("question", question), ("answer", answer)):
        if value is None or not str(value).strip():
            raise UserError(f"{row.place}, field {field!r}: empty or missing; fill it in or drop the row")
    return Record(
        place=row.place,
        question=str(question).strip(),
        answer=answer,
        choices=_choices(row, columns),
        aliases=_listed(row, columns.aliases, "aliases", columns.separator) if columns.aliases else (),
        id=_optional(row.fields, columns.id),
        cluster=_optional(row.fields, columns.cluster),
        worked=_optional(row.fields, columns.worked),
    )


def _choices(row: Row, columns: Columns) -> tuple[str, ...]:
    if columns.choices is None:
        return ()
    if isinstance(columns.choices, str):
        return _listed(row, columns.choices, "choices", columns.separator)
    cells = [value_at(row.fields, column) for column in columns.choices]
    # Rows with fewer options leave the last columns empty.
    while cells and (cells[-1] is None or not str(cells[-1]).strip()):
        cells.pop()
    return tuple("" if cell is None else str(cell).strip() for cell in cells)


def _listed(row: Row, column: str, field: str, separator: str | None) -> tuple[str, ...]:
    value = value_at(row.fields, column)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        value = _split_text(row, value, field, separator)
    if not isinstance(value, list):
        raise UserError(f'{row.place}, field {field!r}: {str(value)[:40]!r} is not a list; write ["...", "..."]')
    return tuple(str(item).strip() for item in value)


def _split_text(row: Row, text: str, field: str, separator: str | None) -> list[Any]:
    if separator is not None:
        return [part for part in text.split(separator) if part.strip()]
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, list):
        raise UserError(
            f"{row.place}, field {field!r}: {text[:40]!r} is text, not a list; write a JSON list or set separator"
        )
    return parsed


def value_at(fields: Mapping[str, Any], column: str) -> Any:
    """What a row holds in a column, a dot reaching into a nested one; None where it has no such column."""
    if column in fields or "." not in column:
        return fields.get(column)
    outer, _, inner = column.partition(".")
    nested = fields.get(outer)
    return value_at(nested, inner) if isinstance(nested, Mapping) else None


def _optional(fields: Mapping[str, Any], column: str | None) -> str | None:
    value = None if column is None else value_at(fields, column)
    return None if value is None or value == "" else str(value)


def _free_answer(record: Record, grade: GradeBy) -> tuple[str, str | None]:
    if grade == "exact":
        return str(record.answer).strip(), record.worked
    parts = numeric_answer(str(record.answer))
    if parts is None:
        raise UserError(
            f"{record.place}, field 'answer': no number in {str(record.answer)[:60]!r}; correct it or use grade: exact"
        )
    return parts[0], record.worked if record.worked is not None else parts[1]


def _check_ids(records: Sequence[Record]) -> None:
    seen: dict[str, str] = {}
    for record in records:
        if record.id is None:
            continue
        if record.id in seen:
            raise UserError(
                f"{record.place}, field 'id': {record.id!r} is also the id of {seen[record.id]}; make ids unique"
            )
        seen[record.id] = record.place


def _examples(records: Sequence[Record], solved: Sequence[tuple[str, str | None]]) -> tuple[Example, ...]:
    examples: dict[str, Example] = {}
    for record, (answer, worked) in zip(records, solved, strict=True):
        # One option printed twice is one option: published sets hold a few such rows.
        choices = tuple(dict.fromkeys(record.choices))
        example_id = record.id if record.id is not None else content_id(record.question, choices, answer)
        if example_id not in examples:
            examples[example_id] = _example(record, example_id, choices=choices, answer=answer, worked=worked)
    return tuple(examples.values())


def _example(record: Record, example_id: str, *, choices: tuple[str, ...], answer: str, worked: str | None) -> Example:
    cluster = record.cluster
    if cluster is None and record.id is None:
        cluster = text_cluster(record.question)
    try:
        return Example(
            id=example_id,
            question=record.question,
            choices=choices,
            answer=answer,
            aliases=record.aliases,
            worked=worked,
            cluster=cluster,
        )
    except UserError as error:
        raise UserError(f"{record.place}: {error}") from error
