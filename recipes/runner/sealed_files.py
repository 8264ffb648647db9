"""Files at the top of a run directory, with their checksums in its seal.json: written together, checked when read."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ConfigDict, TypeAdapter, with_config

from educe.data.errors import UserError
from educe.data.untrusted import read_bytes
from educe.data.writing import write_whole
from educe.recipes.runner.corruption import CORRUPTION, Corrupt, report_corruption
from educe.recipes.runner.seal import SEAL, checksum, read_sealed, sealed_text

LOCK = ".seal.lock"
_MAX_SECONDS = 60


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class _Seal:
    """The checksums that each file of the directory may have."""

    files: dict[str, list[str | None]]


_SEAL = TypeAdapter(_Seal)


class SealedFiles:
    """Files by their names. A run and those who look at its results may write at the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = FileLock(root / LOCK, timeout=_MAX_SECONDS)

    def refuse_links(self) -> None:
        """Corrupt where an entry of the directory is a symbolic link, or its lock is also a file elsewhere."""
        for each in sorted(self.root.iterdir() if self.root.is_dir() else ()):
            if each.is_symlink():
                raise Corrupt(f"{link_line(each)}; delete it")
        for lock in (self.root / ".lock", self.root / LOCK):
            # Locking empties the file.
            if lock.exists() and not (lock.is_file() and lock.stat().st_nlink == 1):
                raise Corrupt(f"{lock} is not a file of its own; delete it")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing: what was read in here is what is written over. OSError where nothing can be."""
        try:
            self._lock.acquire()
        except Timeout:  # an OSError, too
            raise UserError(f"{self.root} is being written to by another command; try again") from None
        try:
            yield
        finally:
            self._lock.release()

    def write(self, contents: Mapping[str, str | bytes | None]) -> None:
        """Write files of the directory and seal them; None deletes one.

        While they are written the seal lists old and new: a run that is killed in between leaves a directory that can
        be read. None stands for a file that is not there.
        """
        with self.locked():
            try:
                before = self._sealed()
            except CORRUPTION:
                before = {}  # what it sealed is written again, or found to be corrupt
            after = {name: [None if each is None else checksum(_bytes(each))] for name, each in contents.items()}
            both = {name: [*before.get(name, [None]), *sealed] for name, sealed in after.items()}
            write_whole(self.root / SEAL, sealed_text({"files": {**before, **both}}))
            for name, content in contents.items():
                if content is None:
                    (self.root / name).unlink(missing_ok=True)
                else:
                    write_whole(self.root / name, content)
            write_whole(self.root / SEAL, sealed_text({"files": {**before, **after}}))

    def read(self, name: str) -> str | None:
        """The text of a file; None where none was written. ValueError where it is another."""
        data = self.read_data(name)
        return None if data is None else data.decode()

    def read_data(self, name: str) -> bytes | None:
        """The same as bytes."""
        path = self.root / name
        sealed: list[str | None] = [None]
        if os.path.lexists(self.root / SEAL):
            with report_corruption(self.root / SEAL):
                sealed = self._sealed().get(name, sealed)
        data = read_bytes(path, links=False) if os.path.lexists(path) else None
        if (None if data is None else checksum(data)) not in sealed:
            raise _missing(path) if data is None else ValueError("it is not what was sealed")
        return data

    def read_written(self, name: str) -> str:
        """The same of a file that every run writes. Corrupt where it is missing."""
        text = self.read(name)
        if text is None:
            raise _missing(self.root / name)
        return text

    def _sealed(self) -> dict[str, list[str | None]]:
        return _SEAL.validate_python(read_sealed(self.root / SEAL)).files


def link_line(path: Path) -> str:
    """Why a link is refused."""
    return f"{path} is a symbolic link, which no run writes"


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _missing(path: Path) -> Corrupt:
    return Corrupt(f"{path} is missing; run the study again, which writes it (finished cells are kept)")
