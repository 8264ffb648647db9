"""What of a run directory is whole: every file against its seal, and what is read against what a run can write."""

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from educe.data.display import visible
from educe.eval.analysis.formatting import format_count
from educe.recipes.runner.corruption import CORRUPTION, Corrupt, reason_of
from educe.recipes.runner.journal_file import damage
from educe.recipes.runner.listing import Listed
from educe.recipes.runner.looks import hash_of
from educe.recipes.runner.record import read_looks, read_plan
from educe.recipes.runner.screened import SCREEN, read_screen
from educe.recipes.runner.store import NOT_RUN, Store
from educe.recipes.runner.table import check_table


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line for each fault, one for what is no part of the study, and a summary."""

    faults: Sequence[str]
    unread: Sequence[str]
    summary: str

    def lines(self) -> list[str]:
        """All of it as it is shown."""
        return [visible(each) for each in (*self.faults, *self.unread, self.summary)]


def verify(folder: str | Path) -> Verdict:
    """Whether a run directory is whole. UserError where there is no run.

    A cell that was not run yet is a fault: the study is not whole. A cell that failed and has a note of it is none, and
    neither is a result that the study does not list: one of an earlier study in the same directory stays there.
    """
    store = Store(Path(folder))
    faults = []
    own = (read_looks, read_plan, read_screen)
    reads = (
        store.study_name,
        store.primary,
        store.read_audits,
        *(partial(read, store) for read in own),
        partial(check_table, store),
    )
    for read in reads:
        try:
            read()
        except Corrupt as error:
            faults.append(str(error))
    try:
        measurements, failures = store.read()
        unread = [f"{path} is of no cell of the study and is not read" for path in unlisted(store)]
        unread += _earlier_screen(store)
    except Corrupt as error:
        known = list(dict.fromkeys([*faults, str(error)]))
        return Verdict(faults=known, unread=(), summary=f"{folder} is not whole: its cells are not checked")
    faults += _damaged_journals(store)
    faults += [f"{each.cell_name}: {each.reason}" for each in failures if each.corrupt or each.reason == NOT_RUN]
    not_run, corrupt = sum(each.reason == NOT_RUN for each in failures), sum(each.corrupt for each in failures)
    counts = {"failed": len(failures) - not_run - corrupt, "not run": not_run, "corrupt": corrupt}
    others = "".join(f", {count} {what}" for what, count in counts.items() if count)
    verdict = "is not whole" if faults else "is whole"
    cells = format_count(len(measurements) + len(failures), "cell")
    return Verdict(
        faults=faults, unread=unread, summary=f"{folder} {verdict}: results of {len(measurements)} of {cells}{others}"
    )


def _earlier_screen(store: Store) -> list[str]:
    """A line where a screen lies in the directory whose cells are not those that the study lists."""
    try:
        screened = read_screen(store)
    except Corrupt:  # a fault that is known
        return []
    if screened is None or screened.hash == hash_of(store.listing()):
        return []
    return [f"{SCREEN} is of another study than {store.study_name()!r} as it stands, and is not read"]


def _damaged_journals(store: Store) -> Iterator[str]:
    """A line for each journal of a cell without a result that is not as it was written."""
    for cell in store.listing():
        path = store.root / _journal(cell)
        if os.path.lexists(path) and _has_use(store, cell):
            try:
                wrong = damage(path)
            except CORRUPTION as error:
                wrong = reason_of(error, path)
            if wrong is not None:
                yield f"{_journal(cell)}: {wrong}; run the study again, which computes again what it had"


def unlisted(store: Store) -> Iterator[str]:
    """What is of no listed cell in cells/ and failures/, and in journal/ of none without a result.

    Of a folder all of which is unlisted, its path.
    """
    cells = store.listing()
    known = {path for each in cells for path in _paths(each)}
    known |= {_journal(each) for each in cells if _has_use(store, each)}
    above = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    for name in ("cells", "failures", "journal"):
        yield from _unknown(store.root, name, known, above)


def _paths(cell: Listed) -> tuple[str, str, str]:
    """Where a cell's result, the note of its failure and its last good adapter may be."""
    return f"cells/{cell.folder}", f"failures/{cell.folder}.json", f"failures/{cell.folder}-adapter"


def _journal(cell: Listed) -> str:
    return f"journal/{cell.folder}.bin"


def _has_use(store: Store, cell: Listed) -> bool:
    """Whether a journal of the cell is continued: it has no result yet."""
    return not (store.root / "cells" / cell.folder).exists()


def _unknown(root: Path, folder: str, known: Set[str], above: Set[str]) -> Iterator[str]:
    place = root / folder
    # A link on the way to a cell makes that cell corrupt.
    if place.is_symlink() or not place.is_dir():
        return
    for path in sorted(f"{folder}/{name}" for name in os.listdir(place)):
        if path in above:
            yield from _unknown(root, path, known, above)
        elif path not in known:
            yield path
