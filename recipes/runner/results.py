"""Results: what a run directory holds, for programs. Curves, rows and the report are made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from educe.data.audit.finding import Finding
from educe.data.errors import UserError, did_you_mean
from educe.data.writing import clear_parts
from educe.eval.analysis.claims.claim import Claim, Refused
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.curves import AXES, Axis, Curve, curves
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.checks import checks
from educe.eval.report.claims import claims_at_this_look
from educe.eval.report.tables import results_rows
from educe.recipes.runner.looks import Command
from educe.recipes.runner.record import Record, look
from educe.recipes.runner.store import Store
from educe.recipes.runner.table import (
    Form,
    Stamps,
    delete_table,
    stamps_of,
    table_of,
    text_of,
    warn_left_out,
    write_table,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Table


@dataclass(frozen=True, kw_only=True)
class Results:
    """Every measurement and failure of the study that a directory was last run with."""

    store: Store
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    audits: Mapping[str, Sequence[Finding]]  # by the name of the task
    folders: tuple[str, ...]  # of measurements and then of failures
    stamps: Stamps  # of the files when they were read

    @classmethod
    def of(cls, store: Store, known: Mapping[str, Measurement] | None = None) -> "Results":
        """Read a run directory, but for what is known by the cell's folder. UserError where there is no run."""
        stamps = stamps_of(store.root, [each.folder for each in store.listing()])  # before the files are read
        found = store.read_cells(known)
        measured = {folder: each for folder, each in found.items() if isinstance(each, Measurement)}
        failed = {folder: each for folder, each in found.items() if isinstance(each, Failure)}
        audits = {name: audited.findings for name, audited in store.read_audits().items()}
        return cls(
            store=store,
            measurements=tuple(measured.values()),
            failures=tuple(failed.values()),
            audits=audits,
            folders=(*measured, *failed),
            stamps=stamps,
        )

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.store.root

    def warn_missing(self) -> int:
        """Say on standard error which cells are left out of what is printed; 1 where some are corrupt, else 0."""
        corrupt = [f"{each.cell_name}: {each.reason}" for each in self.failures if each.corrupt]
        cells = len(self.failures) + len(self.measurements)
        return warn_left_out(self.folder, cells=cells, corrupt=corrupt, others=len(self.failures) - len(corrupt))

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a score: the report's warnings, one line each."""
        found = checks(self.measurements, pool(self.measurements), self.failures, self.audits)
        return [each.line for each in found if each.warning]

    def rows(self) -> list[dict[str, Any]]:
        """One row per measurement, then one per failure, with the columns RESULT_COLUMNS."""
        return results_rows(self.measurements, self.failures)

    def table(self) -> "Table":
        """The same as an Arrow table."""
        return table_of(self.rows())

    def frame(self) -> "DataFrame":
        """The same as a pandas frame."""
        return self.table().to_pandas()

    def text(self, form: Form) -> str:
        """The rows as csv or json."""
        return text_of(self.table(), form)

    def look(self, command: Command, given: Mapping[str, float] = MappingProxyType({})) -> Record:
        """Record that somebody looks at p values or claims, and return the record; `given` are limits of the claims."""
        return look(self.store, self.measurements, command, given)

    def claims(self, record: Record) -> list[Claim | Refused]:
        """The claims and refusals of a look, which are those of the page."""
        conditions, primary = pool(self.measurements), self.store.primary()
        return claims_at_this_look(conditions, record.looks, record.limits, self.audits, primary, self.failures)

    def report(self, command: Command = "report") -> Path:
        """Write the report into the run directory and return its page. UserError where it cannot be written."""
        from educe.eval.report.page import write_report

        text, study, primary = self.store.study_text(), self.store.study_name(), self.store.primary()
        record = self.look(command)
        with self.store.writing():
            clear_parts(self.folder)
            page = write_report(
                self.measurements,
                self.failures,
                self.folder,
                study=study,
                study_text=text,
                audits=self.audits,
                looks=record.looks,
                record=record.lines,
                limits=record.limits,
                primary=primary,
            )
            self.write_table()
        return page

    def write_table(self) -> None:
        """Write results.parquet, through which the directory opens at once.

        It is deleted where a cell is corrupt, and where files have changed since they were read.
        """
        sealed = self.store.sealed
        if any(each.corrupt for each in self.failures) or self.stamps != stamps_of(self.folder, self.folders):
            delete_table(sealed)
        else:
            write_table(sealed, self.rows(), self.folders, self.stamps)

    def curve(self, *, model: str, task: str, recipe: str, axis: Axis = "examples") -> Curve:
        """The curve of one recipe, by its name with or without settings. UserError where there is none."""
        if axis not in AXES:
            raise UserError(f"no axis {axis!r}; there are {', '.join(AXES)}")
        made = curves(self.measurements, axis)
        known = {"model": {curve.model for curve in made}}
        known["task"] = {curve.task for curve in made if curve.model == model}
        mine = [curve for curve in made if (curve.model, curve.task) == (model, task)]
        known["recipe"] = {name for curve in mine for name in (curve.recipe, curve.method)}
        for (what, names), name in zip(known.items(), (model, task, recipe), strict=True):
            if name not in names:
                raise UserError(f"no curve of {what} {name!r} along {axis}; {did_you_mean(name, names)}")
        found = [curve for curve in mine if recipe in (curve.recipe, curve.method)]
        if len(found) > 1:
            labels = ", ".join(sorted({curve.recipe for curve in found}))
            raise UserError(f"{len(found)} curves of recipe {recipe!r}; name one with its settings: {labels}")
        return found[0]


def load_results(folder: str | Path) -> Results:
    """Read a run directory. UserError where there is no run."""
    return Results.of(Store(Path(folder)))
