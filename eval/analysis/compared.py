"""Results of one task from two places, whoever measured them, compared item by item: `educe compare`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.independent import ScoreInterval, independent_difference
from educe.eval.analysis.statistics.intervals import pooled_interval, score_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level, holm
from educe.eval.analysis.statistics.paired import Difference, difference_error, paired_difference
from educe.eval.analysis.statistics.power import detectable_difference
from educe.eval.analysis.statistics.random_effects import MIN_EFFECTS, MetaAnalysis, meta_analysis
from educe.eval.analysis.statistics.resample import independent_items
from educe.eval.analysis.statistics.variance import Side, Variance, contrast_variance


@dataclass(frozen=True, kw_only=True, eq=False)
class TaskResult:
    """What one model scored on the items of one task, from one place.

    `origin` is what the user named, `file` where it lies. `side` has one column per id. `contents` has a digest of what
    each item asks, as far as the tool writes it; those of one `tool` can be compared. `counted` says that ids are only
    places in a data set, which name nothing in another tool. `adjust` adjusts a p value for looks.
    """

    origin: str
    file: str
    tool: str
    task: str
    model: str
    recipe: str = ""
    metric: str
    facts: tuple[str, ...] = ()
    default: bool = True  # the first metric, taken where the user names none
    ids: tuple[str, ...]
    side: Side
    clusters: tuple[str | None, ...]
    contents: Mapping[str, str] = field(default_factory=dict)
    counted: bool = False
    notes: tuple[str, ...] = ()
    adjust: Callable[[float], float] = float

    @property
    def name(self) -> str:
        """The model, and its recipe where that is known."""
        return f"{self.model}, {self.recipe}" if self.recipe else self.model

    @property
    def score(self) -> float:
        return float(self.side.scores.mean())

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The column of each id."""
        return {name: place for place, name in enumerate(self.ids)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """One result less another on one task: paired on the items of both, or unpaired where no item is shared.

    `score` and `other_score` are over the items that are compared. `p` is adjusted for looks, `p_adjusted` for all
    comparisons shown, too; both are None where nothing is tested: unpaired, or a recipe with too few seeds. `error` is
    the standard error and `variance` that of the paired difference over `units` independent items.
    """

    result: TaskResult
    other: TaskResult
    gain: Difference
    paired: bool
    score: float
    other_score: float
    p: float | None = None
    p_adjusted: float | None = None
    family_size: int = 1
    error: float = math.inf
    variance: Variance | None = None
    units: float = 0.0

    def min_detectable_effect(self, *, comparisons: int = 1) -> float | None:
        """The difference that these items would have shown with 80% power at 5%; None for unpaired ones."""
        if self.variance is None:
            return None
        return detectable_difference(self.variance, self.units, level=bonferroni_level(0.95, comparisons))


@dataclass(frozen=True, kw_only=True, eq=False)
class OverTasks:
    """The paired differences of one pair of results over several tasks, pooled. `p` is adjusted for looks."""

    members: tuple[Compared, ...]
    left_out: tuple[str, ...]
    pooled: MetaAnalysis
    p: float | None


def compare_results(pairs: Sequence[tuple[TaskResult, TaskResult]]) -> tuple[Compared, ...]:
    """The first of each pair less the second, with p values corrected for all of them by Holm.

    What cannot be tested counts as a test that found nothing. UserError where the same id names different items.
    """
    found = [_compare(*pair) for pair in pairs]
    corrected = holm([1.0 if each.p is None else each.p for each in found])
    return tuple(
        replace(each, p_adjusted=None if each.p is None else float(p), family_size=len(found))
        for each, p in zip(found, corrected, strict=True)
    )


def over_tasks(compared: Sequence[Compared]) -> list[OverTasks]:
    """A random-effects meta-analysis of each pair of names with paired differences on three tasks or more."""
    groups: dict[tuple[str, ...], list[Compared]] = {}
    for each in compared:
        key = (each.result.origin, each.result.name, each.other.origin, each.other.name)
        groups.setdefault(key, []).append(each)
    return [pooled for members in groups.values() if (pooled := _pooled(members)) is not None]


def _pooled(members: Sequence[Compared]) -> OverTasks | None:
    known = tuple(each for each in members if each.paired and 0 < each.error < math.inf)
    if len(known) < MIN_EFFECTS:
        return None
    pooled = meta_analysis([each.gain.difference for each in known], [each.error for each in known])
    assert pooled is not None
    tested = all(each.p is not None for each in known)
    p = max(adjust(pooled.p) for each in known for adjust in (each.result.adjust, each.other.adjust))
    left_out = tuple(each.result.task for each in members if each not in known)
    return OverTasks(members=known, left_out=left_out, pooled=pooled, p=p if tested else None)


def _compare(result: TaskResult, other: TaskResult) -> Compared:
    shared = shared_ids(result, other)
    if not shared:
        return Compared(
            result=result,
            other=other,
            gain=_unpaired(result, other),
            paired=False,
            score=result.score,
            other_score=other.score,
        )
    ours, theirs = _columns(result, shared), _columns(other, shared)
    clusters = _clusters(result, other, shared)
    gain = paired_difference(ours, theirs, clusters)
    tested = ours.testable and theirs.testable and gain.p is not None
    return Compared(
        result=result,
        other=other,
        gain=gain,
        paired=True,
        score=float(ours.scores.mean()),
        other_score=float(theirs.scores.mean()),
        p=max(result.adjust(gain.p), other.adjust(gain.p)) if tested and gain.p is not None else None,
        error=difference_error(ours, theirs, clusters),
        variance=contrast_variance((ours, theirs), (1.0, -1.0), clusters),
        units=independent_items(clusters),
    )


def shared_ids(result: TaskResult, other: TaskResult) -> tuple[str, ...]:
    """The ids of items that both have, in the order of the first; none where ids of two tools are only places.

    UserError where an item has another content in the other result.
    """
    if result.tool != other.tool and (result.counted or other.counted):
        return ()
    shared = tuple(name for name in result.ids if name in other.places)
    if result.tool == other.tool:
        wrong = [name for name in shared if not _same(result.contents.get(name), other.contents.get(name))]
        if wrong:
            raise UserError(
                f"{result.file} and {other.file}: task {result.task!r} has other content under the same id, such as "
                f"{wrong[0]!r} ({format_count(len(wrong), 'item')} of {len(shared):,}); compare results of the same "
                "version and order of the data"
            )
    return shared


def _same(content: str | None, other: str | None) -> bool:
    return content is None or other is None or content == other


def _columns(result: TaskResult, ids: Sequence[str]) -> Side:
    places = [result.places[name] for name in ids]
    return Side(scores=result.side.scores[:, places], seeds=result.side.seeds)


def _clusters(result: TaskResult, other: TaskResult, ids: Sequence[str]) -> list[str | None]:
    """What the items share, as either result has it."""
    sides = [each for each in (other, result) if any(name is not None for name in each.clusters)]
    if not sides:
        return [None] * len(ids)
    return [sides[0].clusters[sides[0].places[name]] for name in ids]


def _unpaired(result: TaskResult, other: TaskResult) -> Difference:
    sides = [_interval(each) for each in (result, other)]
    return independent_difference(*sides, n=min(len(result.ids), len(other.ids)))


def _interval(result: TaskResult) -> ScoreInterval:
    one_run = len(result.side.scores) == 1
    scores = np.asarray(result.side.scores)
    found = score_interval(scores[0], result.clusters) if one_run else pooled_interval(result.side, result.clusters)
    return ScoreInterval(score=result.score, low=found.low, high=found.high)
