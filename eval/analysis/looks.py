"""Looks at a study's results: what they leave of the error that may be made, and what nothing can be confirmed of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from educe.eval.analysis.conditions import Compare, Condition, compare
from educe.eval.analysis.statistics.looks import adjusted_by_parts, adjusted_for_looks, spent
from educe.eval.analysis.statistics.paired import Difference

# Seeds by condition: what decides a cell but its seed has an id.
Seeds = Mapping[str, frozenset[int]]
_LEAST = 1e-300  # what is left where nothing is: see `Looks.left`
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Look:
    """What stood when somebody looked: the seeds that the study listed, and those that had results."""

    listed: Seeds
    stood: Seeds


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The looks at a study in their order, and the plan where one was fixed.

    `earlier` are those on record; the present one is among them where the same results were looked at before. The plan
    came after the first `looks_before` of them. Without a plan, and for conditions that were looked at before it, the
    seeds that were listed at the first look at a condition are planned. `ids` are the conditions' ids by the key of
    each cell that has a result. `lost` says why earlier looks are not known. `unlisted` are seeds with a result that
    the study does not list: whoever chose among them may have seen their scores.
    """

    ids: Mapping[str, str]
    now: Look
    earlier: Sequence[Look] = ()
    plan: Seeds | None = None
    looks_before: int = 0
    lost: str = ""
    unlisted: Seeds = field(default_factory=dict)

    def exploratory(self, *conditions: Condition) -> str:
        """Why nothing can be confirmed of these conditions any more; empty where something can."""
        if self.lost:
            return "the record of earlier looks is lost"
        for each in self._ids(conditions):
            planned = self._planned.get(each, _NONE)
            if self.unlisted.get(each):
                return "has results of other seeds beside it, which the study does not list"
            if not planned:
                return "not in the plan"
            if not self.now.stood[each] <= planned:
                late = self.plan is not None and planned != self.plan[each]
                return "was looked at before the plan, which adds seeds" if late else "has seeds beyond the plan"
            if any(not look.stood.get(each, _NONE) & planned <= self.now.stood[each] for look in self.earlier):
                return "results that an earlier look saw are gone"
        return ""

    def adjust(self, p: float, *conditions: Condition) -> float:
        """The p value of a comparison of these conditions, adjusted for all looks at it: see `adjusted_for_looks`.

        Of several tasks an earlier look may have shown fewer, so that its test was another one: see
        `adjusted_by_parts`. 1 where it is exploratory: no error is left that a test may make.
        """
        if self.exploratory(*conditions):
            return 1.0
        if len({each.task for each in conditions}) > 1:
            return adjusted_by_parts(p, *self._shares_before_and_now)
        ids = self._ids(conditions)
        share = self._information(self.now, ids)
        seen = [look for look in self.earlier if all(look.stood.get(each, _NONE) & self._planned[each] for each in ids)]
        return adjusted_for_looks(p, sorted({self._information(look, ids) for look in seen} - {share}), share)

    def left(self, *conditions: Condition, alpha: float = 0.05) -> float:
        """The part of an error of `alpha` that claims about these conditions, all together, may make at this look.

        What is spent at one look is lost at the others (Bonferroni), so that it holds whatever the claims' tests are.
        A condition of which nothing can be confirmed any more takes its part along. Never 0, which has no quantile:
        where little or nothing is left (an early look; earlier ones that saw all that was planned) it is as small as
        1e-300, and no claim can be made.
        """
        if not conditions:
            return alpha
        standing = self._standing[-1]
        mine = [each for each in self._ids(conditions) if each in standing]
        before, now = self._shares_before_and_now
        part = (spent(now, alpha) - spent(before, alpha)) * len(mine) / max(1, len(standing))
        return max(part, _LEAST)

    def _ids(self, conditions: Sequence[Condition]) -> list[str]:
        cells = [each.provenance.cell for condition in conditions for each in condition.measurements]
        return sorted({self.ids[cell] for cell in cells})

    @property
    def _planned(self) -> Seeds:
        return self._plans[-1]

    @cached_property
    def _plans(self) -> list[Seeds]:
        """The planned seeds of every condition, as they were known at each look; the present one is the last."""
        seen: dict[str, frozenset[int]] = {}  # without a plan, the seeds listed at the first look at a condition
        plans: list[Seeds] = []
        for place, look in enumerate((*self.earlier, self.now)):
            if self.plan is not None and place >= self.looks_before:
                plans.append({each: seen.get(each, seeds) for each, seeds in self.plan.items()})
            else:
                found = {each: look.listed.get(each, _NONE) for each, seeds in look.stood.items() if seeds}
                seen = found | seen
                plans.append({**look.listed, **seen})
        return plans

    @cached_property
    def _standing(self) -> list[Seeds]:
        """The planned seeds of each condition that stood at each look, without conditions that had none."""
        return [
            {each: look.stood[each] & seeds for each, seeds in plan.items() if look.stood.get(each, _NONE) & seeds}
            for look, plan in zip((*self.earlier, self.now), self._plans, strict=True)
        ]

    @cached_property
    def _shares_before_and_now(self) -> tuple[float, float]:
        """The largest share of all planned cells that an earlier look saw, and that of the present one or more.

        Looks at the same planned results are one, with the share that was planned when they were first looked at.
        """
        shares = [
            sum(map(len, stood.values())) / max(1, sum(map(len, plan.values())))
            for stood, plan in zip(self._standing, self._plans, strict=True)
        ]
        first = self._standing.index(self._standing[-1])
        before = max(shares[:first], default=0.0)
        return before, max(before, shares[first])

    def _information(self, look: Look, ids: Sequence[str]) -> float:
        """The information fraction of a difference of means: 1 / (seeds), summed, planned over what stood.

        Jennison & Turnbull (2000) for two groups of unequal size. A condition with one planned seed is whole whenever
        it is seen, and says nothing of the share.
        """
        planned = {each: self._planned[each] for each in ids if len(self._planned[each]) > 1}
        if not planned:
            return 1.0
        stood = sum(1 / len(look.stood[each] & seeds) for each, seeds in planned.items())
        return sum(1 / len(seeds) for seeds in planned.values()) / stood


def at_this_look(looks: Looks | None, gains: Compare = compare) -> Compare:
    """`gains` with p values that are adjusted for the looks."""
    if looks is None:
        return gains

    def adjusted(condition: Condition, other: Condition) -> Difference:
        gain = gains(condition, other)
        return gain if gain.p is None else replace(gain, p=looks.adjust(gain.p, condition, other))

    return adjusted


def confirmable(looks: Looks | None, conditions: Sequence[Condition]) -> tuple[list[Condition], list[str]]:
    """The conditions of which something can be confirmed, and for each reason why not a sentence with the others."""
    kept: list[Condition] = []
    others: dict[str, list[str]] = {}
    for each in conditions:
        if looks is not None and (reason := looks.exploratory(each)):
            others.setdefault(reason, []).append(f"{each.model} on {each.task}, {each.name}")
        else:
            kept.append(each)
    return kept, [
        f"Exploratory, {reason}: {names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''}."
        for reason, names in others.items()
    ]
