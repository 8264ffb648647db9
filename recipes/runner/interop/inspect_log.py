"""Inspect's logs: a `.eval` file, which is a zip of JSON, or the same as one `.json` file; version 2 of the format.

https://inspect.aisi.org.uk/eval-logs.html describes both. A sample that is asked several times (epochs) has the mean
of its scores.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from educe.data.archive import open_zip
from educe.data.errors import UserError
from educe.data.untrusted import parse_json, read_text
from educe.eval.analysis.compared import TaskResult
from educe.recipes.runner.interop.fields import (
    Items,
    check_clusters,
    cluster_of,
    digest,
    each_readable,
    first_repeated,
    identity,
    mapping,
    text,
)

VERSION = 2
_HEADER, _SAMPLES = "header.json", "samples/"
# As Inspect's own metrics read scores that are texts.
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][-+]?[0-9]{1,3})?")


def is_log(values: Any) -> bool:
    """Whether this is the JSON of a log."""
    return isinstance(values, dict) and {"version", "status", "eval"} <= values.keys()


def read(path: Path, origin: str, *, cluster: str | None = None) -> list[TaskResult]:
    """One result for each scorer of a log, the first one as the default; `cluster` is a field of samples' metadata.

    UserError where the log is not whole or was not finished, or no scorer gives numbers in [0, 1].
    """
    with _opened(path) as (header, samples):
        about = _checked(path, header)
        rows = [_row(path, sample, cluster) for sample in samples]
    check_clusters(path, [row.cluster for row in rows], cluster)
    _check_rows(path, header, rows)
    task, model = (text(about.get(name), f"{path}: {name}") for name in ("task", "model"))
    about_all: dict[str, Any] = {
        "origin": origin,
        "file": str(path),
        "tool": "Inspect",
        "task": task.rpartition("/")[2],
        "model": model,
    }
    results: list[TaskResult] = []
    for metric, fields, notes in each_readable(path, {name: _items(path, rows, name) for name in _metrics(rows)}):
        notes = (*notes, *_notes(path, about, header, metric, fields["side"].scores.mean()))
        facts = task, task.rpartition("/")[2], model, metric
        results.append(
            TaskResult(**about_all, metric=metric, facts=facts, default=not results, **fields | {"notes": notes})
        )
    return results


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Mapping[str, Any], Iterator[Any]]]:
    """The header of a log and its samples, which are read one by one from a zip."""
    if path.suffix != ".eval":
        log = mapping(parse_json(read_text(path), source=str(path), nan=True), str(path))
        yield log, iter(log.get("samples") or [])
        return
    with open_zip(path) as archive:
        if _HEADER not in archive.members:
            raise UserError(f"{path} has no {_HEADER}: the run has not finished; finish it with `inspect eval-retry`")
        header = mapping(parse_json(archive.read(_HEADER), source=f"{path}: {_HEADER}", nan=True), f"{path}: {_HEADER}")
        names = [name for name in archive.members if name.startswith(_SAMPLES) and name.endswith(".json")]
        yield header, (parse_json(archive.read(name), source=f"{path}: {name}", nan=True) for name in names)


def _checked(path: Path, header: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a finished log says of its task and model."""
    if not is_log(header):
        raise UserError(f"{path} is no log of Inspect; give an .eval or .json file from its log directory")
    if header["version"] != VERSION:
        raise UserError(
            f"{path}: format {header['version']!r}, and {VERSION} is read; convert it: `inspect log convert`"
        )
    if header["status"] != "success":
        raise UserError(f"{path}: its status is {header['status']!r}; finish the run with `inspect eval-retry`")
    if header.get("invalidated"):
        raise UserError(f"{path}: its samples were invalidated; finish the run with `inspect eval-retry`")
    return mapping(header["eval"], f"{path}: eval")


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One sample of one epoch, with its scores by scorer as they stand in the log."""

    name: str
    epoch: Any
    cluster: str | None
    content: str
    values: Mapping[str, Any]


def _row(path: Path, sample: Any, cluster: str | None) -> _Row:
    sample = mapping(sample, f"{path}: a sample")
    name = identity(sample.get("id"), f"{path}: a sample")
    metadata = mapping(sample.get("metadata") or {}, f"{path}: metadata of {name}")
    values: dict[str, Any] = {}
    # A sample that failed may have been scored all the same; that is no score of an answer.
    scores = {} if sample.get("error") is not None else mapping(sample.get("scores") or {}, f"{path}: scores of {name}")
    for scorer, score in scores.items():
        value = mapping(score, f"{path}: a score of {name}").get("value")
        named = {f"{scorer}/{key}": each for key, each in value.items()} if isinstance(value, dict) else {scorer: value}
        values.update(named)
    return _Row(
        name=name,
        epoch=sample.get("epoch", 1),
        cluster=cluster_of(metadata, cluster),
        content=_content(sample),
        values=values,
    )


def _content(sample: Mapping[str, Any]) -> str:
    """What is asked and its answer; the same for options in another order, and without the ids of messages."""
    asked, target, choices = sample.get("input"), sample.get("target"), sample.get("choices")
    if isinstance(asked, list):
        asked = [[each.get("role"), each.get("content")] for each in asked if isinstance(each, dict)]
    if isinstance(choices, list):
        letters: dict[Any, Any] = {chr(ord("A") + place): choice for place, choice in enumerate(choices[:26])}
        targets = target if isinstance(target, list) else [target]
        target = sorted(str(letters.get(each, each)) for each in targets)
        choices = sorted(map(str, choices))
    return digest(asked, target, choices)


def _check_rows(path: Path, header: Mapping[str, Any], rows: Sequence[_Row]) -> None:
    if not rows:
        raise UserError(f"{path} has no samples; run again with --log-samples")
    if (repeated := first_repeated([(row.name, row.epoch) for row in rows])) is not None:
        raise UserError(f"{path}: the id {repeated[0]!r} comes twice in one epoch; give each sample its own id")
    contents: dict[str, str] = {}
    for row in rows:
        if contents.setdefault(row.name, row.content) != row.content:
            raise UserError(f"{path}: the id {row.name!r} has other content in another epoch; give each its own id")
    results = header.get("results")
    total = results.get("total_samples") if isinstance(results, dict) else None
    if isinstance(total, int) and total != len(rows):
        raise UserError(f"{path} has {len(rows):,} of {total:,} samples; copy the whole log again")


def _metrics(rows: Sequence[_Row]) -> list[str]:
    return list(dict.fromkeys(metric for row in rows for metric in row.values))


def _items(path: Path, rows: Sequence[_Row], metric: str) -> Callable[[], Items]:
    def made() -> Items:
        items = Items()
        for row in rows:
            items.scores.setdefault(row.name, []).append(_number(row.values.get(metric), path, row.name, metric))
            items.clusters[row.name], items.contents[row.name] = row.cluster, row.content
        return items

    return made


def _notes(path: Path, about: Mapping[str, Any], header: Mapping[str, Any], metric: str, score: float) -> Iterator[str]:
    """What a reader must know of how epochs were pooled, and where Inspect's own mean is another one."""
    config = about.get("config")
    config = config if isinstance(config, dict) else {}
    reducers = config.get("epochs_reducer") or ["mean"]
    if (config.get("epochs") or 1) > 1 and reducers != ["mean"]:
        yield f"{path}: Inspect reduced epochs by {', '.join(map(str, reducers))}; here they are averaged"
        return
    logged = _logged_mean(header, metric)
    if logged is not None and abs(logged - score) > 1e-6:
        yield f"{path}: Inspect's own mean of {metric} is {logged:.4f}, and that of its samples {score:.4f}"


def _logged_mean(header: Mapping[str, Any], metric: str) -> float | None:
    """The mean or accuracy of a scorer as Inspect computed it."""
    try:
        (score,) = [each for each in header["results"]["scores"] if each["name"] == metric]
        values = [score["metrics"][name]["value"] for name in ("accuracy", "mean") if name in score["metrics"]]
        return float(values[0])
    except (LookupError, TypeError, ValueError):  # it was not computed
        return None


def _number(value: Any, path: Path, sample: str, metric: str) -> float | None:
    """A score as a number, as Inspect's own metrics read it; None where there is none. UserError for another text."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        known = _VALUES.get(value, _WORDS.get(value.lower()))
        if known is not None:
            return known
        if _DECIMAL.fullmatch(value.strip()):
            return float(value)
    raise UserError(
        f"{path}: sample {sample!r} has the score {json.dumps(value)[:60]} by {metric}, which is no number; name "
        f"another scorer: {path}::SCORER"
    )
