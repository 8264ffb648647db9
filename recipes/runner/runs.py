"""What run directories are in a folder, and which cells they lack: from their lists of cells, no result is opened."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.recipes.runner.result_files import SUMMARY
from educe.recipes.runner.store import Store

if TYPE_CHECKING:  # a study has its cells, which need torch
    from educe.recipes.runner.study import Study


def check_same_cells(store: Store, study: "Study") -> None:
    """UserError where a study, read again, has other cells than its directory lists: they would replace the list."""
    listed, now = store.listing(), [cell.listed for cell in study.cells()]
    if listed != now:
        known = len({each.folder for each in listed} & {each.folder for each in now})
        raise UserError(
            f"{store.root} lists {format_count(len(listed), 'cell')}, and its study as it is read here has {known} of "
            "them: files that it names have changed or lie elsewhere, or cells were launched one by one; run them as "
            "they were begun"
        )


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
    """The study and how many of its cells have a result, whole or not; or why that cannot be told."""
    store = Store(folder)
    try:
        name, cells = store.study_name(), store.listing()
    except UserError as error:
        return str(error)
    left = [each.folder for each in cells if not (folder / "cells" / each.folder / SUMMARY).exists()]
    failed = sum((folder / "failures" / f"{each}.json").exists() for each in left)
    more = f", {failed} failed" if failed else ""
    return f"{name}: {len(cells) - len(left):,} of {format_count(len(cells), 'cell')}{more}"
