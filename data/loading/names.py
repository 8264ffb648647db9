"""Which column is which field: as the user says, or by its name; and which columns no field reads."""

import re
import string
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.loading.readers import Row
from educe.data.task import ColumnsRead

FIELDS = ("question", "choices", "answer", "id", "cluster", "worked", "aliases")
# What stands before a question where a column has it, and what an answer or choices are called, too.
CONTEXTS = ("passage", "context")
ANSWERS = ("answer", "label")
# Where there is no column `question`: those of BIG-Bench Hard.
_PAIR = ("input", "target")
CHOICES = ("choices", "options")
# Several columns that are the choices together: what their names begin with, and how they go on.
_FAMILIES = ("choice", "option", "choice_", "option_", "")
_SERIES = (string.digits, string.digits[1:], string.ascii_uppercase, string.ascii_lowercase)
# Columns that no field reads look like part of the question by such a name, or where most rows have a long text of
# their own; what explains an answer or says where a row is from is not one.
_LIKE_QUESTION = re.compile(
    r"(?:passage|context|paragraph|article|story|document|dialog(?:ue)?|conversation|premise|hypothesis|sentence|text"
    r"|table|code|input|prompt|query|question|options?|choices?|distractor|hint|instructions?)s?[\W_]*(?:\d+|[a-z])?"
    r"|[b-h]",
    re.IGNORECASE,
)
_NOT_LIKE = re.compile(
    r"explanation|rationale|reason|source|url|reference|comment|notes?|author|licen[cs]e|solution", re.I
)
_LONG_WORDS, _MOST = 6, 0.5
_SAMPLED_ROWS = 1000


@dataclass(frozen=True)
class Template:
    """Text with columns in it: texts and names of columns in turn, beginning and ending with a text."""

    parts: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in order."""
        return self.parts[1::2]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where each field of an example stands: a column, or for `choices` one column with a list or several columns.

    A dot reaches into a nested column (`choices.text`). A question may be a template. A `separator` splits a text
    column into choices or aliases. Where choices have columns numbered from 0 or 1, `first_index` is that.
    """

    question: str | Template
    answer: str
    choices: str | tuple[str, ...] | None = None
    id: str | None = None
    cluster: str | None = None
    worked: str | None = None
    aliases: str | None = None
    separator: str | None = None
    first_index: int | None = None
    # What only BIG-bench has: a mapping from choices to their scores, and questions that are their choices alone.
    scores: str | None = None
    bare_choices: bool = False

    @property
    def used(self) -> dict[str, tuple[str, ...]]:
        """The columns that each field reads; fields without a column are left out."""
        question = self.question.columns if isinstance(self.question, Template) else (self.question,)
        choices = (self.choices,) if isinstance(self.choices, str) else self.choices or ()
        single = {field: getattr(self, field) for field in ("answer", "id", "cluster", "worked", "aliases")}
        plain = {field: (column,) for field, column in single.items() if column is not None}
        return {"question": question, **({"choices": choices} if choices else {}), **plain}


def find_columns(
    given: Mapping[str, Any], names: Collection[str], *, where: str, separator: str | None = None
) -> Columns:
    """Columns as the user gave them, the rest by the documented names among the `names` that the rows have.

    A column `passage` or `context` goes before the question. Choices are a column `choices` or `options`, or columns
    such as choice0, option_a or A, B, C, D. `input` and `target` are question and answer where no column is called so.
    UserError where a field or a column is unknown or a needed one is missing; `where` names the file or dataset.
    """
    if not {"question", *ANSWERS} & {*names, *given} and set(_PAIR) <= set(names):
        given = {**given, "question": _PAIR[0], "answer": _PAIR[1]}
    template = _joined(given.get("question"), names, where=where)
    check_columns(
        {field: column for field, column in given.items() if template is None or field != "question"},
        names,
        fields=FIELDS,
        where=where,
    )
    label = next((name for name in ANSWERS if name in names), "answer")
    require_columns(("question", *(() if label in names else ("answer",))), given, names, where=where)
    if template is None and "question" not in given:
        before = [name for name in CONTEXTS if name in names]
        if before:
            template = Template(("", *(part for name in before for part in (name, "\n")), "question", ""))
    rest: dict[str, Any] = {
        field: str(column) for field, column in given.items() if field not in ("choices", "question")
    }
    found = {field: field for field in ("id", "cluster", "worked", "aliases")}
    choices = given.get("choices", _choices(names))
    choices = tuple(choices) if isinstance(choices, list | tuple) else choices
    numbered = re.search(r"(?<!\d)[01]$", choices[0]) if isinstance(choices, tuple) else None
    return Columns(
        **{"answer": label, **found, **rest},
        question=template or given.get("question", "question"),
        choices=choices,
        separator=separator,
        first_index=int(numbered[0]) if numbered else None,
    )


def check_columns(given: Mapping[str, Any], names: Collection[str], *, fields: Collection[str], where: str) -> None:
    """UserError where the user's map names an unknown field, or a column that the rows do not have."""
    for field, column in given.items():
        if field not in fields:
            raise UserError(f"columns: unknown field {field!r}; {did_you_mean(str(field), fields)}")
        several = isinstance(column, list | tuple) and field in ("choices", "question") and column
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


def columns_read(columns: Columns, rows: Sequence[Row], *, answers_are: str | None) -> ColumnsRead:
    """What was read of these rows, by a look at the columns that were not."""
    used = columns.used
    outer = {name for names in used.values() for name in names}
    outer |= {name.partition(".")[0] for name in outer}
    names = list(dict.fromkeys(name for row in rows for name in row.fields))
    unused = tuple(name for name in names if name not in outer)
    present = {field: kept for field, names_ in used.items() if (kept := _present(names_, names))}
    reasons = {name: reason for name in unused if (reason := _looks_like_question(name, rows))}
    return ColumnsRead(used=present, unused=unused, suspicious=reasons, answers_are=answers_are)


def _present(columns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    known = set(names)
    return tuple(name for name in columns if name in known or name.partition(".")[0] in known)


def _looks_like_question(name: str, rows: Sequence[Row]) -> str | None:
    if all(row.fields.get(name) in (None, "", [], {}) for row in rows):
        return None
    if _LIKE_QUESTION.fullmatch(name):
        return "by its name"
    if _NOT_LIKE.search(name):
        return None
    texts = [text for row in rows[:_SAMPLED_ROWS] if isinstance(text := row.fields.get(name), str) and text.strip()]
    long = [text for text in texts if len(text.split()) >= _LONG_WORDS]
    if len(long) > _MOST * len(rows[:_SAMPLED_ROWS]) and len(set(long)) > _MOST * len(long):
        return "long texts that differ between rows"
    return None


def _choices(names: Collection[str]) -> str | tuple[str, ...] | None:
    for name in CHOICES:
        if name in names:
            return name
    for prefix in _FAMILIES:
        for series in _SERIES:
            columns = tuple(_family(prefix, series, names))
            # A column A alone is likelier an answer.
            if len(columns) > (0 if prefix else 1) and (prefix or series == string.ascii_uppercase):
                return columns
    return None


def _family(prefix: str, series: str, names: Collection[str]) -> Iterator[str]:
    numbers = map(str, range(int(series[0]), len(names) + 1)) if series[0].isdigit() else iter(series)
    for end in numbers:
        if prefix + end not in names:
            return
        yield prefix + end


def _joined(written: Any, names: Collection[str], *, where: str) -> Template | None:
    """A question that is a template, or a list of columns, each in a line of its own; None where it is neither."""
    if not isinstance(written, list | tuple):
        return _template(written, names, where=where)
    check_columns({"question": written}, names, fields=FIELDS, where=where)
    lines = [part for name in written for part in (name, "\n")]
    return Template(("", *lines[:-1], ""))


def _template(written: Any, names: Collection[str], *, where: str) -> Template | None:
    """A question with names of columns in braces; doubled braces stand for themselves. None where it is no template."""
    if not isinstance(written, str) or written in names or not re.search(r"[{}]", written):
        return None
    parts = [""]
    for piece in re.findall(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+", written):
        if piece in ("{", "}"):
            raise UserError(f"columns: question: {written!r} has a brace without its other one; write {{NAME}}")
        if piece in ("{{", "}}") or piece[0] != "{":
            parts[-1] += piece[0] if piece in ("{{", "}}") else piece
        elif (name := piece[1:-1]) in names:
            parts += [name, ""]
        else:
            raise UserError(f"{where}: no column {name!r} for question; {did_you_mean(name, names)}")
    if len(parts) == 1:
        raise UserError(f"columns: question: {written!r} names no column; write {{NAME}} where one belongs")
    return Template(tuple(parts))
