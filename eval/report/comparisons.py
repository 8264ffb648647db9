"""Every way against plain prompting and the longest few-shot prompt, with marks that allow for their number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from eval.curve import Way, compare, item_scores, plain_prompting
from eval.report.words import prompted_most
from eval.stats.components import Components, components
from eval.stats.equivalence import equivalence
from eval.stats.mcnemar import McNemar, mcnemar
from eval.stats.multiple import benjamini_hochberg, holm
from eval.stats.paired import Difference, of_seeds
from eval.stats.power import corrected

MARGIN = 0.05  # scores closer than this count as equal for all practical purposes
POWER = 0.8
MARKS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
Against = Literal["plain prompting", "few-shot"]

COMPARISON_COLUMNS = (
    "subject", "task", "recipe", "settings", "examples", "num_seeds", "against", "other", "other_examples",
    "difference", "low", "high", "interval", "n", "p", "p_holm", "p_bh", "num_comparisons", "mark", "equivalent",
    "margin", "cohens_h", "only_way_right", "only_other_right", "odds_ratio", "odds_low", "odds_high",
    "smallest_effect",
)  # fmt: skip


class Gains:
    """Paired differences of ways, each worked out once however often it is asked for; the ways must outlive it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Difference] = {}

    def __call__(self, way: Way, other: Way) -> Difference:
        """How much higher `way` scores than `other`, paired by item."""
        key = id(way), id(other)
        if key not in self._known:
            self._known[key] = compare(way, other)
        return self._known[key]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One way set against another on the same items.

    `p_holm` and `p_bh` allow for all comparisons of the study, the interval of `gain` for none. `equivalent` is
    whether the 90% interval lies within the margin. `odds` is there for right-or-wrong answers of one seed each;
    `clustered` says that its interval, which takes items to be independent, does not hold. `noise` is what items and
    either side's seeds add to the variance of the difference.
    """

    way: Way
    other: Way
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
        level, (items, *sides) = corrected(0.95, comparisons), self.noise
        squared = items.squared_half_width(level) + of_seeds(sides, level)
        error = (items.items + sum(side.seeds for side in sides)) ** 0.5
        of_power = NormalDist().inv_cdf(POWER)
        factor, units = items.items_quantile(level) + of_power, items.num_items / items.kish
        return float(min(1.0, max(squared**0.5 + of_power * error, factor**2 / (units + factor**2))))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of a subject and task in the table: against plain prompting, and against the longest prompt."""

    way: Way
    plain: Comparison | None
    prompted: Comparison | None


def compared(pairs: Sequence[Sequence[Way]], gains: Gains) -> tuple[Comparison, ...]:
    """Every comparison of a study, p values adjusted over all of them; `pairs` are the ways of a subject and task."""
    found = []
    for ways in pairs:
        plain, prompted = plain_prompting(ways), prompted_most(ways)
        for way in sorted(ways, key=_place):
            if plain is not None and way is not plain:
                found.append(_comparison(way, plain, "plain prompting", gains))
            if prompted is not None and way is not prompted and way is not plain:
                found.append(_comparison(way, prompted, "few-shot", gains))
    ps = [each.gain.p for each in found if each.gain.p is not None]
    adjusted = zip(found, holm(ps), benjamini_hochberg(ps), strict=True)
    return tuple(replace(each, p_holm=float(strict), p_bh=float(shared)) for each, strict, shared in adjusted)


def table(comparisons: Sequence[Comparison]) -> list[list[Row]]:
    """One group of rows per task and subject, one row per way."""
    groups: dict[tuple[str, str], dict[int, dict[Against, Comparison]]] = {}
    for each in comparisons:
        ways = groups.setdefault((each.way.task, each.way.subject), {})
        ways.setdefault(id(each.way), {})[each.against] = each
    return [
        [
            Row(way=next(iter(kinds.values())).way, plain=kinds.get("plain prompting"), prompted=kinds.get("few-shot"))
            for kinds in ways.values()
        ]
        for ways in groups.values()
    ]


def without(pairs: Sequence[Sequence[Way]]) -> list[str]:
    """Subjects and tasks of which some comparison is missing, and why."""
    said = []
    for ways in pairs:
        where = f"{ways[0].subject} on {ways[0].task}"
        if plain_prompting(ways) is None:
            said.append(f"{where}: plain prompting was not measured, so nothing is compared with it.")
        if len(ways) == 1:
            said.append(f"{where}: only {ways[0].name} was measured, so there is nothing to compare.")
    return said


def power_statements(comparisons: Sequence[Comparison]) -> list[str]:
    """One sentence per task: the smallest difference from plain prompting that this study could have found."""
    tasks: dict[str, list[Comparison]] = {}
    for each in comparisons:
        if each.against == "plain prompting":
            tasks.setdefault(each.way.task, []).append(each)
    said = []
    for task, mine in tasks.items():
        seeds = sorted({each.way.num_seeds for each in mine})
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
                    each.way.subject, each.way.task, each.way.recipe, each.way.settings, each.way.examples,
                    each.way.num_seeds, each.against, each.other.recipe, each.other.examples, each.gain.difference,
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


def odds_words(comparison: Comparison) -> str:
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


def _comparison(way: Way, other: Way, against: Against, gains: Gains) -> Comparison:
    (ours, theirs), clusters = item_scores(way.measurements, other.measurements)
    standing = [name for name in clusters if name is not None]
    clustered = len(set(standing)) < len(standing)
    binary = len(ours) == len(theirs) == 1 and all(np.isin(side, (0, 1)).all() for side in (ours, theirs))
    return Comparison(
        way=way,
        other=other,
        against=against,
        gain=gains(way, other),
        p_holm=1.0,
        p_bh=1.0,
        equivalent=equivalence(ours, theirs, MARGIN, clusters, spreads=(way.spread, other.spread)).equivalent,
        cohens_h=2 * (math.asin(float(ours.mean()) ** 0.5) - math.asin(float(theirs.mean()) ** 0.5)),
        odds=mcnemar(ours[0], theirs[0]) if binary else None,
        clustered=clustered,
        noise=(
            components((ours.mean(axis=0) - theirs.mean(axis=0))[None, :], clusters),
            components(ours, clusters, way.spread),
            components(theirs, clusters, other.spread),
        ),
    )


def _place(way: Way) -> tuple[bool, str, str, int]:
    return way.elicitation_flops > 0, way.method, way.settings, way.examples


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _odds(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def _ranged(counts: Sequence[int], noun: str) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,} {noun}{'' if least == 1 else 's'}" if least == most else f"{least:,} to {most:,} {noun}s"
