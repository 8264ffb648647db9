"""Reading what another tool wrote: fields of the expected type, scores as numbers, digests of content."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from educe.data.errors import UserError, reason_of
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.resample import check_scores
from educe.eval.analysis.statistics.variance import Side


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object. UserError names what is not one."""
    if not isinstance(value, dict):
        raise UserError(f"{what} is no JSON object; check which tool wrote it")
    return value


def text(value: Any, what: str) -> str:
    """A text that is not empty. UserError names what is none."""
    if not isinstance(value, str) or not value:
        raise UserError(f"{what} is {json.dumps(value)[:60]} and no text; check which tool wrote it")
    return value


def identity(value: Any, what: str) -> str:
    """An id, which is a text or a whole number, as text."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise UserError(f"{what} has the id {json.dumps(value)[:60]}; ids are texts or whole numbers")
    return str(value)


def digest(*parts: Any) -> str:
    """Short and the same for the same content."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass
class Items:
    """The scores of a task's items while they are read: by id the scores of each run of it, None where one is missing.

    `clusters` and `contents` are by id.
    """

    scores: dict[str, list[float | None]] = field(default_factory=dict)
    clusters: dict[str, str | None] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, float]:
        """The mean score of each item that has one."""
        scored = {name: [each for each in runs if each is not None] for name, runs in self.scores.items()}
        return {name: sum(runs) / len(runs) for name, runs in scored.items() if runs}

    @property
    def num_missing(self) -> int:
        return sum(each is None for runs in self.scores.values() for each in runs)

    def as_result(self, path: Path, metric: str) -> dict[str, Any]:
        """Those fields of a TaskResult that come from its items. UserError for no score, or one outside of [0, 1]."""
        known = self.known
        if not known:
            raise UserError(f"{path}: no item has a score by {metric}; choose another with {path}::METRIC")
        try:
            scores = check_scores(np.array(list(known.values())))
        except ValueError as error:
            raise UserError(f"{path}, {metric}: {reason_of(error)}; choose another with {path}::METRIC") from None
        missing = f"{path}: {format_count(self.num_missing, 'answer')} without a score left out"
        return {
            "ids": tuple(known),
            "side": Side(scores=scores[None, :]),
            "clusters": tuple(self.clusters.get(name) for name in known),
            "contents": self.contents,
            "counted": all(name.isdecimal() for name in known),
            "notes": (missing,) if self.num_missing else (),
        }


def each_readable(
    path: Path, metrics: Mapping[str, Callable[[], Items]]
) -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """By metric, those fields of a TaskResult that come from its items, and what is said of them.

    Metrics that are no scores in [0, 1] are left out. UserError where all are.
    """
    errors: list[UserError] = []
    readable = 0
    for metric, items in metrics.items():
        try:
            fields = items().as_result(path, metric)
        except UserError as error:
            errors.append(error)
            continue
        readable += 1
        yield metric, fields, fields["notes"]
    if not readable:
        raise errors[0] if errors else UserError(f"{path}: no item has a score; check how it was scored")


def cluster_of(values: Mapping[str, Any], name: str | None) -> str | None:
    """What an item shares with others, by the field that the user names."""
    value = None if name is None else values.get(name)
    return None if value is None else json.dumps(value, sort_keys=True)


def check_clusters(path: Path, clusters: Iterable[str | None], name: str | None) -> None:
    """UserError where no item has the field that the user names."""
    if name is not None and not any(each is not None for each in clusters):
        raise UserError(f"{path}: no item has a field {name!r}; check --cluster")


def first_repeated(names: Sequence[Any]) -> Any | None:
    """A name that comes more than once, None where there is none."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    return repeated[0] if repeated else None
