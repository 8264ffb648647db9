"""The journal of a cell at work, in its run directory (journal_file.py): read as it was found, and appended to."""

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from educe.data.errors import UserError
from educe.data.untrusted import open_regular, parse_json
from educe.eval.analysis.formatting import format_count
from educe.eval.model.journal import WRITE_SECONDS
from educe.recipes.runner.journal_file import ABOUT, Contents, Key, packed, read_contents, read_record
from educe.recipes.runner.store import remove

# What is said of a journal that differs in one of these, the first of them.
_OTHERS = {
    "cell": "it is of another cell",
    "model": "it is of another model",
    "canary of the model": "it is of a model with other logits",
    "code": "it was written by other code",
    "device": "it was written on another device",
}


class CellJournal:
    """The parts of one cell's answers; on the disk every few seconds.

    `about` is all that its answers may depend on and that no part says: the cell, its model, the versions of code and
    libraries. A journal that is about anything else is deleted and not read. `say` is told in one line what was found,
    and where nothing can be written: then the cell goes on without a journal. `prepare` makes the folder.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, str],
        *,
        say: Callable[[str], None],
        prepare: Callable[[Path], None],
    ) -> None:
        self.saved_seconds = 0.0
        self.probe_seconds = 0.0
        self._path, self._say, self._prepare = path, say, prepare
        self._about = json.dumps(dict(about), sort_keys=True).encode()
        self._found = Contents()
        self._asked: frozenset[bytes] = frozenset()
        # Where each record begins, in the order of the file, and where the last ends.
        self._places: dict[Key, int] = {}
        self._end = 0
        # The states of models that were found, and those of them of which nothing was read yet.
        self._known: frozenset[bytes] = frozenset()
        self._unread: set[bytes] = set()
        self._old: BinaryIO | None = None
        self._new: int | None = None
        self._given_up = False
        self._synced = time.monotonic()
        if os.path.lexists(path):
            self._open()

    def knows(self, asked: bytes) -> bool:
        return asked in self._asked

    def read(self, asked: bytes, state: bytes) -> dict[str, Tensor] | None:
        """The values of a part, whole; None where the journal has none of it, or where it cannot be read."""
        place = self._found.places.get((asked, state))
        if place is None or self._old is None:
            return None
        try:
            self._old.seek(place)
            record = read_record(self._old, os.fstat(self._old.fileno()).st_size)
            if record is None or record.values is None:
                return None
            values = load(record.values)
        except (OSError, SafetensorError):  # the latter: a stranger's, with a checksum that is right
            return None
        self._unread.discard(state)
        return values

    def write(
        self, parts: Mapping[bytes, Mapping[str, Tensor]], state: bytes, *, instead_of: Collection[bytes] = ()
    ) -> None:
        """Append parts; they outlive this process at once, and the machine within seconds.

        Records at the end of the file that have no use any more are cut off before: those whose place the parts take,
        and those of a model that was trained again to other bits.
        """
        if self._given_up:
            return
        try:
            self._append({(asked, state): _saved(values) for asked, values in parts.items()}, state, set(instead_of))
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        if self._old is not None:
            self._old.close()
            self._old = None
        if self._new is not None:
            os.close(self._new)
            self._new = None

    def _append(self, records: Mapping[Key, bytes], state: bytes, replaced: set[bytes]) -> None:
        if self._new is None:
            self._create()
        assert self._new is not None
        stale: set[bytes] = (
            set() if state in self._known else {each for each in self._unread if self._has(records, each)}
        )
        self._cut(lambda key: key[1] in stale or (key[1] == state and key[0] in replaced))
        for key, values in records.items():
            data = packed(key, values)
            _write(self._new, data)
            self._places.pop(key, None)
            self._places[key] = self._end
            self._end += len(data)
        if time.monotonic() - self._synced >= WRITE_SECONDS:
            os.fsync(self._new)
            self._synced = time.monotonic()

    def _has(self, records: Mapping[Key, bytes], state: bytes) -> bool:
        """Whether something was found of this state of a model that is now asked of another one."""
        return any((asked, state) in self._places for asked, _ in records)

    def _cut(self, dead: Callable[[Key], bool]) -> None:
        """Cut dead records off the end of the file, unless another process has appended to it."""
        assert self._new is not None
        keys = list(takewhile(dead, reversed(self._places)))
        if not keys or os.fstat(self._new).st_size != self._end:
            return
        self._end = self._places[keys[-1]]
        os.ftruncate(self._new, self._end)
        for key in keys:
            del self._places[key]
            self._found.places.pop(key, None)

    def _open(self) -> None:
        """Read what is there, delete or cut what cannot be used, and say so."""
        try:
            reason = self._read()
        except (UserError, OSError) as error:
            reason = f"it cannot be read: {error}"
        if reason is not None:
            self.close()
            try:
                remove(self._path)
            except OSError as error:
                self._give_up(error)
                return
        try:
            self._say(self._what_was_found(reason))
        except BaseException:
            self.close()
            raise

    def _what_was_found(self, reason: str | None) -> str:
        if reason is not None:
            return f"its journal is not used, because {reason}; its answers are computed again"
        said = f"goes on with {format_count(len(self._found.places), 'part')} of answers from its journal"
        damage = self._found.damage
        return said if damage is None else f"{said}; {damage}, and what it had is computed again"

    def _give_up(self, error: OSError) -> None:
        """Go on without a journal: a cell needs none, and where the disk is full its result needs the room."""
        self._given_up = True
        self._asked = frozenset()
        self.close()
        with suppress(OSError):
            remove(self._path)
        reason = error.strerror or error
        self._say(f"its journal cannot be written: {reason}; goes on without one, so that a kill costs the whole cell")

    def _read(self) -> str | None:
        """Why the journal cannot be used, if so."""
        self._old = stream = open_regular(self._path, links=False)
        status = os.fstat(stream.fileno())
        if status.st_nlink != 1:
            return "it is also a file elsewhere"
        about, found = read_contents(stream, status.st_size)
        if about != self._about:
            return "its first record is damaged" if about is None else _difference(about, self._about)
        if found.end < status.st_size:
            os.truncate(self._path, found.end)
        self._found, self._places = found, dict(found.places)
        self._asked = frozenset(asked for asked, _ in found.places)
        self._known = frozenset(state for _, state in found.places)
        self._unread = set(self._known)
        return None

    def _create(self) -> None:
        """Open the file for appending, with its first record."""
        self._prepare(self._path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        self._new = os.open(self._path, flags, 0o666)
        self._end = os.fstat(self._new).st_size
        if not self._end:
            first = packed(ABOUT, self._about)
            _write(self._new, first)
            self._end = len(first)


def _saved(values: Mapping[str, Tensor]) -> bytes:
    return save({name: each.detach().cpu().contiguous() for name, each in values.items()})


def _write(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


def _difference(about: bytes, now: bytes) -> str:
    """The first thing in which a journal is about something else."""
    try:
        before, after = (parse_json(each.decode(), source="its first record") for each in (about, now))
    except (UserError, UnicodeDecodeError):
        return "its first record is damaged"
    for name in [*(each for each in _OTHERS if each in after), *sorted(after.keys() - _OTHERS.keys())]:
        was = before.get(name) if isinstance(before, dict) else None
        if was != after[name]:
            return _OTHERS.get(name, f"it was written with another {name}")
    return "it says more of what it was written for"
