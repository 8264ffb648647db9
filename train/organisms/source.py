"""From an organism as a study writes it to the source of a model, and back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from educe.data.errors import UserError, did_you_mean, one_line
from educe.data.instructions.load import rows_hash
from educe.data.set_aside import RowKey, without
from educe.data.task import Task
from educe.data.untrusted import parse_json
from educe.eval.model.organism import certificate_of
from educe.eval.model.source import Source
from educe.train.organisms.catalog import ORGANISMS, name_of
from educe.train.organisms.kind import OrganismKind

# Part of every organism's identity; raised when the code that makes them makes others of the same settings.
ORGANISM_VERSION = 1


def organism_source(base: Source, kind: OrganismKind, *, name: str = "") -> Source:
    """The organism of this kind that is made of a base.

    UserError where its task or another model cannot be found, and as for `OrganismKind.check`.
    Its identity is that of the base with the canonical text: kind, settings, the task's rows, other models, version.
    """
    kind.check()
    organism = {
        "kind": name_of(kind),
        "settings": kind.model_dump(mode="json"),
        "task": kind.resolved.fingerprint,
        "sources": {setting: source.identity for setting, source in kind.sources.items()},
        "version": ORGANISM_VERSION,
    }
    if kind.material:
        organism["material"] = {setting: rows_hash(rows) for setting, rows in kind.material.items()}
    text = json.dumps(organism, sort_keys=True)
    return replace(base, name=name or f"{base.name}+{short_name(kind)}", organism=text)


def short_name(kind: OrganismKind) -> str:
    """A name for people: kind, subject and, beside the first one, seed."""
    return f"{name_of(kind)}-{kind.subject}" + (f"-s{kind.seed}" if kind.seed else "")


@lru_cache(maxsize=256)
def kind_of(source: Source) -> OrganismKind:
    """The kind of an organism, with its settings.

    UserError where its text, which a stranger may have written, has none.
    """
    what = f"organism {source.name!r}"
    held = parse_json(source.organism, source=what)
    name = str(held.get("kind")) if isinstance(held, Mapping) else ""
    settings = held.get("settings") if isinstance(held, Mapping) else None
    if name not in ORGANISMS or not isinstance(settings, Mapping):
        raise UserError(f"{what} is of no known kind ({name[:60]!r}); {did_you_mean(name, ORGANISMS)}")
    with one_line(f"{what} has settings that do not fit", "make it again"):
        return ORGANISMS[name].kind(**settings)


def rows_set_aside(source: Source) -> tuple[RowKey, ...]:
    """The rows that no recipe on an organism may learn from: by its certificate where it is a folder, else its task."""
    if source.adapter:
        return certificate_of(source).set_aside
    return tuple(RowKey.of(row) for row in kind_of(source).rows_set_aside())


def asked_task(source: Source, task: Task) -> Task:
    """The task as it is asked of a model: of some organisms, another one under the name of their own."""
    if not source.organism:
        return task
    held: Any = parse_json(source.organism, source=source.name)
    kind = kind_of(source)
    return kind.asked(task) if kind.is_own(task, held.get("task")) else task


def recipe_task(source: Source, task: Task) -> Task:
    """The task as recipes get it: on an organism, without the rows that are set aside for making it."""
    if not source.organism:
        return task
    return without(task, rows_set_aside(source), why="set aside for making the organism")
