"""Reading what a person wrote into a pydantic model: the first mistake is one line with the fix."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from educe.data.errors import UserError, did_you_mean

Read = TypeVar("Read", bound=BaseModel)


def validated(kind: type[Read], values: Mapping[str, Any], *, what: str, known: Mapping[str, Any]) -> Read:
    """The model with these values. UserError for the first mistake; an unknown key is compared with `known` ones."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise UserError(_explain(error, what=what, known=known)) from error


def _explain(error: ValidationError, *, what: str, known: Mapping[str, Any]) -> str:
    faults = error.errors()
    if not faults[0]["loc"]:  # found by a check of the whole, whose message says everything
        return f"{what}: {faults[0]['msg'].removeprefix('Value error, ')}"
    field = str(faults[0]["loc"][0])
    # Where a value may have one type or another, pydantic lists a fault for each: the deepest is the closest.
    fault = max((each for each in faults if each["loc"][0] == field), key=lambda each: len(each["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{what} has no key {field!r}; {did_you_mean(field, known)}"
    if fault["type"] == "missing":
        return f"{what} lacks the key {field!r}; add it"
    place = ".".join([field, *(str(part) for part in fault["loc"] if isinstance(part, int))])
    if fault["type"] == "too_short":
        return f"{what}: {place} is empty; list at least one"
    if fault["type"] == "greater_than_equal":
        return f"{what}: {place} = {fault['input']!r} is too small; give {fault['ctx']['ge']} or more"
    if fault["type"] == "string_pattern_mismatch":
        return f"{what}: {place} = {fault['input']!r} does not fit; write {known[field].description}"
    said = fault["msg"].removeprefix("Value error, ")
    message = said[0].lower() + said[1:].replace("dictionary", "mapping")
    return f"{what}: {place} = {fault['input']!r} does not fit: {message.replace('tuple', 'list')}"
