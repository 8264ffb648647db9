"""Results: what a run directory holds, for programs. Curves, rows and the report are made from it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from educe.data.audit.finding import Finding
from educe.data.errors import UserError
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.curves import AXES, Axis, Curve, curves
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.checks import checks
from educe.eval.report.csv_text import csv_text
from educe.eval.report.page import write_report
from educe.eval.report.tables import RESULT_COLUMNS, results_rows
from educe.recipes.runner.store import Store


@dataclass(frozen=True, kw_only=True)
class Results:
    """Every measurement and failure of the study that a directory was last run with."""

    store: Store
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    audits: Mapping[str, Sequence[Finding]] = field(default_factory=dict)  # by the name of the task

    @classmethod
    def of(cls, store: Store) -> "Results":
        """Read a run directory. UserError where there is no run."""
        measurements, failures = store.read()
        audits = {name: audited.findings for name, audited in store.read_audits().items()}
        return cls(store=store, measurements=tuple(measurements), failures=tuple(failures), audits=audits)

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.store.root

    def warn_missing(self) -> None:
        """One line on standard error where cells have no score: what is printed of the others leaves them out."""
        if self.failures:
            cells = len(self.failures) + len(self.measurements)
            print(f"educe: {len(self.failures)} of {cells} cells have no score and are left out", file=sys.stderr)

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a score: the report's warnings, one line each."""
        found = checks(self.measurements, pool(self.measurements), self.failures, self.audits)
        return [each.line for each in found if each.warning]

    def rows(self) -> list[dict[str, Any]]:
        """One row per measurement, then one per failure, with the columns RESULT_COLUMNS."""
        return results_rows(self.measurements, self.failures)

    def text(self, form: str) -> str:
        """The rows as csv or json."""
        rows = self.rows()
        if form == "json":
            return json.dumps(rows, indent=1)
        return csv_text(RESULT_COLUMNS, rows)

    def report(self) -> Path:
        """Write the report into the run directory and return its page. UserError where it cannot be written."""
        text, study = self.store.study_text(), self.store.study_name()
        with self.store.writing():
            return write_report(
                self.measurements, self.failures, self.folder, study=study, study_text=text, audits=self.audits
            )

    def curve(self, *, model: str, task: str, recipe: str, axis: Axis = "examples") -> Curve:
        """The curve of one recipe, by its name with or without settings. UserError where there is none."""
        if axis not in AXES:
            raise UserError(f"no axis {axis!r}; there are {', '.join(AXES)}")
        found = [
            curve
            for curve in curves(self.measurements, axis)
            if (curve.model, curve.task) == (model, task) and recipe in (curve.recipe, curve.method)
        ]
        if len(found) != 1:
            raise UserError(
                f"{len(found)} curves of {recipe!r} for {model!r} on {task!r}; name one of the study's recipes"
            )
        return found[0]


def load_results(folder: str | Path) -> Results:
    """Read a run directory. UserError where there is no run."""
    return Results.of(Store(Path(folder)))
