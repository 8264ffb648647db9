"""Results by where they lie: a run directory, a log, or a folder of logs, and which of several is meant.

`PATH::WORD` names one of several results by what tells it apart: a model, a recipe, a number of examples, a metric or a
task. `PATH::WORD::WORD` names it by two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from educe.data.errors import UserError, did_you_mean
from educe.data.untrusted import parse_json, read_text
from educe.eval.analysis.compared import TaskResult
from educe.recipes.runner.interop import inspect_log, lm_eval_samples, run_directory

_CHOICE = "::"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How results of one tool are told and read: `read(path, origin, cluster=...)`, a result for each metric."""

    description: str
    holds: Callable[[Path], bool]
    read: Callable[..., list[TaskResult]]


def _is_json_log(path: Path) -> bool:
    is_json = path.suffix == ".json" and path.is_file()
    return is_json and inspect_log.is_log(parse_json(read_text(path), source=str(path), nan=True))


READERS: dict[str, Reader] = {
    "educe": Reader(
        description="run directory of `educe run`",
        holds=lambda path: (path / run_directory.MARK).exists(),
        read=run_directory.read,
    ),
    "inspect": Reader(
        description=".eval or .json log of Inspect",
        holds=lambda path: path.suffix == ".eval" or _is_json_log(path),
        read=inspect_log.read,
    ),
    "lm_eval": Reader(
        description="samples_TASK_TIME.jsonl of lm-evaluation-harness",
        holds=lambda path: path.name.startswith("samples_") and path.suffix == ".jsonl",
        read=lm_eval_samples.read,
    ),
}


def read_results(argument: str, *, cluster: str | None = None) -> list[TaskResult]:
    """The results that an argument of `educe compare` names. UserError where there is none, or two of the same."""
    path, words = _split(argument)
    if path.is_dir() and _reader_of(path) is None:
        files = [each for each in sorted(path.rglob("*.*")) if each.is_file() and _reader_of(each) is not None]
        if not files:
            raise UserError(f"{path} has no results; give a {_known()}, or a folder of logs")
    else:
        files = [path]
    found = [each for file in files for each in _read(file, argument, cluster)]
    return _one_each(_chosen(argument, found, words))


def _split(argument: str) -> tuple[Path, list[str]]:
    """The path and the words behind it; a path that exists as it stands has none."""
    if Path(argument).exists():
        return Path(argument), []
    path, *words = argument.split(_CHOICE)
    if not Path(path).exists():
        raise UserError(f"{path}: no such file or folder (from {Path.cwd()}); check the path")
    return Path(path), words


def _reader_of(path: Path) -> Reader | None:
    return next((reader for reader in READERS.values() if reader.holds(path)), None)


def _read(path: Path, origin: str, cluster: str | None) -> list[TaskResult]:
    reader = _reader_of(path)
    if reader is None:
        raise UserError(f"{path} holds no scores of single items; give a {_known()}")
    return reader.read(path, origin, cluster=cluster)


def _known() -> str:
    return ", a ".join(reader.description for reader in READERS.values())


def _chosen(argument: str, found: Sequence[TaskResult], words: Sequence[str]) -> list[TaskResult]:
    """Those that every word names; of several metrics the first, unless a word names another."""
    kept = list(found)
    for word in words:
        known = {fact for each in kept for fact in each.facts if fact}
        if word not in known:
            raise UserError(f"{argument}: nothing in it is {word!r}; {did_you_mean(word, known)}")
        kept = [each for each in kept if word in each.facts]
    defaults = [each for each in kept if each.default]
    if any(each.metric in words for each in kept):
        return kept
    if not defaults:
        return kept
    return [_with_others(each, found) for each in defaults]


def _with_others(result: TaskResult, found: Sequence[TaskResult]) -> TaskResult:
    """The result with a note on the metrics that were not taken."""
    others = [each.metric for each in found if each.file == result.file and each.name == result.name]
    others = [metric for metric in dict.fromkeys(others) if metric != result.metric]
    if not others or result.recipe:
        return result
    note = f"{result.file}: scored by {result.metric}; it has {', '.join(others)}, too: {result.file}::{others[0]}"
    return replace(result, notes=(*result.notes, note))


def _one_each(results: list[TaskResult]) -> list[TaskResult]:
    """The results. UserError where two are of one model, recipe, task and metric."""
    known: dict[tuple[str, ...], TaskResult] = {}
    for each in results:
        first = known.setdefault((each.tool, each.task, each.name, each.metric), each)
        if first is not each:
            raise UserError(
                f"{first.file} and {each.file} are both {each.name} on {each.task}; give each by itself to compare "
                "them, or leave one out"
            )
    return results
