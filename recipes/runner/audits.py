"""Audits of the tasks of a run: findings on their rows, worked out again only when the rows change."""

import sys
from collections.abc import Sequence

from educe.data.audit.audit import AUDIT_VERSION, audit
from educe.data.task import Task
from educe.recipes.runner.audited import Audited
from educe.recipes.runner.corruption import Corrupt
from educe.recipes.runner.store import Store


def update_audits(store: Store, tasks: Sequence[Task]) -> None:
    """Store the findings on the rows of these tasks, where they are not known yet.

    Entries of other tasks stay: cells that are launched one by one share a folder.
    """
    try:
        entries = store.read_audits()
    except Corrupt as error:
        print(f"educe: {error.args[0].partition(';')[0]}; the tasks are audited again", file=sys.stderr)
        entries = {}
    keys = {task.name: _key(task) for task in tasks}
    stale = [task for task in tasks if task.name not in entries or entries[task.name].key != keys[task.name]]
    if stale:
        found = {task.name: Audited(key=keys[task.name], findings=tuple(audit(task))) for task in stale}
        store.write_audits(entries | found)


def _key(task: Task) -> str:
    columns = task.columns() if task.columns is not None else None
    of_columns = [*sorted(columns.suspicious), str(len(columns.not_numbers))] if columns is not None else []
    return "-".join([str(AUDIT_VERSION), task.fingerprint, *of_columns])


def stored_lines(store: Store, tasks: Sequence[Task]) -> list[str]:
    """One line for each serious finding that is stored for these tasks."""
    entries = store.read_audits()
    found = [(task.name, each) for task in tasks if task.name in entries for each in entries[task.name].findings]
    return [f"{name}: {finding.sentence}" for name, finding in found if finding.serious]


def serious_lines(tasks: Sequence[Task]) -> list[str]:
    """One line for each serious finding, for a terminal."""
    return [f"{task.name}: {finding.sentence}" for task in tasks for finding in audit(task) if finding.serious]
