"""lm-evaluation-harness's `samples_TASK_TIME.jsonl`, with the `results_TIME.json` that it writes beside them.

`lm_eval --log_samples --output_path DIR` writes both. An item is its place in the data set (`doc_id`), its content the
`doc`. The number of samples and their mean are compared with those of the results file, where it is there.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
)

NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")
_NO_FILTER = "none"


def read(path: Path, origin: str, *, cluster: str | None = None) -> list[TaskResult]:
    """One result for each filter and metric, the first one as the default; `cluster` is a field of the `doc`.

    UserError where the file is not whole, or no metric gives numbers in [0, 1].
    """
    named = NAME.fullmatch(path.name)
    if named is None:
        raise UserError(f"{path}: the name is not samples_TASK_TIME.jsonl, as lm_eval writes it; keep its name")
    task, about = named["task"], _results_file(path, named["time"])
    lines = read_text(path).split("\n")
    rows = [_row(path, number, line, cluster) for number, line in enumerate(lines, 1) if line.strip()]
    check_clusters(path, [row.cluster for row in rows], cluster)
    _check_rows(path, task, about, rows)
    model = about.get("model_name")
    model = model if isinstance(model, str) and model else path.parent.name
    readable = each_readable(path, {_metric(*key): _items(path, rows, *key) for key in _keys(rows)})
    results: list[TaskResult] = []
    for metric, fields, notes in readable:
        notes = (*notes, *_notes(path, task, about, metric, fields["side"].scores.mean()))
        results.append(
            TaskResult(
                origin=origin,
                file=str(path),
                tool="lm-evaluation-harness",
                task=task,
                model=model,
                metric=metric,
                facts=(task, model, metric),
                default=not results,
                **fields | {"notes": notes, "counted": True},
            )
        )
    return results


def _results_file(path: Path, time: str) -> Mapping[str, Any]:
    """The run's results, empty where there are none beside the samples."""
    found = sorted(path.parent.glob(f"*_{time}.json"))
    return mapping(parse_json(read_text(found[0]), source=str(found[0]), nan=True), str(found[0])) if found else {}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One line: an item under one filter, with all of its metrics as they stand there."""

    name: str
    filter: str
    cluster: str | None
    content: str
    values: Mapping[str, Any]


def _row(path: Path, number: int, line: str, cluster: str | None) -> _Row:
    where = f"{path}, line {number}"
    sample = mapping(parse_json(line, source=where, one_line=True, nan=True), where)
    metrics = sample.get("metrics")
    if not isinstance(metrics, list) or not all(isinstance(each, str) for each in metrics):
        raise UserError(f"{where}: no list of metrics; write samples with a newer lm_eval (0.4.13 is tested)")
    doc = sample.get("doc")
    return _Row(
        name=identity(sample.get("doc_id"), where),
        filter=str(sample.get("filter", _NO_FILTER)),
        cluster=cluster_of(doc if isinstance(doc, dict) else {}, cluster),
        content=digest(doc, sample.get("target")),
        values={metric: sample.get(metric) for metric in metrics},
    )


def _check_rows(path: Path, task: str, about: Mapping[str, Any], rows: Sequence[_Row]) -> None:
    if not rows:
        raise UserError(f"{path} is empty; run lm_eval again with --log_samples")
    if (repeated := first_repeated([(row.name, row.filter) for row in rows])) is not None:
        raise UserError(f"{path}: doc_id {repeated[0]} comes twice; write each run to a folder of its own")
    counts = _inside(about, "n-samples", task, "effective")
    names = {row.name for row in rows}
    if isinstance(counts, int) and counts != len(names):
        raise UserError(f"{path} has {len(names):,} of {counts:,} items; copy the whole file again")


def _keys(rows: Sequence[_Row]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((metric, row.filter) for row in rows for metric in row.values))


def _metric(metric: str, of_filter: str) -> str:
    """The metric, with the filter of the answers where there is one, as lm_eval names it."""
    return metric if of_filter == _NO_FILTER else f"{metric},{of_filter}"


def _items(path: Path, rows: Sequence[_Row], metric: str, of_filter: str) -> Callable[[], Items]:
    def made() -> Items:
        items = Items()
        for row in (row for row in rows if row.filter == of_filter):
            value = row.values.get(metric)
            if value is not None and not isinstance(value, bool | int | float):
                raise UserError(f"{path}: {metric} of doc_id {row.name} is no number; name another: {path}::METRIC")
            items.scores[row.name] = [None if value is None else float(value)]
            items.clusters[row.name], items.contents[row.name] = row.cluster, row.content
        return items

    return made


def _notes(path: Path, task: str, about: Mapping[str, Any], metric: str, score: float) -> Iterator[str]:
    """What does not follow from the samples alone."""
    name, _, of_filter = metric.partition(",")
    if not about:
        yield f"{path}: no results file beside it, so that nobody knows whether all of its items are there"
    if _inside(about, "higher_is_better", task, name) is False:
        yield f"{path}: a lower {name} is better"
    mean = _inside(about, "results", task, f"{name},{of_filter or _NO_FILTER}")
    if isinstance(mean, int | float) and abs(mean - score) > 1e-6:
        yield f"{path}: lm_eval's own {metric} is {mean:.4f}, and the mean of its samples {score:.4f}"


def _inside(values: Any, *names: str) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values
