"""looks.jsonl: who looked at which results of a run directory, and when. Lines are appended and never changed.

A look is whatever shows p values, stars or claims: the report at the end of `educe run`, `educe report`, `educe claims`
and `educe compare`. Looks at the same set of cells are one look. The first line says since when looks are recorded. The
page of a run in progress (live.py) shows scores and makes no test, so it is none.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, with_config

from educe.data.untrusted import parse_json
from educe.eval.analysis.looks import Look, Seeds
from educe.eval.ranges import Count
from educe.recipes.runner.corruption import CORRUPTION, reason_of
from educe.recipes.runner.listing import Facts, Listed
from educe.recipes.runner.sealed_files import SealedFiles

LOOKS = "looks.jsonl"
Command = Literal["run", "report", "claims", "compare"]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Opening:
    """Since when looks are recorded, whether results stood there before, and why an earlier record is lost."""

    opened: Time
    late: bool = False
    lost: str = ""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One look: seeds by condition that the study listed and that had results, and the hash of the latter's cells."""

    time: Time
    command: Command
    cells: Count
    hash: str
    listed: dict[str, list[Count]]
    stood: dict[str, list[Count]]

    @property
    def look(self) -> Look:
        return Look(listed=_sets(self.listed), stood=_sets(self.stood))


@dataclass(frozen=True, kw_only=True)
class Log:
    """The looks recorded in a directory, in their order."""

    opening: Opening
    entries: tuple[Entry, ...] = ()

    def has(self, entry: Entry) -> bool:
        """Whether this look was recorded before, whenever and by whichever command."""
        return entry.look in (each.look for each in self.entries)


_OPENING, _ENTRY = TypeAdapter(Opening), TypeAdapter(Entry)


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def log_text(log: Log) -> str:
    """The log as JSON lines."""
    lines: tuple[Opening | Entry, ...] = (log.opening, *log.entries)
    return "".join(f"{json.dumps(_plain(each))}\n" for each in lines)


def parse_log(text: str) -> Log:
    """The log in such a text. ValueError where it is not one, to the byte."""
    first, *rest = [parse_json(line, source=f"line {n}", one_line=True) for n, line in enumerate(text.splitlines(), 1)]
    log = Log(opening=_OPENING.validate_python(first), entries=tuple(map(_ENTRY.validate_python, rest)))
    for entry in log.entries:
        if entry.cells != sum(map(len, entry.stood.values())):
            raise ValueError(f"the look of {entry.time} has another number of cells than it lists")
    if log_text(log) != text:
        raise ValueError("it is not as a run writes it")
    return log


def reopened(files: SealedFiles, *, late: bool) -> dict[str, str]:
    """A new log where a directory has none that is whole, which says what is not known of earlier looks."""
    try:
        if (text := files.read(LOOKS)) is not None:
            parse_log(text)
            return {}
        lost = ""
    except CORRUPTION as error:
        lost = reason_of(error, files.root / LOOKS)
    return {LOOKS: log_text(Log(opening=Opening(opened=now(), late=late, lost=lost)))}


def entry_of(command: Command, listing: Iterable[Listed], standing: Iterable[Listed]) -> Entry:
    """The entry of a look at the results of these cells of a study."""
    stood = sorted(standing, key=lambda cell: cell.key)
    return Entry(
        time=now(),
        command=command,
        cells=len(stood),
        hash=hash_of(stood),
        listed=seeds_by_condition(listing),
        stood=seeds_by_condition(stood),
    )


def hash_of(cells: Iterable[Listed]) -> str:
    """The hash of a set of cells."""
    return hashlib.sha256("\n".join(sorted(cell.key for cell in cells)).encode()).hexdigest()


def seeds_by_condition(cells: Iterable[Listed]) -> dict[str, list[int]]:
    """The seeds of each condition, ascending."""
    found: dict[str, list[int]] = {}
    for cell in cells:
        found.setdefault(condition_id(cell.facts), []).append(cell.facts.seed)
    return {name: sorted(seeds) for name, seeds in sorted(found.items())}


def condition_id(facts: Facts) -> str:
    """What decides a cell's result but its seed, as a short hash."""
    decides = {name: value for name, value in vars(facts).items() if name != "seed"}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _sets(seeds: dict[str, list[int]]) -> Seeds:
    return {name: frozenset(each) for name, each in seeds.items()}


def _plain(value: Opening | Entry) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}
