"""Files written whole or not at all: under a name of their own in the same folder, then moved into place in one step.

A reader, or a process that is killed, finds the old file or the new one. The old file itself is never written to, so a
symbolic or hard link that has its name is replaced and what it stands for stays as it is.
"""

import os
import re
from pathlib import Path

from educe.data.errors import UserError

_PART = re.compile(r"\..*\.([0-9]+)\.part")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step; text as UTF-8. UserError where a folder has its name; OSError as for any write."""
    if path.is_dir() and not path.is_symlink():
        raise UserError(f"{path} is a folder, and a file is written there; move it away")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    # Not tempfile: its files are readable by their owner alone.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make a folder to write in, without what killed processes left there.

    UserError where a link or a file has its name; its parents may be links.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path} is {'a symbolic link' if path.is_symlink() else 'a file'}, not a folder; move it away")
    path.mkdir(parents=True, exist_ok=True)
    clear_parts(path)


def clear_parts(folder: Path) -> None:
    """Delete what killed processes left of `write_whole` in a folder."""
    for each in folder.iterdir():
        if (left := _PART.fullmatch(each.name)) and not _is_running(int(left[1])):
            each.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
