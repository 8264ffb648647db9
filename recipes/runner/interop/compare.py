"""`educe compare`: results from several places as one table, as rows for programs, and what a reader must know."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from educe.data.display import aligned, cut, visible
from educe.data.errors import UserError
from educe.eval.analysis.compared import Compared, OverTasks, compare_results, over_tasks
from educe.eval.analysis.formatting import format_count, format_p_value
from educe.eval.report.csv_text import csv_text
from educe.eval.report.text import RUNS_MARK, gain_text, interval_text, share_text
from educe.recipes.runner.interop.pairs import pairs_of
from educe.recipes.runner.interop.read import read_results

Form = Literal["text", "csv", "json"]
_HEAD = ("task", "result", "against", "items", "score", "other", "difference [95%]", "p", "Holm p", "detectable")
_TEXTS = ("task", "result", "against")
_LEFT = [name in _TEXTS for name in _HEAD]  # numbers end alike
_NONE, _MAX_NAME = "–", 48

COLUMNS: dict[str, Callable[[Compared], Any]] = {
    "task": lambda each: each.result.task,
    "result": lambda each: each.result.name,
    "result_file": lambda each: each.result.file,
    "other": lambda each: each.other.name,
    "other_file": lambda each: each.other.file,
    "metric": lambda each: each.result.metric,
    "other_metric": lambda each: each.other.metric,
    "paired": lambda each: each.paired,
    "n": lambda each: each.gain.n,
    "result_items": lambda each: len(each.result.ids),
    "other_items": lambda each: len(each.other.ids),
    "score": lambda each: each.score,
    "other_score": lambda each: each.other_score,
    "difference": lambda each: each.gain.difference,
    "low": lambda each: each.gain.low,
    "high": lambda each: each.gain.high,
    "interval": lambda each: each.gain.kind,
    "estimand": lambda each: each.gain.estimand,
    "p": lambda each: each.p,
    "p_adjusted": lambda each: each.p_adjusted,
    "adjusted_by": lambda each: "Holm",
    "family_size": lambda each: each.family_size,
    "min_detectable_effect": lambda each: each.min_detectable_effect(),
    "min_detectable_effect_adjusted": lambda each: each.min_detectable_effect(comparisons=each.family_size),
}
POOLED_COLUMNS: dict[str, Callable[[OverTasks], Any]] = {
    "result": lambda each: each.members[0].result.name,
    "other": lambda each: each.members[0].other.name,
    "tasks": lambda each: [member.result.task for member in each.members],
    "left_out": lambda each: list(each.left_out),
    "difference": lambda each: each.pooled.mean,
    "low": lambda each: each.pooled.interval.low,
    "high": lambda each: each.pooled.interval.high,
    "interval": lambda each: each.pooled.interval.kind,
    "p": lambda each: each.p,
    "prediction_low": lambda each: max(-1.0, each.pooled.prediction.low),
    "prediction_high": lambda each: min(1.0, each.pooled.prediction.high),
    "between": lambda each: each.pooled.between,
    "homogeneity_p": lambda each: each.pooled.homogeneity_p,
}


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """Everything that `educe compare` shows."""

    compared: tuple[Compared, ...]
    pooled: list[OverTasks]
    notes: list[str]

    def text(self, form: Form = "text") -> str:
        """The table with its notes, the comparisons as csv, or all of it as json."""
        if form == "csv":
            return csv_text(COLUMNS, _rows(COLUMNS, self.compared))
        if form == "json":
            parts = {
                "comparisons": _rows(COLUMNS, self.compared),
                "over_tasks": _rows(POOLED_COLUMNS, self.pooled),
                "notes": self.notes,
            }
            return json.dumps(parts, indent=1) + "\n"
        table = aligned([_HEAD, *map(_line, self.compared)], left=_LEFT)
        lines = [*table, "", *map(_pooled_line, self.pooled), *self.notes]
        return "\n".join(map(visible, lines)) + "\n"


def compare_arguments(arguments: Sequence[str], *, cluster: str | None = None) -> Comparisons:
    """The results of every argument but the first, compared with those of the first.

    `cluster` is a field of Inspect's metadata or of lm-evaluation-harness's documents that related items share.
    UserError for fewer than two arguments, and for what cannot be read or compared.
    """
    if len(arguments) < 2:
        raise UserError(f"{arguments[0]} alone compares with nothing; give two results or more")
    sources = [read_results(each, cluster=cluster) for each in arguments]
    pairs, notes = pairs_of(sources)
    compared = compare_results(pairs)
    used = dict.fromkeys(result for pair in pairs for result in pair)
    notes += [note for result in used for note in result.notes]
    return Comparisons(
        compared=compared, pooled=over_tasks(compared), notes=list(dict.fromkeys([*_about(compared), *notes]))
    )


def _rows(columns: dict[str, Callable[[Any], Any]], values: Sequence[Any]) -> list[dict[str, Any]]:
    return [{name: column(each) for name, column in columns.items()} for each in values]


def _line(each: Compared) -> tuple[str, ...]:
    detectable = each.min_detectable_effect()
    counts = f"{each.gain.n:,}" if each.paired else f"{len(each.result.ids):,}, {len(each.other.ids):,}"
    mark = f" {RUNS_MARK}" if each.gain.estimand == "runs" else ""
    return (
        cut(each.result.task, _MAX_NAME),
        _named(each.result.name, each.result.origin),
        _named(each.other.name, each.other.origin),
        counts,
        share_text(each.score),
        share_text(each.other_score),
        f"{gain_text(each.gain)}{mark}{'' if each.paired else ' unpaired'}",
        _NONE if each.p is None else format_p_value(each.p, bare=True),
        _NONE if each.p_adjusted is None else format_p_value(each.p_adjusted, bare=True),
        _NONE if detectable is None or detectable >= 1 else share_text(detectable),
    )


def _named(name: str, origin: str) -> str:
    return f"{cut(name, _MAX_NAME)} ({cut(origin, _MAX_NAME)})"


def _pooled_line(each: OverTasks) -> str:
    pooled, first = each.pooled, each.members[0]
    mean = interval_text(100 * pooled.mean, 100 * pooled.interval.low, 100 * pooled.interval.high, "+.1f")
    low, high = max(-1.0, pooled.prediction.low), min(1.0, pooled.prediction.high)
    tested = "" if each.p is None else f", {format_p_value(each.p)} (not corrected)"
    left_out = f"; without {', '.join(each.left_out)}" if each.left_out else ""
    return (
        f"over {pooled.count} tasks, {first.result.name} less {first.other.name}: {mean} points{tested}; on another "
        f"such task {interval_text(100 * pooled.mean, 100 * low, 100 * high, '+.1f')}{left_out}"
    )


def _about(compared: Sequence[Compared]) -> list[str]:
    """What the table itself does not say."""
    lines = ["Differences in points, paired by item; detectable: the difference found with 80% power at 5%, alone."]
    strict = [each.min_detectable_effect(comparisons=each.family_size) for each in compared]
    known = sorted(each for each in strict if each is not None)
    if len(compared) > 1 and known:
        corrected = f"{share_text(known[len(known) // 2])} points" if known[len(known) // 2] < 1 else "nothing"
        lines.append(
            f"Holm's correction is for {format_count(len(compared), 'comparison')}; with its strictest step the middle "
            f"one of them detects {corrected}."
        )
    for each in compared:
        lines += _about_items(each)
    if any(each.gain.estimand == "runs" for each in compared):
        lines.append(f"{RUNS_MARK} of these runs: with one or two seeds nothing is known of others.")
    if any(each.paired and each.p is None for each in compared):
        lines.append("No p where a recipe has fewer than five seeds.")
    return lines


def _about_items(each: Compared) -> list[str]:
    where = f"{each.result.task}, {each.result.origin} and {each.other.origin}"
    counts = f"{len(each.result.ids):,} and {len(each.other.ids):,}"
    if not each.paired:
        return [f"{where}: no item in common ({counts}), so compared unpaired (Newcombe) and not tested."]
    lines = []
    if each.gain.n < max(len(each.result.ids), len(each.other.ids)):
        lines.append(f"{where}: compared on the {each.gain.n:,} items that both have, of {counts}.")
    if each.result.tool != each.other.tool:
        lines.append(
            f"{where}: paired by id alone, because {each.result.tool} and {each.other.tool} keep other content."
        )
    return lines
