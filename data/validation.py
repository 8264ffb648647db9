"""Checks of option values. Each UserError names the option, its value and the fix."""

from collections.abc import Collection, Mapping
from typing import Any

from educe.data.display import visible
from educe.data.errors import UserError, did_you_mean

# As long as a name in a table or a folder can be.
MAX_NAME = 100


def check_one_of(option: str, value: Any, known: Collection[str]) -> None:
    """UserError where the value is not one of the known ones."""
    if value not in known:
        raise UserError(f"{option}: {value!r} is not known; {did_you_mean(str(value), known)}")


def check_text(option: str, value: Any) -> None:
    """UserError where the value is not text."""
    if not isinstance(value, str):
        raise UserError(f"{option}: {value!r} is not text; put it in quotes")


def check_bool(option: str, value: Any) -> None:
    """UserError where the value is not true or false."""
    if not isinstance(value, bool):
        raise UserError(f"{option}: {value!r} is neither true nor false; write {option}: true")


def check_size(option: str, value: Any) -> None:
    """UserError where the value is not a whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{option}: {value!r} is not a whole number above 0; give 1 or more")


def check_share(option: str, value: Any) -> None:
    """UserError where the value is not a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"{option}: {value!r} is not a share; give a number from 0 to 1")


def check_mapping(option: str, value: Any) -> None:
    """UserError where the value is neither None nor a mapping of names."""
    if value is not None and not isinstance(value, Mapping):
        raise UserError(f"{option}: {value!r} is not a mapping; write {option}: {{name: value}}")


def check_name(what: str, name: Any) -> None:
    """UserError where a name could be no folder of its own: it is shown in tables and names folders of results.

    Names may have any printable character but a backslash. A slash stands between parts, none of which is `.` or `..`.
    """
    check_text(f"{what}: name", name)
    shown = f"{what}: name {name[:MAX_NAME]!r}"
    if len(name) > MAX_NAME:
        raise UserError(f"{shown} and so on has {len(name):,} characters; give one of up to {MAX_NAME}, as name: SHORT")
    if visible(name) != name or name != name.strip() or "\\" in name:
        raise UserError(
            f"{shown} has spaces around it, a backslash or a hidden character; give another, as name: OTHER"
        )
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise UserError(f"{shown} is empty or reads as a path; give another, as name: OTHER")
