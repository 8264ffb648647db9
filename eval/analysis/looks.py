"""Looks at a study's results: what they leave of the error that may be made, and what nothing can be confirmed of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from educe.eval.analysis.conditions import Compare, Condition, compare
from educe.eval.analysis.statistics.looks import adjusted_for_looks, spent
from educe.eval.analysis.statistics.paired import Difference

# Seeds by condition: what decides a cell but its seed has an id.
Seeds = Mapping[str, frozenset[int]]
_LEAST = 1e-300  # an early look may spend less than a number can hold, and a level of 0 has no quantile
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Look:
    """What stood when somebody looked: the seeds that the study listed, and those that had results."""

    listed: Seeds
    stood: Seeds


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The looks at a study in their order, without the present one, and the plan where one was fixed before any.

    Without a plan, the seeds that were listed when a condition was first looked at are planned. `ids` are the
    conditions' ids by the key of each cell that has a result. `lost` says why earlier looks are not known.
    """

    ids: Mapping[str, str]
    now: Look
    earlier: Sequence[Look] = ()
    plan: Seeds | None = None
    lost: str = ""

    def exploratory(self, *conditions: Condition) -> str:
        """Why nothing can be confirmed of these conditions any more; empty where something can."""
        if self.lost:
            return "the record of earlier looks is lost"
        for each in self._ids(conditions):
            planned = self._planned(each)
            if not planned:
                return "not in the plan"
            if not self.now.stood[each] <= planned:
                return "has seeds beyond the plan"
            if any(not look.stood.get(each, _NONE) & planned <= self.now.stood[each] for look in self.earlier):
                return "results that an earlier look saw are gone"
        return ""

    def adjust(self, p: float, *conditions: Condition) -> float:
        """The p value of a comparison of these conditions, adjusted for all looks at it: see `adjusted_for_looks`.

        1 where it is exploratory: no error is left that a test may make.
        """
        if self.exploratory(*conditions):
            return 1.0
        ids = self._ids(conditions)
        share = self._information(self.now, ids)
        seen = [look for look in self.earlier if all(look.stood.get(each) for each in ids)]
        return adjusted_for_looks(p, sorted({self._information(look, ids) for look in seen} - {share}), share)

    def left(self, *conditions: Condition, alpha: float = 0.05) -> float:
        """The part of an error of `alpha` that claims about these conditions, all together, may make at this look.

        What is spent at one look is lost at the others (Bonferroni), so that it holds whatever the claims' tests are.
        """
        ids = self._ids(conditions)
        if not ids:
            return alpha
        cells = sum(len(self._planned(each)) for each in ids)
        shares = {self._stood(look, ids) / cells for look in (*self.earlier, self.now)}
        now = self._stood(self.now, ids) / cells
        before = max((spent(share, alpha) for share in shares if 0 < share < now), default=0.0)
        return max(spent(now, alpha) - before, _LEAST)

    def _ids(self, conditions: Sequence[Condition]) -> list[str]:
        cells = [each.provenance.cell for condition in conditions for each in condition.measurements]
        return sorted({self.ids[cell] for cell in cells})

    def _planned(self, condition: str) -> frozenset[int]:
        if self.plan is not None:
            return self.plan.get(condition, _NONE)
        return next((look for look in self.earlier if look.stood.get(condition)), self.now).listed[condition]

    def _stood(self, look: Look, ids: Sequence[str]) -> int:
        return sum(len(look.stood.get(each, _NONE) & self._planned(each)) for each in ids)

    def _information(self, look: Look, ids: Sequence[str]) -> float:
        """The information fraction of a difference of means: 1 / (seeds), summed, planned over what stood.

        Jennison & Turnbull (2000) for two groups of unequal size. A condition with one planned seed is whole whenever
        it is seen, and says nothing of the share.
        """
        grown = [each for each in ids if len(self._planned(each)) > 1]
        if not grown:
            return 1.0
        stood = sum(1 / len(look.stood[each] & self._planned(each)) for each in grown)
        return sum(1 / len(self._planned(each)) for each in grown) / stood


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
