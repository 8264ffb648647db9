"""Curves: measurements pooled over seeds, and joined along a budget."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal

import numpy as np

from data.errors import UserError
from eval.measurement import Measurement, Outcomes
from eval.stats.components import SeedSpread, averaged, moderated, seed_spread
from eval.stats.intervals import Interval, pooled_interval
from eval.stats.paired import Difference, Share, gap_recovered, paired_difference
from eval.stats.ratios import Ratio, score_ratio
from eval.stats.resample import Array

Axis = Literal["examples", "flops", "parameters", "bits"]
AXES: tuple[Axis, ...] = ("examples", "flops", "parameters", "bits")
# Fewer points along the axis of trainable parameters are settings of a recipe; so many are a curve.
LEAST_SWEEP = 3

# Settings that are themselves the budget: 2, 4 and 8 shots are three points of one curve and not three curves.
_BUDGET_SETTINGS = {"shots"}
# Where shots are looked up in a pool, the pool is the budget and the shots are a setting.
_POOL = "pool"
# Settings that decide how many parameters train.
_SIZE_SETTINGS = {"numbers", "rank", "length", "modules", "layers"}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of eliciting at one budget on one subject and task, pooled over its seeds.

    With one seed the score and the interval are the measurement's own; with several they are the mean over seeds and
    items and its two-factor interval.
    """

    subject: str
    task: str
    method: str
    settings: str  # as JSON with sorted keys: comparable, and readable
    recipe: str
    examples: int
    chance: float | None
    measurements: tuple[Measurement, ...] = field(repr=False)  # one per seed, in the order of seeds
    score: float
    low: float
    high: float
    interval: str
    n: int
    spread: SeedSpread | None = None  # over seeds; of two seeds, with the help of the recipe's other budgets

    @property
    def num_seeds(self) -> int:
        """How many seeds are pooled."""
        return len(self.measurements)

    @property
    def budget_in_settings(self) -> bool:
        """Whether a setting is the budget itself, as the shots of a prompt are, so that the recipe's name says it."""
        return not _BUDGET_SETTINGS.isdisjoint(self.measurements[0].settings)

    @property
    def name(self) -> str:
        """The recipe, with its shots where they are the default and the recipe's name leaves them out."""
        shots = self.measurements[0].settings.get("shots")
        bare = bool(shots) and self.recipe == self.method
        return f"{self.recipe}, {shots} {'shot' if shots == 1 else 'shots'}" if bare else self.recipe

    @property
    def labelled_examples(self) -> int:
        """Labels read, those used to choose included: the budget on the examples axis; mean over seeds, rounded."""
        return round(self.mean(lambda each: each.spend.labelled_examples))

    @property
    def elicitation_flops(self) -> float:
        """Training and search together, mean over seeds."""
        return self.mean(lambda each: each.spend.elicitation_flops)

    @property
    def trainable_parameters(self) -> float:
        """Numbers that were trained, mean over seeds."""
        return self.mean(lambda each: each.spend.trainable_parameters)

    @property
    def instructions(self) -> int:
        """What was learned from beside the task; mean over seeds, rounded."""
        return round(self.mean(lambda each: each.spend.instructions))

    @property
    def bits(self) -> float | None:
        """Description length of the labels read, mean over seeds; None where it was not measured."""
        measured = [each.spend.bits for each in self.measurements if each.spend.bits is not None]
        return math.fsum(measured) / self.num_seeds if len(measured) == self.num_seeds else None

    @property
    def flops_per_answer(self) -> float:
        """Useful FLOPs of one question asked this way, mean over seeds."""
        return self.mean(lambda each: each.spend.flops_per_answer)

    def mean(self, quantity: Callable[[Measurement], float]) -> float:
        """Mean over seeds of any number a measurement holds."""
        return math.fsum(quantity(each) for each in self.measurements) / self.num_seeds


@dataclass(frozen=True, kw_only=True)
class Point:
    """A pooled score at one budget; the budget's unit is its curve's axis."""

    budget: float
    score: float
    low: float
    high: float
    interval: str
    n: int
    num_seeds: int
    way: Way = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores of one recipe on one subject and task along one axis, by rising budget."""

    label: str
    subject: str
    task: str
    method: str
    recipe: str
    axis: Axis | Literal["size"]  # size orders subjects, not budgets of one subject
    points: tuple[Point, ...]


def pool(measurements: Iterable[Measurement]) -> tuple[Way, ...]:
    """Measurements that differ only in seed, pooled; in the order of first appearance.

    Two seeds say little of others, so the other budgets of a recipe help to judge how much seeds matter (`moderated`).

    UserError where a cell was measured twice or seeds share no test items.
    """
    groups: dict[tuple[str, ...], dict[int, Measurement]] = {}
    for each in measurements:
        seeds = groups.setdefault((each.subject, each.task, each.method, _key(each), str(each.examples)), {})
        if each.seed in seeds:
            raise UserError(f"{_cell_of(each)} was measured twice; report on one of the two studies at a time")
        seeds[each.seed] = each
    ways = [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]
    scored = [item_scores(seeds) if len(seeds) > 1 else None for seeds in ways]
    own = [seed_spread([(each[0][0], each[1])]) if each is not None else None for each in scored]
    curves: dict[tuple[str, ...], list[int]] = {}
    for place, (first, *_) in enumerate(ways):
        settings = _key(first, leave_out=_BUDGET_SETTINGS)
        curves.setdefault((first.subject, first.task, first.method, settings), []).append(place)
    spreads = list(own)
    for places in curves.values():
        for place in places:
            spreads[place] = moderated(own[place], averaged([own[other] for other in places if other != place]))
    return tuple(_pooled(seeds, several, spread) for seeds, several, spread in zip(ways, scored, spreads, strict=True))


def item_scores(*sides: Sequence[Measurement]) -> tuple[list[Array], list[str | None]]:
    """One matrix (seeds, items) per side, over the items that every measurement holds, and the items' clusters.

    UserError where no item is shared: nothing can be pooled or compared then.
    """
    first = sides[0][0]
    shared = first.outcomes.ids
    others = {each.outcomes.ids for side in sides for each in side} - {shared}
    if others:
        known = set.intersection(*map(set, others))
        shared = tuple(name for name in shared if name in known)
    if not shared:
        raise _nothing_shared([each for side in sides for each in side])
    matrices = [np.stack([_scores_of(each.outcomes, shared) for each in side]) for side in sides]
    clusters = dict(zip(first.outcomes.ids, first.outcomes.clusters, strict=True))
    return matrices, [clusters[name] for name in shared]


def _cell_of(each: Measurement) -> str:
    """Which cell was measured, for an error line."""
    return f"{each.recipe} on {each.subject}, {each.task}, {each.examples} examples, seed {each.seed}"


def _nothing_shared(measurements: Sequence[Measurement]) -> UserError:
    """The error that names the first cell with which no item is left."""
    ids = [set(each.outcomes.ids) for each in measurements]
    left: list[set[str]] = list(accumulate(ids, set.intersection))
    return UserError(
        f"{_cell_of(measurements[left.index(set())])} shares no test item with what it is held to, "
        f"{_cell_of(measurements[0])} among it; measure both on the same items"
    )


def _scores_of(outcomes: Outcomes, ids: tuple[str, ...]) -> Array:
    """The scores of these items, in their order."""
    if outcomes.ids == ids:
        return outcomes.scores
    places = {name: place for place, name in enumerate(outcomes.ids)}
    return outcomes.scores[[places[name] for name in ids]]


def compare(way: Way, other: Way) -> Difference:
    """How much higher `way` scores than `other` on the same items, paired by item."""
    (ours, theirs), clusters = item_scores(way.measurements, other.measurements)
    return paired_difference(ours, theirs, clusters, spreads=(way.spread, other.spread))


def multiple(way: Way, other: Way) -> Ratio | None:
    """How many times the other's score `way` has, on the same items."""
    (ours, theirs), clusters = item_scores(way.measurements, other.measurements)
    return score_ratio(ours, theirs, clusters, spreads=(way.spread, other.spread))


def recovered(way: Way, floor: Way, ceiling: Way) -> Share | None:
    """What share of the gap between `floor` and `ceiling` the way recovers, on the items that all share."""
    (ours, lowest, highest), clusters = item_scores(way.measurements, floor.measurements, ceiling.measurements)
    return gap_recovered(ours, lowest, highest, clusters, spreads=(way.spread, floor.spread, ceiling.spread))


def plain_prompting(ways: Iterable[Way]) -> Way | None:
    """Plain prompting among the ways of one subject and task: zero-shot, all settings at their defaults if measured so.

    None where it was not measured.
    """
    asked = [way for way in ways if way.method == "zero_shot"]
    return min(asked, key=lambda way: (way.recipe != way.method, way.settings), default=None)


def curves(measurements: Iterable[Measurement], axis: Axis) -> tuple[Curve, ...]:
    """Every curve in these measurements along `axis`, each point pooled over seeds.

    One curve per subject, task, method and settings, read from fields. Along "examples" and "flops" (training and
    search) the budgets of a recipe are its points; along "parameters" its settings are, at equal examples; along "bits"
    only what was measured in bits is there.
    """
    return join(pool(measurements), axis)


def join(ways: Iterable[Way], axis: Axis) -> tuple[Curve, ...]:
    """Pooled ways joined to curves along `axis`; the same as `curves` after `pool`."""
    groups: dict[tuple[str, ...], list[Way]] = {}
    for way in ways:
        if axis == "bits" and way.bits is None:
            continue
        apart = _key(way.measurements[0], leave_out=_SIZE_SETTINGS if axis == "parameters" else _BUDGET_SETTINGS)
        if axis == "parameters":
            apart = f"{way.examples} {apart}"
        groups.setdefault((way.subject, way.task, way.method, apart), []).append(way)
    return _told_apart([_curve(group, axis) for group in groups.values()])


def sweeps(ways: Iterable[Way]) -> tuple[Curve, ...]:
    """Curves along "parameters" of recipes that were run with several numbers of them at equal examples."""
    return tuple(
        curve
        for curve in join([way for way in ways if way.trainable_parameters], "parameters")
        if len({point.budget for point in curve.points}) >= LEAST_SWEEP
    )


def without_sweeps(ways: Iterable[Way]) -> list[Way]:
    """The ways that are to be drawn against examples and FLOPs: of a sweep of parameters, the most alone."""
    ways = list(ways)
    dropped = {
        id(point.way) for curve in sweeps(ways) for point in curve.points if point.budget < curve.points[-1].budget
    }
    return [way for way in ways if id(way) not in dropped]


def _told_apart(made: Sequence[Curve]) -> tuple[Curve, ...]:
    """Curves whose labels are alike on one subject and task get the settings in which they differ."""
    alike: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in made:
        alike.setdefault((curve.subject, curve.task, curve.label), []).append(curve)

    def label(curve: Curve) -> str:
        rivals = alike[curve.subject, curve.task, curve.label]
        if len(rivals) == 1:
            return curve.label
        settings = [rival.points[0].way.measurements[0].settings for rival in rivals]
        mine = curve.points[0].way.measurements[0].settings
        names = sorted(set(mine) - _BUDGET_SETTINGS)
        differing = [name for name in names if any(other.get(name) != mine[name] for other in settings)]
        return " ".join([curve.label, *(f"{name}={mine[name]}" for name in differing)])

    return tuple(replace(curve, label=label(curve)) for curve in made)


def point_of(way: Way, budget: float) -> Point:
    """A way as the point of a curve at this budget."""
    return Point(
        budget=budget,
        score=way.score,
        low=way.low,
        high=way.high,
        interval=way.interval,
        n=way.n,
        num_seeds=way.num_seeds,
        way=way,
    )


def _curve(ways: Sequence[Way], axis: Axis) -> Curve:
    budgets: dict[Axis, Callable[[Way], float]] = {
        "examples": lambda way: float(way.labelled_examples),
        "flops": lambda way: way.elicitation_flops,
        "parameters": lambda way: way.trainable_parameters,
        "bits": lambda way: way.bits or 0.0,
    }
    points = tuple(
        point_of(way, budgets[axis](way)) for way in sorted(ways, key=lambda way: (budgets[axis](way), way.examples))
    )
    first = ways[0]
    recipe = first.recipe if len({way.recipe for way in ways}) == 1 else first.method
    label = f"{first.method}, {first.examples} examples" if axis == "parameters" else recipe
    return Curve(
        label=label,
        subject=first.subject,
        task=first.task,
        method=first.method,
        recipe=recipe,
        axis=axis,
        points=points,
    )


def _pooled(
    seeds: Sequence[Measurement], scored: tuple[list[Array], list[str | None]] | None, spread: SeedSpread | None
) -> Way:
    first = seeds[0]
    if scored is None:
        score, n, interval = first.score, first.n, Interval(low=first.low, high=first.high, kind=first.interval)
    else:
        (matrix,), clusters = scored
        score, n = float(matrix.mean()), matrix.shape[1]
        interval = pooled_interval(matrix, clusters, spread=spread)
    return Way(
        subject=first.subject,
        task=first.task,
        method=first.method,
        settings=_key(first),
        recipe=first.recipe,
        examples=first.examples,
        chance=first.chance,
        measurements=tuple(seeds),
        score=score,
        low=interval.low,
        high=interval.high,
        interval=interval.kind,
        n=n,
        spread=spread,
    )


def _key(measurement: Measurement, *, leave_out: Collection[str] = ()) -> str:
    """The settings as one comparable string."""
    if leave_out is _BUDGET_SETTINGS and _POOL in measurement.settings:
        leave_out = {_POOL}
    kept = {name: value for name, value in measurement.settings.items() if name not in leave_out}
    return json.dumps(kept, sort_keys=True, default=str)
