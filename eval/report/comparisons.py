"""Comparisons: those that the study names as primary, and every condition against zero-shot and the longest prompt."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np

from educe.eval.analysis.conditions import (
    Compare,
    Condition,
    compare,
    most_shots,
    ordered,
    plain_prompting,
    sides_of,
)
from educe.eval.analysis.controls import KINDS, Kind, control_kind, controlled, is_control, without_controls
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.looks import Looks
from educe.eval.analysis.primary import Family, Pair, family_sizes, known_of, listing_of, planned_pairs
from educe.eval.analysis.statistics.equivalence import equivalence_p
from educe.eval.analysis.statistics.mcnemar import McNemar, mcnemar
from educe.eval.analysis.statistics.multiple import benjamini_hochberg, bonferroni_level, holm
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.statistics.power import detectable_difference
from educe.eval.analysis.statistics.resample import Clusters, independent_items
from educe.eval.analysis.statistics.variance import Side, Variance, contrast_variance
from educe.eval.measurement import Failure
from educe.eval.report.text import RUNS_MARK, odds_text, range_text, share_text

MARGIN = 0.05  # scores closer than this count as equal for all practical purposes
POWER = 0.8
ALPHA = 0.05  # family-wise
Against = Literal["zero-shot", "few-shot", "another recipe"] | Kind


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One condition against another on the same items.

    `p_adjusted` is corrected for the `family_size` comparisons of the family, by Holm or, where it is exploratory, by
    Benjamini and Hochberg; None where there are too few seeds to test the recipe (`testable`). The interval of `gain`
    is not corrected. `p_equivalent` is that of a difference within the margin, adjusted for looks. `odds` is there for
    right-or-wrong answers of one seed each; where `clustered`, its interval does not hold, because it takes items to be
    independent. `variance` is that of the difference, over `units` independent items.
    """

    condition: Condition
    other: Condition
    against: Against
    gain: Difference
    family: Family
    family_size: int = 1
    p_adjusted: float | None = None
    p_equivalent: float
    cohens_h: float
    odds: McNemar | None
    clustered: bool
    variance: Variance
    units: float

    @property
    def testable(self) -> bool:
        """Whether both sides have the seeds that a test of the recipe takes."""
        return self.condition.testable and self.other.testable

    @property
    def significant(self) -> bool:
        """Whether the two differ at a family-wise error rate of 5%; never so where not corrected or of runs alone."""
        return self.family in _WITH_STARS and self.p_adjusted is not None and self.p_adjusted < ALPHA

    @property
    def equivalent(self) -> bool:
        """Whether the two differ by less than the margin (5%, this comparison alone); never so where no star can be."""
        return self.testable and self.family in _WITH_STARS and self.p_equivalent < ALPHA

    @property
    def mark(self) -> str:
        """A star where the two differ, "=" where they are equivalent (both can be true), a dagger for runs alone."""
        marks = {"*": self.significant, "=": self.equivalent, RUNS_MARK: self.gain.estimand == "runs"}
        return " ".join(mark for mark, holds in marks.items() if holds)

    @property
    def odds_interval(self) -> tuple[float, float] | None:
        return None if self.odds is None or self.clustered else (self.odds.low, self.odds.high)

    def min_detectable_effect(self, *, comparisons: int = 1) -> float:
        """The difference that would have been found with 80% power at 5%, corrected for so many comparisons."""
        return detectable_difference(self.variance, self.units, level=bonferroni_level(0.95, comparisons), power=POWER)


_WITH_STARS: tuple[Family, ...] = ("primary", "all")
_ADJUSTED_BY: dict[Family, str] = {
    "primary": "Holm",
    "exploratory": "Benjamini-Hochberg",
    "all": "Holm",
    "control": "not adjusted",
}
COMPARISON_COLUMNS: dict[str, Callable[[Comparison], Any]] = {
    "model": lambda each: each.condition.model,
    "task": lambda each: each.condition.task,
    "recipe": lambda each: each.condition.recipe,
    "settings": lambda each: each.condition.settings,
    "examples": lambda each: each.condition.examples,
    "num_seeds": lambda each: each.condition.num_seeds,
    "against": lambda each: each.against,
    "other": lambda each: each.other.recipe,
    "other_examples": lambda each: each.other.examples,
    "difference": lambda each: each.gain.difference,
    "low": lambda each: each.gain.low,
    "high": lambda each: each.gain.high,
    "interval": lambda each: each.gain.kind,
    "n": lambda each: each.gain.n,
    "p": lambda each: each.gain.p if each.testable else None,
    "estimand": lambda each: each.gain.estimand,
    "family": lambda each: each.family,
    "family_size": lambda each: each.family_size,
    "p_adjusted": lambda each: each.p_adjusted,
    "adjusted_by": lambda each: _ADJUSTED_BY[each.family],
    "mark": lambda each: each.mark,
    "equivalent": lambda each: each.equivalent,
    "margin": lambda each: MARGIN,
    "cohens_h": lambda each: each.cohens_h,
    "only_condition_right": lambda each: each.odds and each.odds.only_a,
    "only_other_right": lambda each: each.odds and each.odds.only_b,
    "odds_ratio": lambda each: each.odds and each.odds.odds_ratio,
    "odds_low": lambda each: each.odds_interval and each.odds_interval[0],
    "odds_high": lambda each: each.odds_interval and each.odds_interval[1],
    "min_detectable_effect": lambda each: each.min_detectable_effect(),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One condition in the table: against zero-shot, the longest prompt, and what its rows alone teach."""

    condition: Condition
    plain: Comparison | None
    few_shot: Comparison | None
    control: Comparison | None


def compare_all(
    pairs: Sequence[Sequence[Condition]],
    gains: Compare = compare,
    primary: Sequence[Pair] = (),
    *,
    failures: Sequence[Failure] = (),
    looks: Looks | None = None,
) -> tuple[Comparison, ...]:
    """Every comparison of a study with its adjusted p value; `pairs` are the conditions by task and model.

    Families are those of the study's list, with the conditions that only `failures` know. `gains` are adjusted for the
    `looks` already. A control is compared with where the study names that, and never compared itself.
    """
    found = [each for conditions in pairs for each in _compared(conditions, gains, primary, looks)]
    sizes = family_sizes(listing_of((each for conditions in pairs for each in conditions), failures), primary)
    adjusted: dict[int, Comparison] = {}
    for family, size in sizes.items():
        members = [i for i, each in enumerate(found) if each.family == family]
        # What was planned and cannot be tested counts as a test that found nothing: no family shrinks by failures.
        ps = [_testable_p(found[i]) for i in members] + [1.0] * (size - len(members))
        corrected = benjamini_hochberg(ps) if family == "exploratory" else holm(ps)
        for i, p in zip(members, corrected, strict=False):
            known = float(p) if found[i].testable else None
            adjusted[i] = replace(found[i], p_adjusted=known, family_size=len(ps))
    return tuple(adjusted[i] for i in range(len(found)))


def primary_table(comparisons: Sequence[Comparison]) -> list[list[Comparison]]:
    """The primary comparisons, one group per task and model."""
    primary = [each for each in comparisons if each.family == "primary"]
    return [list(group) for _, group in groupby(primary, key=lambda each: (each.condition.task, each.condition.model))]


def compare_with_controls(
    pairs: Sequence[Sequence[Condition]], gains: Compare = compare, looks: Looks | None = None
) -> list[Comparison]:
    """Every trained condition against the best control at its budget, where there is one; nothing is tested."""
    return [
        _comparison(condition, control, kind, gains, looks, family="control")
        for conditions in pairs
        for condition, control in controlled(conditions).items()
        if (kind := control_kind(control)) is not None
    ]


def comparison_table(comparisons: Sequence[Comparison]) -> list[list[Row]]:
    """The comparisons with zero-shot, few-shot and controls: one group per task and model, one row per condition."""
    table = []
    standard = [each for each in comparisons if each.against != "another recipe"]
    standard.sort(key=lambda each: (each.condition.task, each.condition.model))
    for _, group in groupby(standard, key=lambda each: (each.condition.task, each.condition.model)):
        rows: dict[Condition, dict[Against, Comparison]] = {}
        for each in group:
            rows.setdefault(each.condition, {})[each.against] = each
        table.append(
            [
                Row(
                    condition=condition,
                    plain=row.get("zero-shot"),
                    few_shot=row.get("few-shot"),
                    control=next((row[kind] for kind in KINDS if kind in row), None),
                )
                for condition, row in rows.items()
            ]
        )
    return table


def missing_comparisons(
    pairs: Sequence[Sequence[Condition]], primary: Sequence[Pair] = (), failures: Sequence[Failure] = ()
) -> list[str]:
    """Models and tasks with a comparison missing, and why."""
    lines = []
    measured = {(pair[0].task, pair[0].model): {known_of(each) for each in pair} for pair in pairs}
    listing = listing_of((each for pair in pairs for each in pair), failures)
    planned = planned_pairs(listing, primary)
    for (task, model), knowns in listing.items():
        here = measured.get((task, model), set())
        lines += [
            f"{model} on {task}: the primary comparison of {first} with {second} was not measured in full. It counts "
            "as one that found no difference."
            for first, second in planned[task, model]
            if not {first, second} <= here
        ]
        if missing := len(knowns - here):
            lines.append(
                f"{model} on {task}: {format_count(missing, 'condition')} without a result. Comparisons with them "
                "count as ones that found no difference."
            )
    for conditions in pairs:
        where = f"{conditions[0].model} on {conditions[0].task}"
        if plain_prompting(conditions) is None:
            lines.append(f"{where}: the zero-shot baseline was not measured, so nothing is compared with it.")
        candidates = without_controls(conditions)
        if len(candidates) == 1:
            lines.append(f"{where}: only {candidates[0].name} was measured, so there is nothing to compare.")
    return lines


def power_statements(comparisons: Sequence[Comparison]) -> list[str]:
    """For each task, the minimum detectable effect of the primary comparisons, or else of those with zero-shot."""
    tasks: dict[str, list[Comparison]] = {}
    for each in comparisons:
        if each.family == "primary" or (each.family == "all" and each.against == "zero-shot"):
            tasks.setdefault(each.condition.task, []).append(each)
    return [_power_statement(task, mine) for task, mine in tasks.items()]


def _power_statement(task: str, comparisons: Sequence[Comparison]) -> str:
    seeds = range_text([each.condition.num_seeds for each in comparisons], "seed")
    where = f"{task} ({range_text([each.gain.n for each in comparisons], 'item')}, {seeds})"
    of = "of the primary comparisons" if comparisons[0].family == "primary" else "against zero-shot"
    alone = sorted(each.min_detectable_effect() for each in comparisons)
    middle = len(alone) // 2
    if alone[middle] >= 1:
        return f"{where}: no difference, however large, would have been detected reliably."
    several = (
        f" (median of {len(alone)} comparisons, which range from {share_text(alone[0])} to {share_text(alone[-1])})"
    )
    text = (
        f"{where}: the minimum detectable effect {of} is {share_text(alone[middle])} points"
        f"{several if len(alone) > 1 else ''}, with 80% power at the 5% level, each comparison alone."
    )
    total = comparisons[0].family_size
    if total > 1:
        strict = sorted(each.min_detectable_effect(comparisons=total) for each in comparisons)[middle]
        points = "no difference is detectable" if strict >= 1 else f"it is {share_text(strict)} points"
        kind = "primary " if comparisons[0].family == "primary" else ""
        text += f" With the strictest correction for all {total} {kind}comparisons, {points}."
    return f"{text} Smaller differences may exist undetected."


def comparison_odds(comparison: Comparison) -> str:
    """How many items only one side got right, their ratio, and its interval where items are independent."""
    odds, ends = comparison.odds, comparison.odds_interval
    if odds is None:
        return "–"
    counts = f"{odds.only_a}:{odds.only_b}"
    if odds.odds_ratio is None:
        return counts
    interval = "" if ends is None else f" [{odds_text(ends[0])}, {odds_text(ends[1])}]"
    return f"{counts} = {odds_text(odds.odds_ratio)}{interval}"


def _compared(
    conditions: Sequence[Condition], gains: Compare, primary: Sequence[Pair], looks: Looks | None
) -> list[Comparison]:
    """The comparisons of one model and task. Those with zero-shot or few-shot are that way round, primary or not."""
    plain, shown, by_name = (
        plain_prompting(conditions),
        most_shots(conditions),
        {known_of(each): each for each in conditions},
    )
    wanted: dict[tuple[Condition, Condition], Against] = {}
    for condition in sorted(ordered(without_controls(conditions)), key=lambda each: each.elicitation_flops > 0):
        if plain is not None and condition is not plain:
            wanted[condition, plain] = "zero-shot"
        if shown is not None and condition is not shown and condition is not plain:
            wanted[condition, shown] = "few-shot"
    named = []
    for first, second in primary:
        if {first, second} <= by_name.keys() and not is_control(by_name[first]):
            pair = by_name[first], by_name[second]
            named.append(pair[::-1] if pair[::-1] in wanted else pair)
            wanted.setdefault(named[-1], "another recipe")
    rest: Family = "exploratory" if primary else "all"
    return [
        _comparison(*each, against, gains, looks, family="primary" if each in named else rest)
        for each, against in wanted.items()
    ]


def _testable_p(comparison: Comparison) -> float:
    """The p value, or 1 where there are too few seeds to test the recipe."""
    p = comparison.gain.p
    return p if p is not None and comparison.testable else 1.0


def _p_equivalent(ours: Side, theirs: Side, clusters: Clusters, adjust: Callable[[float], float]) -> float:
    """The p value of a difference within the margin, adjusted for looks; 1 where no answer changed.

    A recipe that was never applied gives the same answers, so they show nothing of it.
    """
    if np.allclose(ours.items, theirs.items, rtol=0, atol=1e-12):
        return 1.0
    p = equivalence_p(ours, theirs, MARGIN, clusters)
    # Levels of looks are those of a test with two sides, and this is the larger p of two tests with one side each.
    return adjust(2 * p) / 2 if p < ALPHA else p


def _comparison(
    condition: Condition, other: Condition, against: Against, gains: Compare, looks: Looks | None, *, family: Family
) -> Comparison:
    (ours, theirs), clusters = sides_of(condition.measurements, other.measurements)
    named = [name for name in clusters if name is not None]
    runs = ours.scores, theirs.scores
    binary = len(runs[0]) == len(runs[1]) == 1 and all(np.isin(side, (0, 1)).all() for side in runs)

    def adjust(p: float) -> float:
        return p if looks is None else looks.adjust(p, condition, other)

    return Comparison(
        condition=condition,
        other=other,
        against=against,
        family=family,
        gain=gains(condition, other),
        p_equivalent=_p_equivalent(ours, theirs, clusters, adjust),
        cohens_h=2 * (math.asin(float(runs[0].mean()) ** 0.5) - math.asin(float(runs[1].mean()) ** 0.5)),
        odds=mcnemar(runs[0][0], runs[1][0]) if binary else None,
        clustered=len(set(named)) < len(named),
        variance=contrast_variance((ours, theirs), (1.0, -1.0), clusters),
        units=independent_items(clusters),
    )
