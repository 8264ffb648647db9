"""The cells of a study as a run directory lists them: names for people, and what decides a result, with its hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, with_config

from educe.eval.ranges import Count

MeasureOn = Literal["test", "dev"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that decides one result, and nothing that does not."""

    version: int
    model: str  # identity of weights, tokenizer and template
    task: str  # fingerprint of name, version, kind and rows
    task_version: int
    items: str  # hash of the ids of the items that are scored
    method: str
    settings: Mapping[str, Any]
    examples: Count
    seed: Count
    measure_on: MeasureOn
    dtype: str
    threads: Count

    @property
    def key(self) -> str:
        """Their hash, which identifies the cell."""
        return hashlib.sha256(json.dumps(vars(self), sort_keys=True).encode()).hexdigest()


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Listed:
    """A cell of the study, as cells.json has it."""

    folder: str
    key: str
    model: str
    task: str
    recipe: str
    facts: Facts


LISTING = TypeAdapter(list[Listed])


def listed(facts: Facts, *, model: str, task: str, recipe: str) -> Listed:
    """The entry of a cell with these names."""
    folder = cell_folder(facts, model=model, task=task, recipe=recipe)
    return Listed(folder=str(folder), key=facts.key, model=model, task=task, recipe=recipe, facts=facts)


def cell_folder(facts: Facts, *, model: str, task: str, recipe: str) -> PurePosixPath:
    """Where the store keeps a cell: names for people, the hash for identity."""
    last = f"n{facts.examples}-s{facts.seed}-{facts.key[:16]}"
    return PurePosixPath(*map(folder_name, (model, task, recipe)), last)


def folder_name(name: str) -> str:
    """A folder's name for a name: no two names share one, on systems that ignore case either.

    A name of lower-case letters, digits and `-_.=+` is its own; any other gets `~` and the start of its hash.
    """
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_.=+") else "-" for char in name)
    safe = safe.strip("-.")[:80] or "unnamed"
    return safe if safe == name == name.lower() else f"{safe}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_listing(text: str) -> list[Listed]:
    """The entries of a cells.json. ValueError where one is not as `listed` makes it, or comes twice."""
    cells = LISTING.validate_json(text, strict=True)
    for cell in cells:
        if cell != listed(cell.facts, model=cell.model, task=cell.task, recipe=cell.recipe):
            raise ValueError(f"folder {cell.folder!r} or its key is not that of its names and facts")
    if len({cell.folder for cell in cells}) < len(cells):
        raise ValueError("a cell comes twice")
    return cells
