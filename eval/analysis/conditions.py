"""Conditions: measurements pooled over seeds, and compared item by item."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from educe.data.errors import UserError
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.intervals import Interval, pooled_interval
from educe.eval.analysis.statistics.paired import Difference, GapRecovered, gap_recovered, paired_difference
from educe.eval.analysis.statistics.ratios import Ratio, score_ratio
from educe.eval.analysis.statistics.resample import Array
from educe.eval.analysis.statistics.variance import Estimand, Side, can_test, variance_shares
from educe.eval.measurement import Measurement, Outcomes, Role


@dataclass(frozen=True, kw_only=True, eq=False)  # two are equal if they are the same object, so they can be keys
class Condition:
    """A recipe at one budget on one model and task, pooled over its seeds.

    With one seed the score and the interval are the measurement's own; with several they are the mean over seeds and
    items and its two-way interval. `estimand` is whether they speak of the recipe, over all seeds it might have had, or
    of the runs that were measured, which are too few to say anything of others.
    """

    model: str
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
    estimand: Estimand

    @property
    def num_seeds(self) -> int:
        return len(self.measurements)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each measurement; none for zero-shot, in which the seed changes nothing."""
        return seeds_of(self.measurements)

    @property
    def testable(self) -> bool:
        """Whether a test may speak of the recipe."""
        return can_test(self.seeds)

    @property
    def role(self) -> Role:
        return self.measurements[0].role

    @property
    def budget_in_settings(self) -> bool:
        """Whether a setting is the budget itself, as the shots of a prompt are, so that `name` contains it."""
        return self.measurements[0].budget_setting is not None

    @property
    def name(self) -> str:
        """The recipe with its settings; the budget is among them where it is a setting."""
        first = self.measurements[0]
        if first.budget_setting is None or self.recipe != self.method:
            return self.recipe
        budget = first.settings.get(first.budget_setting)
        return self.recipe if budget is None else f"{self.recipe} {first.budget_setting}={budget}"

    @property
    def labelled_examples(self) -> int:
        """Labels read, those used to choose included; mean over seeds, rounded."""
        return round(self.mean(lambda each: each.spend.labelled_examples))

    @property
    def elicitation_flops(self) -> float:
        """Training and search together, mean over seeds."""
        return self.mean(lambda each: each.spend.elicitation_flops)

    @property
    def trainable_parameters(self) -> float:
        return self.mean(lambda each: each.spend.trainable_parameters)

    @property
    def instructions(self) -> int:
        """Training examples that are not of the task; mean over seeds, rounded."""
        return round(self.mean(lambda each: each.spend.instructions))

    @property
    def bits(self) -> float | None:
        """Description length of the labels read, mean over seeds; None where it was not measured."""
        measured = [each.spend.bits for each in self.measurements if each.spend.bits is not None]
        return math.fsum(measured) / self.num_seeds if len(measured) == self.num_seeds else None

    @property
    def flops_per_answer(self) -> float:
        """Useful FLOPs of one answer, mean over seeds."""
        return self.mean(lambda each: each.spend.flops_per_answer)

    def mean(self, quantity: Callable[[Measurement], float]) -> float:
        return math.fsum(quantity(each) for each in self.measurements) / self.num_seeds


def pool(measurements: Iterable[Measurement]) -> tuple[Condition, ...]:
    """Measurements that differ only in seed, pooled; in the order of first appearance.

    UserError where a cell was measured twice or seeds share no test items.
    """
    groups: dict[tuple[str, ...], dict[int, Measurement]] = {}
    for each in measurements:
        seeds = groups.setdefault((each.model, each.task, each.method, settings_key(each), str(each.examples)), {})
        if each.seed in seeds:
            raise UserError(f"{_cell_of(each)} was measured twice; report on one of the two studies at a time")
        seeds[each.seed] = each
    return tuple(_pooled([seeds[seed] for seed in sorted(seeds)]) for seeds in groups.values())


def seeds_of(measurements: Sequence[Measurement]) -> tuple[int, ...]:
    """The seeds of one condition's measurements, none where the seed changes nothing."""
    return () if measurements[0].role == "zero_shot" else tuple(each.seed for each in measurements)


def sides_of(*sides: Sequence[Measurement]) -> tuple[list[Side], list[str | None]]:
    """One side per condition's measurements, over the items that all share, and the items' clusters."""
    matrices, clusters = item_scores(*sides)
    pairs = zip(matrices, sides, strict=True)
    return [Side(scores=matrix, seeds=seeds_of(side)) for matrix, side in pairs], clusters


def item_scores(*sides: Sequence[Measurement]) -> tuple[list[Array], list[str | None]]:
    """One matrix (seeds, items) per side, over the items that all measurements share, and the items' clusters.

    UserError where no item is shared.
    """
    first = sides[0][0]
    shared = first.outcomes.ids
    # Cells of one task mostly have the very same ids: hashing thousands of names would cost more than the sums.
    different = [each.outcomes.ids for side in sides for each in side if each.outcomes.ids is not shared]
    others = {ids for ids in different if ids != shared}
    if others:
        known = set.intersection(*map(set, others))
        shared = tuple(name for name in shared if name in known)
    if not shared:
        raise _nothing_shared([each for side in sides for each in side])
    matrices = [np.stack([_scores_of(each.outcomes, shared) for each in side]) for side in sides]
    if not others:
        return matrices, list(first.outcomes.clusters)
    clusters = dict(zip(first.outcomes.ids, first.outcomes.clusters, strict=True))
    return matrices, [clusters[name] for name in shared]


def _cell_of(each: Measurement) -> str:
    return f"{each.recipe} on {each.model}, {each.task}, {each.examples} examples, seed {each.seed}"


def _nothing_shared(measurements: Sequence[Measurement]) -> UserError:
    """The error that names the first cell with which no item is left."""
    ids = [set(each.outcomes.ids) for each in measurements]
    left: list[set[str]] = list(accumulate(ids, set.intersection))
    return UserError(
        f"{_cell_of(measurements[left.index(set())])} shares no test item with the measurements it is compared with, "
        f"such as {_cell_of(measurements[0])}; measure both on the same items"
    )


def _scores_of(outcomes: Outcomes, ids: tuple[str, ...]) -> Array:
    if outcomes.ids == ids:
        return outcomes.scores
    places = {name: place for place, name in enumerate(outcomes.ids)}
    return outcomes.scores[[places[name] for name in ids]]


Compare = Callable[[Condition, Condition], Difference]  # `compare`, or one that remembers its results


def compare(condition: Condition, other: Condition, *, level: float = 0.95) -> Difference:
    """The score of `condition` less that of `other`, paired by item."""
    (ours, theirs), clusters = sides_of(condition.measurements, other.measurements)
    return paired_difference(ours, theirs, clusters, level=level)


def compare_ratio(condition: Condition, other: Condition) -> Ratio | None:
    """The score of `condition` over that of `other`, on the same items."""
    (ours, theirs), clusters = sides_of(condition.measurements, other.measurements)
    return score_ratio(ours, theirs, clusters)


def share_of_gap(condition: Condition, floor: Condition, ceiling: Condition) -> GapRecovered | None:
    """The share of the gap between `floor` and `ceiling` that the condition recovers, on the items that all share."""
    (ours, lowest, highest), clusters = sides_of(*(each.measurements for each in (condition, floor, ceiling)))
    return gap_recovered(ours, lowest, highest, clusters)


def shares_of_variance(condition: Condition) -> tuple[float, float, float] | None:
    """The shares of one answer's variance from items, seeds and their interaction; None for seeds too few to say."""
    (side,), _ = sides_of(condition.measurements)
    return variance_shares(side) if side.sampled_seeds and side.scores.shape[1] > 1 else None


def ordered(conditions: Iterable[Condition]) -> list[Condition]:
    """By task, model, recipe and budget: an order that does not depend on how the results were read."""
    return sorted(conditions, key=lambda each: (each.task, each.model, each.method, each.settings, each.examples))


def by_task_and_model(conditions: Iterable[Condition]) -> list[list[Condition]]:
    """The conditions of each task and model, in that order."""
    groups: dict[tuple[str, str], list[Condition]] = {}
    for condition in conditions:
        groups.setdefault((condition.task, condition.model), []).append(condition)
    return [groups[key] for key in sorted(groups)]


def name_of(condition: Condition) -> str:
    """The recipe and its budget."""
    if not condition.examples or condition.budget_in_settings:
        return condition.name
    return f"{condition.name}, {format_count(condition.examples, 'example')}"


def plain_prompting(conditions: Iterable[Condition]) -> Condition | None:
    """The zero-shot baseline of one model and task, with all settings at their defaults if that was measured."""
    baselines = [condition for condition in conditions if condition.role == "zero_shot"]
    return min(baselines, key=lambda each: (each.recipe != each.method, each.settings), default=None)


def trained(conditions: Iterable[Condition]) -> list[Condition]:
    """Those whose elicitation trained the model; a control elicits nothing."""
    return [
        condition
        for condition in conditions
        if condition.role != "control" and condition.mean(lambda each: each.spend.train_flops) > 0
    ]


def most_trained(conditions: Iterable[Condition]) -> Condition | None:
    """The trained condition with the most labelled examples, then the most FLOPs.

    It is not the one with the best score: the best of many, chosen on the test items themselves, is biased upwards. One
    that learned from another task's rows is not asked for.
    """
    own = [each for each in trained(conditions) if not rows_of(each)]
    return max(own, key=lambda each: (each.examples, each.elicitation_flops), default=None)


def rows_of(condition: Condition) -> str:
    """The other task whose rows a condition learned from; "" for the task's own."""
    return next((str(value) for value in values_of(condition.measurements[0].settings, "rows_from") if value), "")


def values_of(settings: Mapping[str, Any], wanted: str) -> Iterator[Any]:
    """The values of a setting, in a recipe and in those that it is made of."""
    for key, value in settings.items():
        if key == wanted:
            yield value
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Mapping):
                yield from values_of(inner, wanted)


def most_shots(conditions: Iterable[Condition]) -> Condition | None:
    """Random demonstrations, as many as were measured: the prompt that a fine-tune is compared with."""
    prompts = [condition for condition in conditions if condition.role == "few_shot"]
    return max(prompts, key=lambda each: each.examples, default=None)


def searched(conditions: Iterable[Condition]) -> Condition | None:
    """The prompt found by a search, the one that read the most labels."""
    found = [condition for condition in conditions if condition.role == "prompt_search"]
    return max(found, key=lambda each: each.labelled_examples, default=None)


def _pooled(seeds: Sequence[Measurement]) -> Condition:
    first = seeds[0]
    (side,), clusters = sides_of(seeds)
    score, n = float(side.scores.mean()), side.scores.shape[1]
    if len(seeds) == 1:
        score, interval = first.score, Interval(low=first.low, high=first.high, kind=first.interval)
    else:
        interval = pooled_interval(side, clusters)
    return Condition(
        model=first.model,
        task=first.task,
        method=first.method,
        settings=settings_key(first),
        recipe=first.recipe,
        examples=first.examples,
        chance=first.chance,
        measurements=tuple(seeds),
        score=score,
        low=interval.low,
        high=interval.high,
        interval=interval.kind,
        n=n,
        estimand=side.estimand,
    )


def settings_key(measurement: Measurement, *, leave_out: Collection[str | None] = ()) -> str:
    """The settings as one comparable string."""
    kept = {name: value for name, value in measurement.settings.items() if name not in leave_out}
    return json.dumps(kept, sort_keys=True, default=str)
