"""Seals: checksums of the files of a run directory, which are compared whenever they are read.

A seal shows damage and carelessness. It does not show a forger, who can compute it again.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.untrusted import parse_json, read_bytes
from educe.eval.model.files import file_sha256

SEAL = "seal.json"
_MAX_BYTES = 16 << 20


def sealed_text(values: Mapping[str, Any]) -> str:
    """JSON text of these values and, under `seal`, their checksum."""
    return json.dumps({**values, "seal": checksum(json.dumps(values, sort_keys=True).encode())}, indent=1)


def read_sealed(path: Path) -> dict[str, Any]:
    """The values in a file of `sealed_text`. ValueError where it is anything else, to the byte."""
    data = read_bytes(path, limit=_MAX_BYTES, links=False)
    values = parse_json(data.decode(), source=path.name)
    if not isinstance(values, dict) or "seal" not in values:
        raise ValueError("it has no seal: an older version wrote it, or it was changed")
    rest = {name: value for name, value in values.items() if name != "seal"}
    if sealed_text(rest).encode() != data:
        raise ValueError("it is not what was sealed")
    return rest


def checksum(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def checksums(folder: Path) -> dict[str, list[int | str]]:
    """The size and checksum of every file in a folder and below, by path from there; its own seal is left out.

    ValueError for what is neither a file nor a folder, symbolic links among them.
    """
    return {name: [path.stat().st_size, file_sha256(path, links=False)] for name, path in _files(folder).items()}


def seal_folder(folder: Path, **about: str) -> None:
    """Write the seal of a folder, with what it is about."""
    (folder / SEAL).write_text(sealed_text({**about, "files": checksums(folder)}), "utf-8")


def check_folder(folder: Path, **about: str) -> None:
    """ValueError where a folder is not as `seal_folder` left it, or is about something else."""
    if not os.path.lexists(folder / SEAL):
        raise ValueError("it is not sealed: an older version wrote it, or its seal is lost")
    try:
        values = read_sealed(folder / SEAL)
    except (UserError, ValueError) as error:
        raise ValueError(f"{SEAL}: {str(error).removeprefix(f'{SEAL}: ')}") from None
    check_files(folder, values.pop("files", None))
    for name, value in about.items():
        if values.get(name) != value:
            raise ValueError(f"its seal is of the {name} {values.get(name)!r}, not of {value!r}")
    if values.keys() != about.keys():
        raise ValueError(f"{SEAL} is not what a run writes")


def check_files(folder: Path, expected: Any) -> None:
    """ValueError where the files in a folder and below are not these, by path with their sizes and checksums."""
    if not isinstance(expected, dict):
        raise ValueError(f"{SEAL} lists no files")
    found = _files(folder)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise ValueError(f"{name} is missing")
        if name not in expected:
            raise ValueError(f"{name} was not there when it was sealed")
        # The size first: a file can claim to be far longer than could be read.
        size = found[name].stat().st_size
        if not isinstance(expected[name], list) or expected[name][:1] != [size]:
            raise ValueError(f"{name} is not what was sealed: it has {size:,} bytes")
        if expected[name] != [size, file_sha256(found[name], links=False)]:
            raise ValueError(f"{name} is not what was sealed")


def _files(folder: Path) -> dict[str, Path]:
    """The files in a folder and below by their paths from there, sorted, without the folder's own seal."""
    named = {path.relative_to(folder).as_posix(): path for path in _walk(folder)}
    return {name: path for name, path in sorted(named.items()) if name != SEAL}


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                kind = "a symbolic link" if entry.is_symlink() else "neither a file nor a folder"
                raise ValueError(f"{entry.name} is {kind}")
