"""What run directories are in a folder, and which cells they lack: from their lists of cells, no result is opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.result_files import SUMMARY
from educe.recipes.runner.store import Store


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run directory: its study's text, how many cells it has, and those without a result."""

    study: str
    name: str
    cells: int
    left: tuple[Listed, ...]
    failed: int


def read_run(folder: Path) -> Run:
    """What a run directory has and lacks, whether whole or not. UserError where there is no run."""
    store = Store(folder)
    cells = store.listing()
    left = [each for each in cells if not (folder / "cells" / each.folder / SUMMARY).exists()]
    failed = sum((folder / "failures" / f"{each.folder}.json").exists() for each in left)
    return Run(study=store.study_text(), name=store.study_name(), cells=len(cells), left=tuple(left), failed=failed)


def runs_text(folder: Path) -> Iterator[str]:
    """A line for each run directory in a folder, the one that was run last first. UserError where there is none."""
    found = [each.parent for each in folder.glob("*/cells.json")] if folder.is_dir() else []
    if not found:
        raise UserError(f"{folder} holds no run directory; name the folder that they are in: educe ls runs DIR")
    found.sort(key=lambda each: (each / "cells.json").stat().st_mtime, reverse=True)
    width = max(len(str(each)) for each in found)
    for each in found:
        begun = datetime.fromtimestamp((each / "cells.json").stat().st_mtime)
        yield f"{each!s:{width}}  {begun:%Y-%m-%d %H:%M}  {_state(each)}"


def _state(folder: Path) -> str:
    try:
        found = read_run(folder)
    except UserError as error:
        return str(error)
    done = found.cells - len(found.left)
    failed = f", {found.failed} failed" if found.failed else ""
    return f"{found.name}: {done:,} of {format_count(found.cells, 'cell')}{failed}"
