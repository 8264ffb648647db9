"""Files written whole or not at all: under a name of their own in the same folder, then moved into place in one step.

A reader, or a process that is killed, finds the old file or the new one, and so does a machine that loses power: what
is moved into place is on the disk before. The old file itself is never written to, so a symbolic or hard link that has
its name is replaced and what it stands for stays as it is.
"""

import errno
import os
import re
import socket
import time
from pathlib import Path

from educe.data.errors import UserError

_PART = re.compile(r"\..*\.(?P<machine>[A-Za-z0-9_-]+)\.(?P<process>[0-9]+)\.part")
# A folder may be shared: whether a process of another machine still runs is not known here.
_MACHINE = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "unnamed"
_OLD_SECONDS = 24 * 60 * 60


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step; text as UTF-8. UserError where a folder has its name; OSError as for any write."""
    if path.is_dir() and not path.is_symlink():
        raise UserError(f"{path} is a folder, and a file is written there; move it away")
    part = path.with_name(f".{path.name}.{_MACHINE}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    # Not tempfile: its files are readable by their owner alone.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        move_into_place(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def move_into_place(made: Path, path: Path) -> None:
    """Give a file or folder that is on the disk its name, and have that on the disk, too."""
    os.replace(made, path)
    _sync(path.parent)


def make_parents(path: Path) -> None:
    """Make the folders that a path lies in, and have their names on the disk."""
    missing = [each for each in path.parents if not each.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync(each.parent)


def sync_folder(folder: Path) -> None:
    """Have every file of a folder and below on the disk."""
    for inside, _, files in os.walk(folder):
        for name in files:
            _sync(Path(inside) / name)
        _sync(Path(inside))


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk. OSError where it cannot hold them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot do it for a folder
            raise
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder to write in, without what killed processes left there.

    UserError where a link or a file has its name; its parents may be links.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path} is {'a symbolic link' if path.is_symlink() else 'a file'}, not a folder; move it away")
    path.mkdir(parents=True, exist_ok=True)
    clear_parts(path)


def clear_parts(folder: Path) -> None:
    """Delete what killed processes left of `write_whole` in a folder; what other machines left, after a day."""
    for each in folder.iterdir():
        if (left := _PART.fullmatch(each.name)) and _is_left(each, left["machine"], int(left["process"])):
            each.unlink(missing_ok=True)


def _is_left(part: Path, machine: str, process: int) -> bool:
    if machine == _MACHINE:
        return not _is_running(process)
    try:
        return time.time() - part.stat().st_mtime > _OLD_SECONDS
    except FileNotFoundError:  # its own process has just moved it into place
        return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
