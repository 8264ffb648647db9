"""The native form of a question: as a text that goes on with its answer, such as pre-training text would hold it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format

# No field is named, and every item is a paragraph.
NATIVE_FORMAT = Format(question_field="", answer_field="", field_separator="", example_separator="\n\n")
_PLACE = "{question}"


@dataclass(frozen=True, kw_only=True)
class NativeForm:
    """What stands before the answer, without the space between them; `written` is the user's own text, if it is one."""

    before: Callable[[Example], str]
    written: str = ""


def check_native(option: str, value: Any) -> None:
    """UserError where the text has no place for the question, or ends in a space."""
    if not isinstance(value, str) or value.count(_PLACE) != 1:
        raise UserError(f"{option}: {value!r} needs {_PLACE} once, as in {option}: 'Q: {_PLACE} A:'")
    if value != value.rstrip():
        raise UserError(f"{option}: {value!r} ends in a space, which belongs to the answer; drop it")


def native_of_text(text: str) -> NativeForm:
    """The form that a text with a place for the question is."""
    return NativeForm(before=partial(_filled, text), written=text)


def _filled(text: str, example: Example) -> str:
    return text.replace(_PLACE, example.question)
