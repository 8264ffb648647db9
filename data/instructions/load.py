"""Instructions to train on: `bundled`, a file or a hub dataset; and that none asks what a task asks.

Columns: `request`, `response` and, as wanted, `rejected` and `id`; or `messages`, a conversation of which the first
exchange is read. `columns` names others; a response or rejected answer may also be a conversation.
"""

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Example, Instruction
from educe.data.hashing import content_id
from educe.data.instructions.bundled import helpful_instructions
from educe.data.loading.columns import check_column, value_at
from educe.data.loading.hub import HubSource, fetch, numbered_rows
from educe.data.loading.readers import Row, read_rows
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.validation import check_mapping, check_text, parse_hub_path

FIELDS = ("request", "response", "rejected", "id", "messages")
BUNDLED = "bundled"
InstructionSpec = str | Mapping[str, Mapping[str, Any]]

# A shorter question is a word that any text may hold.
MIN_WORDS = 3
Words = tuple[str, ...]
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s.,;:!?\"'\u201c\u201d\u2018\u2019`]")
_QUOTED = (
    re.compile(r"[\"\u201c]([^\"\u201c\u201d\n]+)[\"\u201d]"),
    re.compile(r"(?<!\w)['\u2018]([^'\u2018\u2019\n]+)['\u2019](?!\w)"),
    re.compile(r"\bthe word (\w+)", re.IGNORECASE),
)


def resolve_instructions(spec: InstructionSpec) -> tuple[Instruction, ...]:
    """The instructions that a spec names, read at once.

    "bundled", "file:PATH.jsonl" (.csv, .parquet) or "hub:ORG/NAME@COMMIT"; with options as {"bundled": {"count": 64}}.
    UserError where the name, an option or its value is unknown, a row lacks a text, or two rows share an id.
    """
    written, options = _parts(spec)
    make, path = _maker(written)
    parameters = inspect.signature(make).parameters.values()
    known = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise UserError(f"instructions {written!r}: unknown option {option!r}; {did_you_mean(str(option), known)}")
    return make(*path, **options)


def file_instructions(path: str, *, columns: Mapping[str, Any] | None = None) -> tuple[Instruction, ...]:
    """The rows of a .jsonl, .csv or .parquet file."""
    check_mapping("columns", columns)
    return _instructions(read_rows(Path(path).expanduser()), columns or {}, where=path)


def hub_instructions(
    path: str, *, columns: Mapping[str, Any] | None = None, config: str | None = None, split: str = "train"
) -> tuple[Instruction, ...]:
    """The rows of one published split of a dataset `ORG/NAME@COMMIT`."""
    check_mapping("columns", columns)
    check_text("split", split)
    if config is not None:
        check_text("config", config)
    name, revision = parse_hub_path(path, what=f"instructions 'hub:{path}'")
    source = HubSource(path=name, revision=revision, config=config, splits={"train": split})
    return _instructions(numbered_rows(source, split, fetch(source)["train"]), columns or {}, where=f"hub:{name}")


PREFIXES: dict[str, Callable[..., tuple[Instruction, ...]]] = {"file": file_instructions, "hub": hub_instructions}


def require_rejected(instructions: Iterable[Instruction]) -> None:
    """UserError, naming the first, where an instruction has no rejected answer: preference training needs them all."""
    for number, one in enumerate(instructions, 1):
        if one.rejected is None:
            raise UserError(
                f"instruction {one.id!r} (number {number}) has no rejected answer to prefer its response to"
                "; add a column rejected or drop the row"
            )


def check_overlap(instructions: Iterable[Instruction], *tasks: Task) -> None:
    """UserError where an instruction asks what a task asks in any split, naming the task, the row and the instruction.

    Compared by words: case, spacing, quotes and sentence marks do not count. A question overlaps where all its words
    stand in a row in the request or the response, if it has three or more. Where the task's questions are one sentence
    with a gap ('Is the sentiment of the word "happy" positive or negative?'), what fills the gap, and any shorter
    question, overlaps only where it is the whole of what the request is about: quoted, after a colon, on a line of its
    own or after "the word". So "Write a poem on a happy dog" does not overlap, "Translate: happy" does.
    A paraphrase is not found.
    """
    index = _Index.of(tasks)
    for one in instructions:
        found = index.in_text(one.request) or index.in_text(one.response) or index.in_operands(one.request)
        if found is not None:
            text = " ".join(found.example.question.split())
            raise UserError(
                f"instruction {one.id!r} asks what task {found.task!r} asks: {found.split} row {found.example.id!r},"
                f" {text[:80]!r}; drop the instruction"
            )


@dataclass(frozen=True, kw_only=True)
class _Place:
    task: str
    split: str
    example: Example


@dataclass(frozen=True)
class _Index:
    """Questions by their first words, then by length, so that a text is compared with few; and what fills gaps."""

    starts: Mapping[Words, Mapping[int, Mapping[Words, _Place]]]
    fills: Mapping[Words, _Place]

    @classmethod
    def of(cls, tasks: Iterable[Task]) -> "_Index":
        starts: dict[Words, dict[int, dict[Words, _Place]]] = defaultdict(lambda: defaultdict(dict))
        fills: dict[Words, _Place] = {}
        for task in tasks:
            places = [
                _Place(task=task.name, split=split, example=example) for split in SPLITS for example in task.rows[split]
            ]
            asked = [_words(place.example.question) for place in places]
            before, after = _frame(asked)
            for words, place in zip(asked, places, strict=True):
                fills.setdefault(words[before : len(words) - after], place)
                if len(words) >= MIN_WORDS:
                    starts[words[:MIN_WORDS]][len(words)].setdefault(words, place)
        # A question of marks alone has no words.
        fills.pop((), None)
        return cls(starts, fills)

    def in_text(self, text: str) -> _Place | None:
        words = _words(text)
        for start in range(len(words) - MIN_WORDS + 1):
            for length, asked in self.starts.get(words[start : start + MIN_WORDS], {}).items():
                found = asked.get(words[start : start + length])
                if found is not None:
                    return found
        return None

    def in_operands(self, request: str) -> _Place | None:
        found = (self.fills.get(_words(operand)) for operand in _operands(request))
        return next((place for place in found if place is not None), None)


def _operands(request: str) -> Iterator[str]:
    """What the request is about as a whole, as far as its marks say."""
    for line in request.splitlines():
        yield line
        yield line.rpartition(":")[2]
    for pattern in _QUOTED:
        yield from pattern.findall(request)


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.casefold()))


def _frame(asked: Collection[Words]) -> tuple[int, int]:
    """How many words all questions begin and end with."""
    before, after = _shared(asked), _shared([words[::-1] for words in asked])
    shortest = min(map(len, asked))
    # A frame with no gap in it is the question itself, asked by every row.
    return (before, after) if before + after < shortest else (0, 0)


def _shared(rows: Collection[Words]) -> int:
    first, last = min(rows), max(rows)
    differ = (i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1])
    return next(differ, min(len(first), len(last)))


def _parts(spec: InstructionSpec) -> tuple[str, Mapping[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(
            f"instructions {spec!r} are neither a name nor a name with options; write e.g. {{bundled: {{count: 64}}}}"
        )
    written, options = next(iter(spec.items()))
    if not isinstance(options, Mapping):
        raise UserError(f"instructions {written!r}: its options {options!r} are not a mapping; write {{name: value}}")
    return str(written), options


def _maker(written: str) -> tuple[Callable[..., tuple[Instruction, ...]], tuple[str, ...]]:
    if written == BUNDLED:
        return helpful_instructions, ()
    prefix, colon, path = written.partition(":")
    if not colon:
        raise UserError(
            f"unknown instructions {written!r}; {did_you_mean(written, [BUNDLED])} (a file is written file:PATH)"
        )
    if prefix not in PREFIXES:
        raise UserError(f"instructions {written!r}: unknown prefix {prefix!r}; {did_you_mean(prefix, PREFIXES)}")
    if not path:
        raise UserError(f"instructions {written!r} name no path; write {prefix}:PATH")
    return PREFIXES[prefix], (path,)


def _instructions(rows: Iterator[Row], given: Mapping[str, Any], *, where: str) -> tuple[Instruction, ...]:
    first = next(rows, None)
    if first is None:
        raise UserError(f"{where}: no rows; give it at least one")
    columns = _find_columns(given, first.fields, where=where)
    made: dict[str, Instruction] = {}
    named: dict[str, str] = {}
    for row in chain([first], rows):
        own = value_at(row.fields, columns["id"])
        one = _instruction(row, columns, None if own in (None, "") else str(own))
        if own not in (None, "") and one.id in named:
            raise UserError(f"{row.place}, field 'id': {one.id!r} is also the id of {named[one.id]}; make ids unique")
        named[one.id] = row.place
        # An exact repeat of a row without an id is one instruction.
        made.setdefault(one.id, one)
    return tuple(made.values())


def _find_columns(given: Mapping[str, Any], names: Collection[str], *, where: str) -> dict[str, str]:
    for field, column in given.items():
        if field not in FIELDS:
            raise UserError(f"columns: unknown field {field!r}; {did_you_mean(str(field), FIELDS)}")
        check_column(field, column, names, where=where)
    # These may be missing from the first row.
    columns = {"rejected": "rejected", "id": "id", **given}
    pair = {"request", "response"} & set(given)
    if "messages" in given and pair:
        raise UserError(f"columns: messages hold request and response; drop {min(pair)} or messages")
    if "messages" in given or ("messages" in names and not pair and not {"request", "response"} <= set(names)):
        return {"messages": "messages", **columns}
    for field in ("request", "response"):
        if field not in given and field not in names:
            raise UserError(
                f"{where}: no column {field!r}; {did_you_mean(field, names)} (or set columns: {{{field}: NAME}})"
            )
    return {"request": "request", "response": "response", **columns}


def _instruction(row: Row, columns: Mapping[str, str], own_id: str | None) -> Instruction:
    if "messages" in columns:
        turns = _turns(row, "messages", value_at(row.fields, columns["messages"]))
        request, response = _said(row, "messages", turns, "user"), _said(row, "messages", turns, "assistant")
    else:
        request = _text(row, "request", value_at(row.fields, columns["request"]), "user")
        response = _text(row, "response", value_at(row.fields, columns["response"]), "assistant")
    value = value_at(row.fields, columns["rejected"])
    rejected = None if value in (None, "") else _text(row, "rejected", value, "assistant")
    own_id = content_id(request, () if rejected is None else (rejected,), response) if own_id is None else own_id
    try:
        return Instruction(id=own_id, request=request, response=response, rejected=rejected)
    except UserError as error:
        raise UserError(f"{row.place}: {error}") from error


def _text(row: Row, field: str, value: Any, role: Literal["user", "assistant"]) -> str:
    if isinstance(value, list):
        return _said(row, field, _turns(row, field, value), role)
    if value is None or not str(value).strip():
        raise UserError(f"{row.place}, field {field!r}: empty or missing; fill it in or drop the row")
    return str(value).strip()


def _turns(row: Row, field: str, value: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, str):
        with suppress(json.JSONDecodeError):
            value = json.loads(value)
    fits = isinstance(value, list) and all(isinstance(turn, Mapping) and "role" in turn for turn in value)
    if not value or not fits or not all(isinstance(turn.get("content"), str) for turn in value):
        raise UserError(
            f"{row.place}, field {field!r}: {str(value)[:60]!r} is no conversation; write"
            ' [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'
        )
    for turn in value:
        if turn["role"] == "system" and turn["content"].strip():
            raise UserError(
                f"{row.place}, field {field!r}: a system turn, {turn['content'][:60]!r}, which an instruction does not"
                " have; drop the turn or the row"
            )
    return list(value)


def _said(row: Row, field: str, turns: Sequence[Mapping[str, Any]], role: Literal["user", "assistant"]) -> str:
    said = next((str(turn["content"]).strip() for turn in turns if turn["role"] == role), "")
    if not said:
        raise UserError(f"{row.place}, field {field!r}: nothing said by the {role}; fill it in or drop the row")
    return said
