"""What a run directory notes of its copies in a folder of the tracker: an id of its own, and what is copied."""

import hashlib
import os
import re
import uuid
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.untrusted import read_json, read_text, read_yaml
from educe.data.writing import make_parents, write_whole
from educe.recipes.runner.tracking.settings import NONE, ChosenTracker

# Enough of a hash to identify a cell, in an id that every tracker takes.
_KEY_LENGTH = 32
_ID, _ENDING, _CURVES = "directory.id", ".copied", "curves"


class Marks:
    """Files of a tracker's folder in the run directory. The library's own are there before anything is copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def directory(self) -> str:
        """A random id, made once: two run directories of one study have copies of their own."""
        path = self._folder / _ID
        with suppress(UserError):
            if re.fullmatch("[0-9a-f]{32}", known := read_text(path, limit=1000, links=False)):
                return known
        make_parents(path)
        write_whole(path, made := uuid.uuid4().hex)
        return made

    def has(self, folder: str, key: str) -> bool:
        """Whether the cell with this folder and key is copied."""
        return (self._folder / _name(folder, key)).exists()

    def add(self, folder: str, key: str) -> None:
        self._add(_name(folder, key))

    def add_curves(self) -> None:
        self._add(f"{_CURVES}{_ENDING}")

    def remove_curves(self) -> None:
        (self._folder / f"{_CURVES}{_ENDING}").unlink(missing_ok=True)

    def _add(self, name: str) -> None:
        make_parents(self._folder / name)
        write_whole(self._folder / name, "")


def is_copied(root: Path) -> bool:
    """Whether every cell of a finished run directory is copied, and its curves, where its study names a tracker."""
    chosen = ChosenTracker.read(read_yaml(root / "study.yaml", links=False).get("track", NONE))
    if chosen is None:
        return True
    folder = root / chosen.name
    there = set(os.listdir(folder)) if folder.is_dir() else set()
    cells = read_json(root / "cells.json", links=False)
    return there.issuperset({f"{_CURVES}{_ENDING}", *(_name(each["folder"], each["key"]) for each in cells)})


def _name(folder: str, key: str) -> str:
    return f"{hash_of(folder, key)}{_ENDING}"


def hash_of(*values: Any) -> str:
    """What identifies these values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:_KEY_LENGTH]
