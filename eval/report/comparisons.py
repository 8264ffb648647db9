"""Every way against plain prompting and the longest few-shot prompt, with marks that allow for their number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from educe.eval.analysis.conditions import Condition, compare, item_scores, most_shots, plain_prompting
from educe.eval.analysis.statistics.components import Components, components
from educe.eval.analysis.statistics.equivalence import equivalent
from educe.eval.analysis.statistics.mcnemar import McNemar, mcnemar
from educe.eval.analysis.statistics.multiple import benjamini_hochberg, bonferroni_level, holm
from educe.eval.analysis.statistics.paired import Difference, seeds_squared_half_width

MARGIN = 0.05  # scores closer than this count as equal for all practical purposes
POWER = 0.8
MARKS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
Against = Literal["plain prompting", "few-shot"]

COMPARISON_COLUMNS = (
    "model", "task", "recipe", "settings", "examples", "num_seeds", "against", "other", "other_examples",
    "difference", "low", "high", "interval", "n", "p", "p_holm", "p_bh", "num_comparisons", "mark", "equivalent",
    "margin", "cohens_h", "only_way_right", "only_other_right", "odds_ratio", "odds_low", "odds_high",
    "smallest_effect",
)  # fmt: skip


class Gains:
    """Paired differences of ways, each worked out once however often it is asked for; the ways must outlive it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Difference] = {}

    def __call__(self, condition: Condition, other: Condition) -> Difference:
        """How much higher `way` scores than `other`, paired by item."""
        key = id(condition), id(other)
        if key not in self._known:
            self._known[key] = compare(condition, other)
        return self._known[key]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One way set against another on the same items.

    `p_holm` and `p_bh` allow for all comparisons of the study, the interval of `gain` for none. `equivalent` is
    whether the 90% interval lies within the margin. `odds` is there for right-or-wrong answers of one seed each;
    `clustered` says that its interval, which takes items to be independent, does not hold. `noise` is what items and
    either side's seeds add to the variance of the difference.
    """

    condition: Condition
    other: Condition
    against: Against
    gain: Difference
    p_holm: float
    p_bh: float
    equivalent: bool
    cohens_h: float
    odds: McNemar | None
    clustered: bool
    noise: tuple[Components, Components, Components]

    @property
    def significant(self) -> bool:
        """Whether the ways differ at 5%, allowing for all comparisons."""
        return self.p_holm < MARKS[-1][0]

    @property
    def mark(self) -> str:
        """Stars for how sure the difference is, then "=" where the ways are equivalent; both can be true."""
        stars = next((stars for level, stars in MARKS if self.p_holm < level), "")
        return " ".join(part for part in (stars, "=" if self.equivalent else "") if part)

    def smallest_effect(self, *, comparisons: int = 1) -> float:
        """The difference that would have been found with 80% power at 5%, corrected for so many comparisons.

        Half the width of its interval at that level, plus the quantile of the power times its standard error. Never
        below what so few items take: a difference d has a variance of d (1 - d) an item at least.
        """
        level, (items, *sides) = bonferroni_level(0.95, comparisons), self.noise
        squared = items.squared_half_width(level) + seeds_squared_half_width(sides, level)
        error = (items.items + sum(side.seeds for side in sides)) ** 0.5
        of_power = NormalDist().inv_cdf(POWER)
        factor, units = items.items_quantile(level) + of_power, items.num_items / items.mean_cluster_size
        return float(min(1.0, max(squared**0.5 + of_power * error, factor**2 / (units + factor**2))))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of a model and task in the table: against plain prompting, and against the longest prompt."""

    condition: Condition
    plain: Comparison | None
    prompted: Comparison | None


def compared(pairs: Sequence[Sequence[Condition]], gains: Gains) -> tuple[Comparison, ...]:
    """Every comparison of a study, p values adjusted over all of them; `pairs` are the ways of a model and task."""
    found = []
    for conditions in pairs:
        plain, prompted = plain_prompting(conditions), most_shots(conditions)
        for condition in sorted(conditions, key=_place):
            if plain is not None and condition is not plain:
                found.append(_comparison(condition, plain, "plain prompting", gains))
            if prompted is not None and condition is not prompted and condition is not plain:
                found.append(_comparison(condition, prompted, "few-shot", gains))
    ps = [each.gain.p for each in found if each.gain.p is not None]
    adjusted = zip(found, holm(ps), benjamini_hochberg(ps), strict=True)
    return tuple(replace(each, p_holm=float(strict), p_bh=float(shared)) for each, strict, shared in adjusted)


def table(comparisons: Sequence[Comparison]) -> list[list[Row]]:
    """One group of rows per task and model, one row per way."""
    groups: dict[tuple[str, str], dict[int, dict[Against, Comparison]]] = {}
    for each in comparisons:
        conditions = groups.setdefault((each.condition.task, each.condition.model), {})
        conditions.setdefault(id(each.condition), {})[each.against] = each
    return [
        [
            Row(
                condition=next(iter(kinds.values())).condition,
                plain=kinds.get("plain prompting"),
                prompted=kinds.get("few-shot"),
            )
            for kinds in conditions.values()
        ]
        for conditions in groups.values()
    ]


def without(pairs: Sequence[Sequence[Condition]]) -> list[str]:
    """Models and tasks of which some comparison is missing, and why."""
    said = []
    for conditions in pairs:
        where = f"{conditions[0].model} on {conditions[0].task}"
        if plain_prompting(conditions) is None:
            said.append(f"{where}: plain prompting was not measured, so nothing is compared with it.")
        if len(conditions) == 1:
            said.append(f"{where}: only {conditions[0].name} was measured, so there is nothing to compare.")
    return said


def power_statements(comparisons: Sequence[Comparison]) -> list[str]:
    """One sentence per task: the smallest difference from plain prompting that this study could have found."""
    tasks: dict[str, list[Comparison]] = {}
    for each in comparisons:
        if each.against == "plain prompting":
            tasks.setdefault(each.condition.task, []).append(each)
    said = []
    for task, mine in tasks.items():
        seeds = sorted({each.condition.num_seeds for each in mine})
        asked = f"{task}: with {_ranged([each.gain.n for each in mine], 'item')} and {_ranged(seeds, 'seed')}"
        alone = sorted(each.smallest_effect() for each in mine)
        middle = len(mine) // 2
        if alone[middle] >= 1:
            said.append(f"{asked} no difference from plain prompting, however large, would have been found reliably.")
            continue
        strict = sorted(each.smallest_effect(comparisons=len(comparisons)) for each in mine)[middle]
        ends = f"{_points(alone[0])} to {_points(alone[-1])}"
        spread = f" in the middle comparison of {len(mine)} (from {ends} over all of them)" if len(mine) > 1 else ""
        beyond = "none at all" if strict >= 1 else _points(strict)
        corrected_too = f"; after the strictest correction for all {len(comparisons)} comparisons, {beyond}"
        said.append(
            f"{asked} a true difference of {_points(alone[middle])} points from plain prompting{spread} would have "
            "been found with 80% power at the 5% level, each comparison alone"
            f"{corrected_too if len(comparisons) > 1 else ''}. Smaller differences may be there unseen."
        )
    return said


def comparison_rows(comparisons: Sequence[Comparison]) -> list[Mapping[str, Any]]:
    """One row per comparison with the columns COMPARISON_COLUMNS; what does not apply is None."""
    return [
        dict(
            zip(
                COMPARISON_COLUMNS,
                (
                    each.condition.model, each.condition.task, each.condition.recipe, each.condition.settings, each.condition.examples,
                    each.condition.num_seeds, each.against, each.other.recipe, each.other.examples, each.gain.difference,
                    each.gain.low, each.gain.high, each.gain.kind, each.gain.n, each.gain.p, each.p_holm, each.p_bh,
                    len(comparisons), each.mark, each.equivalent, MARGIN, each.cohens_h,
                    each.odds and each.odds.only_a, each.odds and each.odds.only_b,
                    each.odds and each.odds.odds_ratio,
                    None if each.clustered else each.odds and each.odds.low,
                    None if each.clustered else each.odds and each.odds.high, each.smallest_effect(),
                ),
                strict=True,
            )
        )
        for each in comparisons
    ]  # fmt: skip


def format_odds(comparison: Comparison) -> str:
    """How many items only one side got right, their ratio, and its interval where items are independent."""
    odds = comparison.odds
    if odds is None:
        return "–"
    said = f"{odds.only_a}:{odds.only_b}"
    if odds.odds_ratio is None:
        return said
    interval = "" if comparison.clustered else f" [{_odds(odds.low)}, {_odds(odds.high)}]"
    return f"{said} = {_odds(odds.odds_ratio)}{interval}"


def p_value(p: float) -> str:
    """A p value for tables."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def _comparison(condition: Condition, other: Condition, against: Against, gains: Gains) -> Comparison:
    (ours, theirs), clusters = item_scores(condition.measurements, other.measurements)
    standing = [name for name in clusters if name is not None]
    clustered = len(set(standing)) < len(standing)
    binary = len(ours) == len(theirs) == 1 and all(np.isin(side, (0, 1)).all() for side in (ours, theirs))
    return Comparison(
        condition=condition,
        other=other,
        against=against,
        gain=gains(condition, other),
        p_holm=1.0,
        p_bh=1.0,
        equivalent=equivalent(
            ours, theirs, MARGIN, clusters, seed_variances=(condition.seed_variance, other.seed_variance)
        ),
        cohens_h=2 * (math.asin(float(ours.mean()) ** 0.5) - math.asin(float(theirs.mean()) ** 0.5)),
        odds=mcnemar(ours[0], theirs[0]) if binary else None,
        clustered=clustered,
        noise=(
            components((ours.mean(axis=0) - theirs.mean(axis=0))[None, :], clusters),
            components(ours, clusters, condition.seed_variance),
            components(theirs, clusters, other.seed_variance),
        ),
    )


def _place(condition: Condition) -> tuple[bool, str, str, int]:
    return condition.elicitation_flops > 0, condition.method, condition.settings, condition.examples


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _odds(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def _ranged(counts: Sequence[int], noun: str) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,} {noun}{'' if least == 1 else 's'}" if least == most else f"{least:,} to {most:,} {noun}s"
