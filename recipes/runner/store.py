"""Run directories: each cell's result is written once, whole or not at all, sealed, and read by the report.

OUT/study.yaml, cells.json            the study and the list of its cells
OUT/audit.json                        findings on the rows of its tasks
OUT/looks.jsonl                       who looked at which results, and when
OUT/plan.json                         what was planned before results were seen, where a plan was frozen
OUT/screen.json, chosen.yaml          what a screen on dev rows found, and the study that it chose
OUT/seal.json                         checksums of these
OUT/cells/MODEL/TASK/RECIPE/nN-sS-HASH/
    measurement.json                  score, interval, spend, provenance
    outcomes.parquet                  one row per test item
    training.json                     one row per step, where something was trained
    adapter/                          what was trained: in PEFT's format, or weights by name
    seal.json                         checksums of all these, and of which cell they are
OUT/failures/MODEL/TASK/RECIPE/nN-sS-HASH.json   why a cell has no result, sealed
OUT/failures/MODEL/TASK/RECIPE/nN-sS-HASH-adapter/   the adapter with the last finite loss, where training diverged
OUT/journal/MODEL/TASK/RECIPE/nN-sS-HASH.bin    answers of a cell at work, until it has a result (journal_file.py)

Nothing in a run directory is a path, and nothing there that is read or written may be a symbolic link. The directory
itself may be one.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from filelock import FileLock, Timeout
from pydantic import ConfigDict, Field, TypeAdapter, with_config
from safetensors import SafetensorError

from educe.data.errors import RunStopped, UserError
from educe.data.untrusted import parse_yaml
from educe.data.writing import clear_parts, make_parents, move_into_place, sync_folder, write_whole
from educe.eval.analysis.primary import MAX_PRIMARY, Known, Pair, Primary, resolve
from educe.eval.measurement import Failure, Measurement
from educe.recipes.catalog import is_control
from educe.recipes.runner.audited import Audited, audits_text, parse_audits
from educe.recipes.runner.corruption import CORRUPTION, Corrupt, reason_of, report_corruption
from educe.recipes.runner.listing import LISTING, Listed, read_listing
from educe.recipes.runner.looks import reopened
from educe.recipes.runner.organisms import assert_disjoint
from educe.recipes.runner.result_files import read_measurement, write_measurement
from educe.recipes.runner.seal import (
    SEAL,
    check_files,
    check_folder,
    checksums,
    read_sealed,
    seal_folder,
    sealed_text,
)
from educe.recipes.runner.sealed_files import SealedFiles, link_line

if TYPE_CHECKING:  # a cell has its method, which needs torch: reading results must not
    from educe.recipes.runner.cell import Cell

NOT_RUN = "not run yet"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class _Note:
    """Why a cell has no result, as it is stored."""

    cell: str
    place: str
    reason: str
    files: dict[str, list[int | str]]


_NOTE = TypeAdapter(_Note)
_PRIMARY = TypeAdapter(Annotated[tuple[Primary, ...], Field(max_length=MAX_PRIMARY)])


class Unwritable(RunStopped):
    """The output folder cannot be written: no later cell could be stored."""


class Store:
    """One run directory. Reading needs no lock; `claim` keeps two runs from writing at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sealed = SealedFiles(root)

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Lock the directory for one run, and delete what a killed run left half-written."""
        lock = FileLock(self.root / ".lock")
        with self.writing():
            self.root.mkdir(parents=True, exist_ok=True)
            self.sealed.refuse_links()
            try:
                lock.acquire(timeout=0)
            except Timeout:  # an OSError, too
                raise UserError(f"{self.root} is in use by another run; wait for it or give another --out") from None
        try:
            with self.writing():
                clear_parts(self.root)
                if self._scratch.exists():
                    shutil.rmtree(self._scratch)
                self._scratch.mkdir()
            yield
        finally:
            self._delete_empty(self.root / "journal")
            lock.release()

    def begin(self, *, study_text: str, cells: Sequence["Cell"], add: bool = False) -> None:
        """Write down the cells of this run. Results of cells that are not listed stay on disk, unread.

        With `add`, cells listed before stay listed: for cells that are launched one by one into one directory.
        UserError for a study that could not be read back.
        """
        parse_yaml(study_text, source="study.yaml")  # written in full it may be longer than what was read
        listing = [cell.listed for cell in cells]
        if add and (self.root / "cells.json").exists():
            new = {each.folder for each in listing}
            listing = [each for each in self.listing() if each.folder not in new] + listing
        texts = {"study.yaml": study_text, "cells.json": LISTING.dump_json(listing, indent=1).decode()}
        with self.writing(), self.sealed.locked():
            self.sealed.write(texts | reopened(self.sealed, late=(self.root / "cells").exists()))

    def has(self, cell: "Cell") -> bool:
        """Whether the cell's result is on disk and whole."""
        return isinstance(self.find(cell.listed, {}), Measurement)

    def find(self, cell: Listed, shared: dict[Any, Any]) -> Measurement | str:
        """A cell's result, or why it has none that can be used; `shared` as for `read_outcomes`."""
        folder = self.root / "cells" / cell.folder
        try:
            self._refuse_links_to(folder)
            if not folder.exists():
                return NOT_RUN
            check_folder(folder, cell=cell.key, place=cell.folder)
            return read_measurement(folder, cell, shared)
        except CORRUPTION as error:
            return f"corrupt: {reason_of(error, folder)}; run the study again"

    def folder(self, cell: "Cell") -> Path:
        """Where the cell's result is, once it is there."""
        return self.root / "cells" / cell.folder

    def write(self, cell: "Cell", measurement: Measurement, *, save_adapter: Callable[[Path], None] | None) -> None:
        """Write a result in a scratch folder, seal it and move it into place.

        ValueError where the measurement could not be read back as this cell's. AssertionError where a row has two uses.
        """
        assert_disjoint(cell, measurement)
        with self.writing(), tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            ready = Path(scratch) / "ready"
            ready.mkdir()
            write_measurement(ready, measurement, cell.listed)
            if save_adapter is not None:
                save_adapter(ready / "adapter")
            seal_folder(ready, cell=cell.key, place=cell.listed.folder)
            sync_folder(ready)
            final = self.folder(cell)
            self.make_parents(final)
            if not self.has(cell):  # a worker that was given up, and went on, may have stored it meanwhile
                remove(final)
                move_into_place(ready, final)
            self.journal_path(cell.listed).unlink(missing_ok=True)
            self._failure(cell.listed).unlink(missing_ok=True)
            shutil.rmtree(self._last_good(cell.listed), ignore_errors=True)

    def journal_path(self, cell: Listed) -> Path:
        """Where the answers of a cell at work are kept. Unwritable where a link is on the way."""
        path = self.root / "journal" / f"{cell.folder}.bin"
        self._refuse_to_write(path)
        return path

    def clear_journals(self, finished: Sequence["Cell"]) -> None:
        """Delete what runs that were killed have left of cells with a result."""
        if (self.root / "journal").exists():
            with self.writing():
                for cell in finished:
                    self.journal_path(cell.listed).unlink(missing_ok=True)

    def fail(self, cell: "Cell", reason: str, *, save_adapter: Callable[[Path], None] | None = None) -> None:
        """Note why a cell has no result, with the last good adapter if there is one. The next run tries again."""
        noted, last_good = self._failure(cell.listed), self._last_good(cell.listed)
        with self.writing():
            self.make_parents(noted)
            clear_parts(noted.parent)
            noted.unlink(missing_ok=True)  # it would not fit the next adapter
            remove(last_good)
            if save_adapter is not None:
                last_good.mkdir()
                save_adapter(last_good)
                sync_folder(last_good)
            files = checksums(last_good) if save_adapter is not None else {}
            about = {"cell": cell.key, "place": cell.listed.folder, "reason": " ".join(reason.split())}
            write_whole(noted, sealed_text({**about, "files": files}))

    def read(self) -> tuple[list[Measurement], list[Failure]]:
        """Results and failures of the listed cells, in the study's order. UserError where there is no run."""
        found = self.read_cells().values()
        return (
            [each for each in found if isinstance(each, Measurement)],
            [each for each in found if isinstance(each, Failure)],
        )

    def read_cells(self, known: Mapping[str, Measurement] | None = None) -> dict[str, Measurement | Failure]:
        """The same by the cells' folders. What is `known` is not read again.

        All have the name of the study that the directory was last run with, even results from before it was renamed.
        """
        shared: dict[Any, Any] = {}
        study = self.study_name()
        cells: dict[str, Measurement | Failure] = {}
        for cell in self.listing():
            found = (known or {}).get(cell.folder) or self.find(cell, shared)
            if isinstance(found, Measurement):
                cells[cell.folder] = replace(found, study=study)
            else:
                cells[cell.folder] = self._failed(cell, study, found)
        return cells

    def _failed(self, cell: Listed, study: str, found: str) -> Failure:
        """A cell without a result that can be used, with the reason that was found or noted."""
        reason, corrupt = self._read_failure(cell) if found == NOT_RUN else (found, True)
        return Failure(
            study=study,
            model=cell.model,
            task=cell.task,
            recipe=cell.recipe,
            method=cell.facts.method,
            examples=cell.facts.examples,
            seed=cell.facts.seed,
            reason=reason,
            corrupt=corrupt,
            control=is_control(cell.facts.method, cell.facts.settings),
        )

    def write_audits(self, audits: Mapping[str, Audited]) -> None:
        """Write the audits of tasks, by their names."""
        with self.writing():
            self.sealed.write({"audit.json": audits_text(audits)})

    def read_audits(self) -> dict[str, Audited]:
        """The audits of tasks by their names; empty where no task was audited yet."""
        with report_corruption(self.root / "audit.json"):
            text = self.sealed.read("audit.json")
            return {} if text is None else parse_audits(text)

    def study_text(self) -> str:
        """The study file as it was run. UserError where there is no run."""
        self.listing()
        with report_corruption(self.root / "study.yaml"):
            return self.sealed.read_written("study.yaml")

    def study_name(self) -> str:
        """The name of the study that was last run."""
        name: str = self._study()["name"]
        return name

    def primary(self) -> tuple[Pair, ...]:
        """The two sides of each comparison that the study names as a primary one."""
        study = self._study()
        known = {Known(each.facts.method, each.recipe, each.facts.examples) for each in self.listing()}
        with report_corruption(self.root / "study.yaml"):
            return resolve(_PRIMARY.validate_python(study.get("compare", ())), known)

    def listing(self) -> list[Listed]:
        """The cells of the study. UserError where there is no run, or a link in its directory."""
        self.sealed.refuse_links()
        path = self.root / "cells.json"
        if not path.exists() and not (self.root / SEAL).exists():
            raise UserError(f"{self.root} has no run (no cells.json); give the folder that `educe run --out` wrote")
        if not (self.root / SEAL).exists():
            raise Corrupt(
                f"{self.root} has no {SEAL}: it was lost, or an older version wrote the directory; run the study again"
                " (cells with a seal of their own are kept), or delete cells.json and launch again"
            )
        with report_corruption(path):
            return read_listing(self.sealed.read_written("cells.json"))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Unwritable where the disk is full or the folder cannot be written."""
        try:
            yield
        except (OSError, SafetensorError) as error:  # the latter is how safetensors says that the disk is full
            reason = getattr(error, "strerror", None) or error
            full = getattr(error, "errno", errno.ENOSPC) in (errno.ENOSPC, errno.EDQUOT)
            fix = "free space or give another --out" if full else "give another --out"
            raise Unwritable(f"cannot write {self.root}: {reason}; {fix} (finished cells are kept)") from error

    def _study(self) -> dict[str, Any]:
        """The values of the study file, which has a name."""
        text = self.study_text()
        with report_corruption(self.root / "study.yaml"):
            study = parse_yaml(text, source="study.yaml")
            if not (isinstance(study, dict) and isinstance(study.get("name"), str)):
                raise ValueError("it names no study")
            return study

    def _read_failure(self, cell: Listed) -> tuple[str, bool]:
        """Why a cell that is not there failed, and whether the note of that is corrupt."""
        noted = self._failure(cell)
        try:
            self._refuse_links_to(noted)
            if not noted.exists():
                return NOT_RUN, False
            note = _NOTE.validate_python(read_sealed(noted))
            if (note.cell, note.place) != (cell.key, cell.folder):
                raise ValueError("it is of another cell")
            self._refuse_links_to(self._last_good(cell))
            if note.files:
                check_files(self._last_good(cell), note.files)
            return note.reason, False
        except CORRUPTION as error:
            return f"corrupt: the note of its failure ({reason_of(error, noted)}); run the study again", True

    def _refuse_links_to(self, path: Path) -> None:
        """ValueError where a folder on the way from the directory to a path, or the path itself, is a link."""
        place = self.root
        for part in path.relative_to(self.root).parts:
            place /= part
            if place.is_symlink():
                raise ValueError(link_line(place.relative_to(self.root)))

    def make_parents(self, path: Path) -> None:
        """Make the folders of a path in the directory. Unwritable where one is a link, or cannot be made."""
        self._refuse_to_write(path)
        make_parents(path)

    def _refuse_to_write(self, path: Path) -> None:
        try:
            self._refuse_links_to(path.parent)
        except ValueError as error:
            raise Unwritable(f"cannot write {path}: {error}; delete it (finished cells are kept)") from None

    def _delete_empty(self, folder: Path) -> None:
        """Delete the folders that are empty, this one or below."""
        for inside, _, _ in os.walk(folder, topdown=False):
            with suppress(OSError):  # it has files
                os.rmdir(inside)

    @property
    def _scratch(self) -> Path:
        return self.root / ".scratch"

    def _failure(self, cell: Listed) -> Path:
        return self.root / "failures" / f"{cell.folder}.json"

    def _last_good(self, cell: Listed) -> Path:
        return self.root / "failures" / f"{cell.folder}-adapter"


def remove(path: Path) -> None:
    """Delete a file, a folder or a link, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
