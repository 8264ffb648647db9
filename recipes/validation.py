"""Reading what a person wrote into a pydantic model: each mistake is one line with the fix."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from educe.data.errors import UserErrors, did_you_mean

Read = TypeVar("Read", bound=BaseModel)
Faults = Mapping[str, list[str]]
# A range as people write it where only lists are read: 0..3, 0-3, 0:3, and how long a list is written out for it.
_RANGE = re.compile(r"(\d{1,9})(?:\.\.\.?|-|\u2013|:)(\d{1,9})")
_MAX_LISTED = 20


def validated(kind: type[Read], values: Mapping[str, Any], *, what: str, known: Mapping[str, Any]) -> Read:
    """The model with these values. UserErrors with a line a mistake; an unknown key is compared with `known` ones."""
    try:
        return kind(**values)
    except ValidationError as error:
        faults = faults_by_key(error, what=what, known=known)
        ordered = sorted(faults, key=lambda key: list(values).index(key) if key in values else len(values))
        raise UserErrors([line for key in ordered for line in faults[key]]) from error


def faults_by_key(error: ValidationError, *, what: str, known: Mapping[str, Any]) -> Faults:
    """The lines of the mistakes that pydantic found, by the key that they are in; of the whole under no name."""
    groups: dict[str, dict[tuple[int, ...], list[Any]]] = {}
    for fault in error.errors():
        key = str(fault["loc"][0]) if fault["loc"] else ""
        place = tuple(part for part in fault["loc"] if isinstance(part, int))
        groups.setdefault(key, {}).setdefault(place, []).append(fault)
    faults = {}
    for key, places in groups.items():
        # Where a value may have one type or another, pydantic lists a fault for each: the deepest is the closest.
        inner = {place: found for place, found in places.items() if place} or places
        deepest = (max(found, key=lambda each: len(each["loc"])) for found in inner.values())
        faults[key] = [_explain(fault, key, what=what, known=known) for fault in deepest]
    return faults


def _explain(fault: Any, key: str, *, what: str, known: Mapping[str, Any]) -> str:
    kind, value = fault["type"], fault["input"]
    if not key:  # found by a check of the whole, whose message says everything
        return f"{what}: {fault['msg'].removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        return f"{what} has no key {key!r}; {did_you_mean(key, known)}"
    if kind == "missing":
        return f"{what} lacks the key {key!r}; add it"
    place = ".".join([key, *(str(part) for part in fault["loc"] if isinstance(part, int))])
    if kind == "too_short":
        return f"{what}: {place} is empty; list at least one"
    if kind == "greater_than_equal":
        return f"{what}: {place} = {value!r} is too small; give {fault['ctx']['ge']} or more"
    if kind == "string_pattern_mismatch":
        return f"{what}: {place} = {value!r} does not fit; write {known[key].description}"
    if kind in ("tuple_type", "list_type") and (value is None or isinstance(value, str | int | float | dict)):
        return f"{what}: {place} = {value!r} is not a list; write {_as_list(value)}"
    if kind == "int_type" and (listed := _written_out(value)):
        return f"{what}: {place} = {value!r} is not a whole number; write {key}: {listed}"
    if kind == "string_type" and isinstance(value, int | float):
        return f"{what}: {place} = {value!r} is not text; put it in quotes"
    said = fault["msg"].removeprefix("Value error, ")
    message = said[0].lower() + said[1:].replace("dictionary", "mapping")
    return f"{what}: {place} = {value!r} does not fit: {message.replace('tuple', 'list')}"


def _as_list(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        if listed := _written_out(value):
            return listed
        if not (isinstance(value, str) and _RANGE.fullmatch(value)):
            return f"[{value}]"
    return "[...], with commas"


def _written_out(value: Any) -> str | None:
    """The list that a range such as 0..3 means; None where it is none, or a long one."""
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    first, last = map(int, found.groups())
    return str([*range(first, last + 1)]) if 0 <= last - first < _MAX_LISTED else None
