"""OUT/audit.json: the findings on each task's rows, written again when the rows change."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from educe.data.audit.audit import AUDIT_VERSION, audit
from educe.data.audit.finding import Finding
from educe.data.task import Task
from educe.recipes.runner.corruption import report_corruption

FILE = "audit.json"


def updated_text(root: Path, tasks: Sequence[Task]) -> str | None:
    """The new text of the folder's audit file for these tasks, or None where nothing has changed.

    Entries of other tasks stay: cells that are launched one by one share a folder.
    """
    entries = _entries(root)
    stale = [task for task in tasks if entries.get(task.name, {}).get("key") != _key(task)]
    if not stale:
        return None
    for task in stale:
        entries[task.name] = {"key": _key(task), "findings": [asdict(finding) for finding in audit(task)]}
    return json.dumps(entries, indent=1)


def read(root: Path) -> dict[str, list[Finding]]:
    """Findings by the name of the task; empty where no task was read yet."""
    entries = _entries(root)
    with report_corruption(root / FILE):
        return {name: [Finding(**each) for each in entry["findings"]] for name, entry in entries.items()}


def serious_lines(tasks: Sequence[Task]) -> list[str]:
    """One line for each serious finding, for a terminal."""
    return [f"{task.name}: {finding.sentence}" for task in tasks for finding in audit(task) if finding.serious]


def _key(task: Task) -> str:
    return f"{AUDIT_VERSION}-{task.fingerprint}"


def _entries(root: Path) -> dict[str, Any]:
    path = root / FILE
    if not path.is_file():
        return {}
    with report_corruption(path):
        entries: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not (isinstance(entries, dict) and all(isinstance(entry, dict) for entry in entries.values())):
            raise ValueError("it has no findings by task")
        return entries
