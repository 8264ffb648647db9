"""The cache: folders that are costly to make, made once, checked against their manifest and never used half-made.

It is the folder that EDUCE_CACHE names (default ~/.cache/educe). What is made runs under a file lock in a scratch
folder and is moved into place whole: two processes may start at once, and one may die half-way.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from safetensors import SafetensorError

from educe.data.errors import UserError
from educe.eval.model.files import file_sha256

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Words:
    """How the making of a folder is told, for example "converting", "converted" and "fetching it again"."""

    doing: str
    done: str
    again: str


def cache_folder() -> Path:
    """The folder for what is made once: EDUCE_CACHE, or ~/.cache/educe."""
    return Path(os.environ.get("EDUCE_CACHE") or Path.home() / ".cache" / "educe")


def made_once(folder: Path, make: Callable[[Path, Path], None], *, name: str, words: Words) -> Path:
    """A folder of the cache, made where it is not there or not as it was made.

    `make` gets a scratch folder and the path of the folder to make. UserError where the cache cannot be written.
    """
    # A folder appears whole, so an intact one needs no lock, which a read-only cache could not give.
    if folder.exists() and find_corruption(folder) is None:
        return folder
    with _writable(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{folder.name}.lock"):
            if folder.exists():
                corruption = find_corruption(folder)
                if corruption is None:
                    return folder
                print(f"educe: cached {name} is corrupt ({corruption}); {words.again}", file=sys.stderr, flush=True)
                shutil.rmtree(folder)
            # Of a process that died half-way: we hold the lock.
            for left_over in folder.parent.glob(f".{folder.name}-*"):
                shutil.rmtree(left_over)
            started = time.monotonic()
            print(f"educe: {words.doing} {name}, once, into {folder}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
                ready = Path(scratch) / "ready"
                make(Path(scratch), ready)
                _close(ready)
                os.replace(ready, folder)
            print(f"educe: {words.done} {name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return folder


def find_corruption(folder: Path) -> str | None:
    """What differs between a folder of the cache and its manifest; None where it is intact."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return f"{MANIFEST} is missing or unreadable"
    files = {path.name for path in folder.iterdir()} - {MANIFEST}
    if added := files - set(manifest):
        return f"{min(added)} was not there when it was made"
    for name, expected in manifest.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if file_sha256(folder / name) != expected:
            return f"{name} has another sha256 than when it was made"
    return None


def _close(folder: Path) -> None:
    """Write the manifest, and let everyone read the files who may read it."""
    listing = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(listing, indent=1), "utf-8")
    readable = (folder / MANIFEST).stat().st_mode
    for path in folder.iterdir():  # safetensors keeps what it writes from all but its owner
        path.chmod(readable)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors raises the latter when the disk is full
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot write the cache {folder}: {reason}; free space or set EDUCE_CACHE elsewhere"
        ) from error
