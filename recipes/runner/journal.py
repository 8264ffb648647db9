"""The journal of a cell at work, in its run directory (journal_file.py): read as it was found, and appended to."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from educe.data.errors import UserError
from educe.data.untrusted import open_regular, parse_json
from educe.eval.analysis.formatting import format_count
from educe.eval.model.journal import WRITE_SECONDS
from educe.recipes.runner.journal_file import ABOUT, Contents, packed, read_contents, read_record
from educe.recipes.runner.store import remove


class CellJournal:
    """The parts of one cell's answers; on the disk every few seconds.

    `about` is all that its answers may depend on and that no part says: the cell, its model, the versions of code and
    libraries. A journal that is about anything else is deleted and not read. `say` is told in one line what was found.
    `writing` surrounds every write, and `prepare` makes the folder.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, str],
        *,
        say: Callable[[str], None],
        prepare: Callable[[Path], None],
        writing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.saved_seconds = 0.0
        self.probe_seconds = 0.0
        self._path, self._prepare, self._writing = path, prepare, writing
        self._about = json.dumps(dict(about), sort_keys=True).encode()
        self._found = Contents()
        self._asked: frozenset[bytes] = frozenset()
        self._old: BinaryIO | None = None
        self._new: int | None = None
        self._synced = time.monotonic()
        if os.path.lexists(path):
            say(self._open())

    def knows(self, asked: bytes) -> bool:
        return asked in self._asked

    def read(self, asked: bytes, state: bytes) -> dict[str, Tensor] | None:
        """The values of a part, whole; None where the journal has none of it."""
        place = self._found.places.get((asked, state))
        if place is None or self._old is None:
            return None
        self._old.seek(place)
        record = read_record(self._old, os.fstat(self._old.fileno()).st_size)
        if record is None or record.values is None:
            return None
        try:
            return load(record.values)
        except SafetensorError:  # a stranger's, with a checksum that is right
            return None

    def write(self, parts: Mapping[bytes, Mapping[str, Tensor]], state: bytes) -> None:
        """Append parts; they outlive this process at once, and the machine within seconds."""
        data = b"".join(packed((asked, state), _saved(values)) for asked, values in parts.items())
        with self._writing():
            if self._new is None:
                self._new = self._created()
            _write(self._new, data)
            if time.monotonic() - self._synced >= WRITE_SECONDS:
                os.fsync(self._new)
                self._synced = time.monotonic()

    def close(self) -> None:
        if self._old is not None:
            self._old.close()
        if self._new is not None:
            os.close(self._new)

    def _open(self) -> str:
        """Read what is there, and delete or cut what cannot be used. What is said of it."""
        try:
            reason = self._read()
        except (UserError, OSError) as error:
            reason = f"it cannot be read: {error}"
        if reason is not None:
            with self._writing():
                remove(self._path)
            return f"its journal is not used, because {reason}; its answers are computed again"
        said = f"goes on with {format_count(len(self._found.places), 'part')} of answers from its journal"
        damage = self._found.damage
        return said if damage is None else f"{said}; {damage}, and what it had is computed again"

    def _read(self) -> str | None:
        """Why the journal cannot be used, if so."""
        self._old = stream = open_regular(self._path, links=False)
        status = os.fstat(stream.fileno())
        if status.st_nlink != 1:
            return "it is also a file elsewhere"
        about, self._found = read_contents(stream, status.st_size)
        if about != self._about:
            self._found = Contents()
            return "its first record is damaged" if about is None else _difference(about, self._about)
        with self._writing():
            os.truncate(self._path, self._found.end)
        self._asked = frozenset(asked for asked, _ in self._found.places)
        return None

    def _created(self) -> int:
        """The file, open for appending, with its first record."""
        self._prepare(self._path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        number = os.open(self._path, flags, 0o666)
        if not os.fstat(number).st_size:
            _write(number, packed(ABOUT, self._about))
        return number


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
    for name in sorted(after):
        was = before.get(name) if isinstance(before, dict) else None
        if was != after[name]:
            return f"it is of another {name}"
    return "it is of something else"
