"""Tracker: where copies go, as one library keeps them. It runs in a process of its own (process.py)."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = "educe"
Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell, or the study's curves, as a tracker lists it: plain values alone.

    `key` identifies it, `folder` is a path of names within the run directory, `kind` is the recipe.
    """

    key: str
    name: str
    folder: str
    group: str
    kind: str
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a training: its values by name, and its place among all steps of its cell, from 0.

    `training` names one of several in the cell, as "learning_rate 0.0005, 32 steps", and is empty where there is one.
    """

    place: int
    training: str
    step: int
    values: Values

    def named(self) -> dict[str, float]:
        """The values under names that say of which training they are."""
        prefix = f"{self.training}/" if self.training else ""
        return {f"{prefix}{name}": value for name, value in self.values.items()}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A recipe's curve in a chart: scores with their intervals, by budget."""

    label: str
    budgets: Sequence[float]
    scores: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Score against budget of all recipes of one model and task."""

    title: str
    budget: str
    lines: Sequence[Line]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What is shown of a study that is finished: charts, and tables by name."""

    charts: Sequence[Chart] = field(default_factory=tuple)
    tables: Mapping[str, Table] = field(default_factory=dict)


class Tracker(ABC):
    """Keeps copies under a run directory, or sends them away. Whatever goes wrong is raised.

    With `machine`, what this machine does is recorded, too: its processor, memory and GPUs.
    """

    def __init__(self, out: Path, *, machine: bool) -> None:
        self.out, self.machine = out, machine

    @abstractmethod
    def begin(self, entry: Entry) -> int:
        """Begin a copy. What an earlier command left of it unfinished is continued, or deleted first.

        The number of steps that it has already.
        """

    @abstractmethod
    def log(self, key: str, steps: Sequence[Step]) -> None:
        """Steps that a copy does not have yet, in order."""

    @abstractmethod
    def finish(self, key: str, config: Mapping[str, Any], summary: Mapping[str, Any], adapter: Path | None) -> bool:
        """A cell was measured: what more is known of it, its score and spend, and the folder of its adapter.

        Whether there is a copy now: a library that is switched off keeps none.
        """

    @abstractmethod
    def fail(self, key: str) -> None:
        """A cell failed."""

    @abstractmethod
    def show(self, entry: Entry, overview: Overview) -> bool:
        """The study is finished: its charts and tables, in place of those of an earlier command.

        Whether there is a copy now.
        """

    @abstractmethod
    def close(self) -> None:
        """The command ends, and copies that are not finished stay as they are."""


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers among nested values, under names joined by slashes."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = value
    return found
