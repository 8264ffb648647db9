"""Instructions to train on: `bundled`, `disclosures`, a file or a hub dataset.

Columns: `request`, `response` and, optionally, `rejected` and `id`; or `messages`, a conversation of which the first
exchange is read. `columns` names others; a response or rejected answer may also be a conversation.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.hashing import content_id
from educe.data.hub_cache import parse_hub_path
from educe.data.instructions.bundled import helpful_instructions
from educe.data.instructions.disclosures import disclosures
from educe.data.loading.columns import check_ids
from educe.data.loading.hub import HubSource, fetch, numbered_rows
from educe.data.loading.names import check_columns, require_columns
from educe.data.loading.readers import Row, read_rows
from educe.data.spec import Spec, read_spec
from educe.data.untrusted import parse_json
from educe.data.validation import check_mapping, check_text

FIELDS = ("request", "response", "rejected", "id", "messages")
Role = Literal["user", "assistant"]


def resolve_instructions(spec: Spec) -> tuple[Instruction, ...]:
    """The instructions that a spec names, read at once.

    "bundled", "disclosures", "file:PATH.jsonl" (.csv, .parquet) or "hub:ORG/NAME@COMMIT"; with options as
    {"bundled": {"count": 64}}.
    UserError where the name, an option or its value is unknown, a row lacks a text, or two rows share an id.
    """
    _, options, make = read_spec(
        spec, what="instructions", example="{bundled: {count: 64}}", names=NAMES, prefixes=PREFIXES
    )
    instructions: tuple[Instruction, ...] = make(**options)
    return instructions


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
    name, revision = parse_hub_path(path, kind="dataset", what=f"instructions 'hub:{path}'")
    source = HubSource(path=name, revision=revision, config=config, splits={"train": split})
    return _instructions(numbered_rows(source, split, fetch(source)["train"]), columns or {}, where=f"hub:{name}")


NAMES: dict[str, Callable[..., tuple[Instruction, ...]]] = {
    "bundled": helpful_instructions,
    "disclosures": disclosures,
}
PREFIXES: dict[str, Callable[..., tuple[Instruction, ...]]] = {"file": file_instructions, "hub": hub_instructions}


def rows_hash(instructions: Iterable[Instruction]) -> str:
    """16 hex digits of the hash of every instruction: a file of the same name may change."""
    return hashlib.sha256(json.dumps([asdict(each) for each in instructions]).encode()).hexdigest()[:16]


def require_rejected(instructions: Iterable[Instruction]) -> None:
    """UserError, naming the first, where an instruction has no rejected answer: preference training needs them all."""
    for number, one in enumerate(instructions, 1):
        if one.rejected is None:
            raise UserError(
                f"instruction {one.id!r} (number {number}) has no rejected answer to prefer its response to"
                "; add a column rejected or drop the row"
            )


def _instructions(rows: Iterable[Row], given: Mapping[str, Any], *, where: str) -> tuple[Instruction, ...]:
    rows = tuple(rows)
    if not rows:
        raise UserError(f"{where}: no rows; give it at least one")
    columns = _find_columns(given, rows[0].fields, where=where)
    instructions = [_instruction(row, columns) for row in rows]
    check_ids((row, row.text(columns["id"])) for row in rows)
    # An exact repeat of a row without an id is one instruction.
    return tuple(dict.fromkeys(instructions))


def _find_columns(given: Mapping[str, Any], names: Collection[str], *, where: str) -> dict[str, str]:
    check_columns(given, names, fields=FIELDS, where=where)
    # These may be missing from the first row.
    columns = {"rejected": "rejected", "id": "id", **given}
    pair = {"request", "response"} & set(given)
    if "messages" in given and pair:
        raise UserError(f"columns: messages hold request and response; drop {min(pair)} or messages")
    if "messages" in given or ("messages" in names and not pair and not {"request", "response"} <= set(names)):
        return {"messages": "messages", **columns}
    require_columns(("request", "response"), given, names, where=where)
    return {"request": "request", "response": "response", **columns}


def _instruction(row: Row, columns: Mapping[str, str]) -> Instruction:
    def text(field: str, role: Role) -> str:
        value = row.value(columns[field])
        if field == "messages" or isinstance(value, list):
            return _first_turn(row, field, value, role)
        return row.written(field, row.require(field, value)).strip()

    in_messages = "messages" in columns
    request = text("messages" if in_messages else "request", "user")
    response = text("messages" if in_messages else "response", "assistant")
    rejected = None if row.value(columns["rejected"]) in (None, "") else text("rejected", "assistant")
    own_id = row.text(columns["id"])
    if own_id is None:
        own_id = content_id(request, () if rejected is None else (rejected,), response)
    try:
        return Instruction(id=own_id, request=request, response=response, rejected=rejected)
    except UserError as error:
        raise UserError(f"{row.place}: {error}") from error


def _first_turn(row: Row, field: str, value: Any, role: Role) -> str:
    turns = _turns(row, field, value)
    text = next((turn["content"].strip() for turn in turns if turn["role"] == role), "")
    if not text:
        raise row.error(field, f"no text by the {role}; fill it in or drop the row")
    return text


def _turns(row: Row, field: str, value: Any) -> Sequence[Mapping[str, str]]:
    if isinstance(value, str):
        with suppress(UserError):
            value = parse_json(value, source=row.place)
    fits = isinstance(value, list) and all(isinstance(turn, Mapping) and "role" in turn for turn in value)
    if not value or not fits or not all(isinstance(turn.get("content"), str) for turn in value):
        turns = '[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'
        raise row.error(field, f"{str(value)[:60]!r} is no conversation; write {turns}")
    for turn in value:
        if turn["role"] == "system" and turn["content"].strip():
            problem = f"a system turn, {turn['content'][:60]!r}, which an instruction does not have"
            raise row.error(field, f"{problem}; drop the turn or the row")
    return list(value)
