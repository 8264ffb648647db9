"""Run directories: each cell's result is written once, whole or not at all, and read by the report.

OUT/study.yaml, cells.json            the study and the list of its cells
OUT/audit.json                        findings on the rows of its tasks
OUT/cells/MODEL/TASK/RECIPE/nN-sS-HASH/
    measurement.json                  score, interval, spend, provenance
    outcomes.parquet                  one row per test item
    training.json                     one row per step, where something was trained
    adapter/                          what was trained: in PEFT's format, or weights by name
OUT/failures/MODEL/TASK/RECIPE/nN-sS-HASH.json   why a cell has no result
OUT/failures/MODEL/TASK/RECIPE/nN-sS-HASH-adapter/   the adapter with the last finite loss, where training diverged
"""

import errno
import json
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from filelock import FileLock, Timeout
from pydantic import ConfigDict, TypeAdapter, with_config
from safetensors import SafetensorError

from educe.data.audit.finding import Finding
from educe.data.errors import UserError
from educe.eval.measurement import Failure, Measurement
from educe.recipes.runner.corruption import report_corruption
from educe.recipes.runner.outcomes import read_outcomes, write_outcomes

if TYPE_CHECKING:  # a cell has its method, which needs torch: reading results must not
    from educe.recipes.runner.cell import Cell


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A cell of the study, as cells.json has it."""

    folder: str
    key: str
    model: str
    task: str
    recipe: str
    examples: int
    seed: int


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Audited:
    """The findings on a task's rows, and the version of the audit with the hash of the rows."""

    key: str
    findings: tuple[Finding, ...]


_LISTING = TypeAdapter(list[Listed])
_AUDITS = TypeAdapter(dict[str, Audited])
# The JSON side of a measurement; outcomes and training have files of their own.
_MEASUREMENT = TypeAdapter(Measurement)


class Unwritable(UserError):
    """The output folder cannot be written: no later cell could be stored, so the whole run stops."""


class Store:
    """One run directory. Reading needs no lock; `claim` keeps two runs from writing at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Lock the directory for one run, and delete what a killed run left half-written."""
        lock = FileLock(self.root / ".lock")
        with self.writing():
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:  # an OSError, too
                raise UserError(f"{self.root} is in use by another run; wait for it or give another --out") from None
        try:
            with self.writing():
                if self._scratch.exists():
                    shutil.rmtree(self._scratch)
                self._scratch.mkdir()
            yield
        finally:
            lock.release()

    def begin(self, *, study_text: str, cells: Sequence["Cell"], add: bool = False) -> None:
        """Write down the cells of this run. Results of cells that are not listed stay on disk, unread.

        With `add`, cells listed before stay listed: for cells that are launched one by one into one directory.
        """
        listing = [
            Listed(
                folder=str(cell.folder),
                key=cell.key,
                model=cell.source.name,
                task=cell.task.name,
                recipe=cell.recipe,
                examples=cell.examples,
                seed=cell.seed,
            )
            for cell in cells
        ]
        if add and (self.root / "cells.json").is_file():
            new = {each.folder for each in listing}
            listing = [each for each in self._listing() if each.folder not in new] + listing
        with self.writing():
            self._write_whole(self.root / "study.yaml", study_text)
            self._write_whole(self.root / "cells.json", _LISTING.dump_json(listing, indent=1).decode())

    def has(self, cell: "Cell") -> bool:
        """Whether the cell's result is on disk. Folders appear whole, so being there is being finished."""
        return (self.folder(cell) / "measurement.json").is_file()

    def folder(self, cell: "Cell") -> Path:
        """Where the cell's result is, once it is there."""
        return self.root / "cells" / cell.folder

    def write(self, cell: "Cell", measurement: Measurement, *, save_adapter: Callable[[Path], None] | None) -> None:
        """Write a result in a scratch folder and move it into place."""
        with self.writing(), tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            ready = Path(scratch) / "ready"
            ready.mkdir()
            write_outcomes(ready / "outcomes.parquet", measurement.outcomes)
            if measurement.training:
                (ready / "training.json").write_text(json.dumps(measurement.training), "utf-8")
            if save_adapter is not None:
                save_adapter(ready / "adapter")
            summary = _MEASUREMENT.dump_python(measurement, mode="json", exclude={"outcomes", "training"})
            (ready / "measurement.json").write_text(json.dumps(summary, indent=1), "utf-8")
            final = self.folder(cell)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():  # corrupt: it has no measurement
                shutil.rmtree(final)
            os.replace(ready, final)
            self._failure(cell.folder).unlink(missing_ok=True)
            shutil.rmtree(self._last_good(cell), ignore_errors=True)

    def fail(self, cell: "Cell", reason: str, *, save_adapter: Callable[[Path], None] | None = None) -> None:
        """Note why a cell has no result, with the last good adapter if there is one. The next run tries again."""
        with self.writing():
            self._failure(cell.folder).parent.mkdir(parents=True, exist_ok=True)
            if save_adapter is not None:
                shutil.rmtree(self._last_good(cell), ignore_errors=True)
                self._last_good(cell).mkdir()
                save_adapter(self._last_good(cell))
            self._write_whole(self._failure(cell.folder), json.dumps({"reason": " ".join(reason.split())}))

    def read(self) -> tuple[list[Measurement], list[Failure]]:
        """Results and failures of the listed cells, in the study's order. UserError where there is no run.

        All have the name of the study that the directory was last run with, even results from before it was renamed.
        """
        measurements, failures = [], []
        shared: dict[Any, Any] = {}
        study = self.study_name()
        for cell in self._listing():
            folder = self.root / "cells" / cell.folder
            if (folder / "measurement.json").is_file():
                with report_corruption(folder):
                    measurements.append(replace(_read_measurement(folder, shared), study=study))
                continue
            noted, reason = self._failure(cell.folder), "not run yet"
            if noted.is_file():
                with report_corruption(noted):
                    reason = json.loads(noted.read_text("utf-8"))["reason"]
            failures.append(
                Failure(
                    study=study,
                    model=cell.model,
                    task=cell.task,
                    recipe=cell.recipe,
                    examples=cell.examples,
                    seed=cell.seed,
                    reason=reason,
                )
            )
        return measurements, failures

    def write_audits(self, audits: Mapping[str, Audited]) -> None:
        """Write the audits of tasks, by their names."""
        with self.writing():
            self._write_whole(self.root / "audit.json", _AUDITS.dump_json(dict(audits), indent=1).decode())

    def read_audits(self) -> dict[str, Audited]:
        """The audits of tasks by their names; empty where no task was audited yet."""
        path = self.root / "audit.json"
        if not path.is_file():
            return {}
        with report_corruption(path):
            return _AUDITS.validate_json(path.read_bytes())

    def study_text(self) -> str:
        """The study file as it was run."""
        self._listing()
        path = self.root / "study.yaml"
        with report_corruption(path):
            return path.read_text("utf-8")

    def study_name(self) -> str:
        """The name of the study that was last run."""
        text = self.study_text()
        with report_corruption(self.root / "study.yaml"):
            study = yaml.safe_load(text)
            if not (isinstance(study, dict) and isinstance(study.get("name"), str)):
                raise ValueError("it names no study")
            return study["name"]

    def _listing(self) -> list[Listed]:
        path = self.root / "cells.json"
        if not path.is_file():
            raise UserError(f"{self.root} has no run (no cells.json); give the folder that `educe run --out` wrote")
        with report_corruption(path):
            return _LISTING.validate_json(path.read_bytes())

    @property
    def _scratch(self) -> Path:
        return self.root / ".scratch"

    def _failure(self, cell_folder: str | Path) -> Path:
        return self.root / "failures" / f"{cell_folder}.json"

    def _last_good(self, cell: "Cell") -> Path:
        return self.root / "failures" / f"{cell.folder}-adapter"

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

    def _write_whole(self, path: Path, text: str) -> None:
        scratch = self._scratch / path.name
        scratch.write_text(text, "utf-8")
        os.replace(scratch, path)


def _read_measurement(folder: Path, shared: dict[Any, Any]) -> Measurement:
    """One cell's result. ValueError where its parts do not fit together."""
    summary = json.loads((folder / "measurement.json").read_text("utf-8"))
    log = folder / "training.json"
    measurement = _MEASUREMENT.validate_python(
        {
            **summary,
            "outcomes": read_outcomes(folder / "outcomes.parquet", shared),
            "training": json.loads(log.read_text("utf-8")) if log.is_file() else (),
        }
    )
    _check_score(measurement)
    return measurement


def _check_score(measurement: Measurement) -> None:
    outcomes = measurement.outcomes
    wrong = np.flatnonzero(~((outcomes.scores >= 0) & (outcomes.scores <= 1)))
    if len(wrong):
        raise ValueError(
            f"item {outcomes.ids[wrong[0]]!r} has the score {outcomes.scores[wrong[0]]}, not one in [0, 1]"
        )
    if len(set(outcomes.ids)) < len(outcomes):
        raise ValueError(f"it has item {Counter(outcomes.ids).most_common(1)[0][0]!r} more than once")
    if measurement.chance is not None and not 0 <= measurement.chance <= 1:
        raise ValueError(f"its chance is {measurement.chance}, not a share")
    for name, spent in asdict(replace(measurement.spend, bits=None)).items():
        if spent is not None and not 0 <= spent < math.inf:
            raise ValueError(f"its {name} is {spent}, which is no amount")
    if len(outcomes) != measurement.n:
        raise ValueError(f"it has outcomes of {len(outcomes):,} items and a score of {measurement.n:,}")
    # Summed in another order, the mean differs by rounding.
    if not abs(outcomes.scores.mean() - measurement.score) < 1e-9:
        raise ValueError(
            f"its outcomes have the mean {outcomes.scores.mean():.6g} and its score is {measurement.score:.6g}"
        )
    if not (math.isfinite(measurement.low) and math.isfinite(measurement.high)):
        raise ValueError(f"its interval is [{measurement.low}, {measurement.high}]")
