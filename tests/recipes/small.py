"""A study small enough to run in a second: sixty questions, the tiny model, figures left out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from educe.eval.measurement import Failure, Measurement
from educe.eval.report import page
from educe.recipes.cli import main
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study

# A study without its task.
SMALL: dict[str, Any] = {
    "name": "small",
    "models": ["tiny-random"],
    "tasks": [],
    "recipes": ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 1}}],
    "examples": [2, 4],
    "seeds": [0],
    "test_items": 6,
}


def parity_rows(count: int = 60, *, start: int = 0) -> list[dict[str, Any]]:
    """Questions whose answers are known, with ids."""
    return [
        {"id": f"q{n}", "question": f"Is {n} odd?", "choices": ["yes", "no"], "answer": "yes" if n % 2 else "no"}
        for n in range(start, start + count)
    ]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def study_values(folder: Path, **changes: Any) -> dict[str, Any]:
    """A study of five cells as plain values; the task's file is in the folder."""
    path = folder / "parity.jsonl"
    if not path.exists():
        write_rows(path, parity_rows())
    return {**SMALL, "tasks": [f"file:{path}"], **changes}


def small_study(folder: Path, **changes: Any) -> Study:
    """The same, validated."""
    return Study.make(study_values(folder, **changes))


def study_file(folder: Path, **changes: Any) -> Path:
    """The same as a file."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study_values(folder, **changes), sort_keys=False), "utf-8")
    return path


def run_cli(*arguments: Any) -> int:
    """Exit code of the command line, in this process; a run starts no workers unless it is told to."""
    if "run" in arguments[:1] and "--workers" not in arguments:
        arguments += ("--workers", 1)
    with pytest.raises(SystemExit) as stopped:
        main([str(each) for each in arguments])
    return int(stopped.value.code or 0)


def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the report out: it is tested on its own floor and takes a second."""
    monkeypatch.setattr(page, "write_report", lambda *given, **named: given[2] / "report.html")


def reads_as(patch: pytest.MonkeyPatch, measurements: Sequence[Measurement], failures: Sequence[Failure] = ()) -> None:
    """Let every run directory read as these: how runs are read is tested where they are written."""
    patch.setattr(Store, "listing", lambda _: [])
    patch.setattr(Store, "read_cells", lambda *_: dict(enumerate((*measurements, *failures))))


def main_without_figures(arguments: list[str]) -> None:
    """The command line, for processes of their own."""
    no_figures(pytest.MonkeyPatch())
    main(arguments)


def result_files(out: Path) -> dict[str, tuple[int, int]]:
    """Every finished cell with what changes when its result is written again."""
    found = sorted((out / "cells").rglob("measurement.json"))
    return {str(each.parent.relative_to(out)): (each.stat().st_ino, each.stat().st_mtime_ns) for each in found}
