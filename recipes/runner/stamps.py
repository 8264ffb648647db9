"""What changes when a file of a run directory does: hashes of sizes and times, quicker than checksums of contents."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath

from educe.data.untrusted import read_bytes
from educe.eval import analysis, report

_OF_RUN = ("cells.json", "study.yaml", "audit.json")
_OF_ROW = ("measurement.json", "outcomes.parquet")


def stamp_of_rows(root: Path, folders: Sequence[str]) -> bytes:
    """Of what the rows of these cells come from: scores, outcomes, notes of failures, lists of cells, and our code.

    The time of a cell's folder says what came, went or was replaced in it.
    """
    digest = hashlib.sha256(_code())
    for path in _files(root, folders):
        digest.update(_state(path))
    return digest.hexdigest().encode()


def stamp_of_files(root: Path, folders: Sequence[str]) -> bytes:
    """Of every file in the folders of these cells, adapters included."""
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path in _inside(os.path.join(root, "cells", folder)):
            digest.update(os.fsencode(path[len(str(root)) :]) + _state(path))
    return digest.hexdigest().encode()


def _files(root: Path, folders: Sequence[str]) -> Iterator[str]:
    yield from (os.path.join(root, name) for name in _OF_RUN)
    above = sorted({str(parent) for folder in folders for parent in list(PurePosixPath(folder).parents)[:-1]})
    for kind in ("cells", "failures"):
        for each in above:  # only a link is of interest there: other cells may come and go
            if os.path.islink(path := os.path.join(root, kind, each)):
                yield path
    for folder in sorted(folders):
        yield (cell := os.path.join(root, "cells", folder))
        if os.path.lexists(cell):
            yield from (os.path.join(cell, name) for name in _OF_ROW)
        else:
            yield os.path.join(root, "failures", f"{folder}.json")


def _inside(folder: str) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(entry.path)


def _state(path: str) -> bytes:
    try:
        found = os.lstat(path)
    except OSError:
        return b"-;"
    return b"%d %d %d;" % (found.st_mode, found.st_size, found.st_mtime_ns)


@cache
def _code() -> bytes:
    """A hash of what makes rows of results."""
    tables = (Path(report.__path__[0]) / name for name in ("tables.py", "result_columns.py"))
    digest = hashlib.sha256()
    for path in (*tables, *sorted(Path(analysis.__path__[0]).rglob("*.py"))):
        digest.update(read_bytes(path))
    return digest.digest()
