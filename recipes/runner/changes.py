"""Changes of a study on the command line: `--set a.b=c`."""

from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.untrusted import parse_yaml


def apply_change(written: dict[str, Any], change: str) -> None:
    """Apply one `a.b=c`: c is YAML, list positions are numbers; only the last key may be new."""
    path, value = parse_change(change)
    *parents, last = path.split(".")
    place: Any = written
    for key in parents:
        place = _child(place, key, change)
    if isinstance(place, list):
        place[_position(place, last, change)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"--set {change!r}: {'.'.join(parents)} is {place!r}, which has no keys; check the path")


def parse_change(change: str) -> tuple[str, Any]:
    """The path left of the `=`, and the YAML right of it. UserError where one is missing."""
    path, equals, value = change.partition("=")
    if not equals or not path:
        raise UserError(f"--set {change!r} is not key=value; write it as in --set seeds=[0,1,2]")
    try:
        return path, parse_yaml(value, source="the value")
    except UserError as error:
        raise UserError(f"--set {change!r}: {error}; write a number, a word or [a, b]") from None


def _child(place: Any, key: str, change: str) -> Any:
    if isinstance(place, list):
        index = _position(place, key, change)
        if place[index] == key:  # a name without settings gets some
            place[index] = {key: {}}
        return place[index][key] if isinstance(place[index], dict) and key in place[index] else place[index]
    if isinstance(place, dict) and key in place:
        return place[key]
    known = map(str, place) if isinstance(place, dict) else []
    raise UserError(f"--set {change!r}: there is no key {key!r}; {did_you_mean(key, known)}")


def _position(place: list[Any], key: str, change: str) -> int:
    """A list position as a number, or by the name of the one entry that has it (`recipes.iid_sft.rank=4`)."""
    named = [index for index, entry in enumerate(place) if entry == key or (isinstance(entry, dict) and key in entry)]
    if len(named) > 1:
        raise UserError(
            f"--set {change!r}: {len(named)} entries are {key!r}; "
            f"put its position before it, as in {named[0]}.{key} or {named[1]}.{key}"
        )
    if named:
        return named[0]
    if key in map(str, range(len(place))):
        return int(key)
    raise UserError(f"--set {change!r}: there is no entry {key!r}; use a position from 0 to {len(place) - 1}")
