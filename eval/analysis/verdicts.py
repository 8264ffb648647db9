"""Verdicts: was a gain elicited, so that the model could do it before, or did the rows teach it?

The rule is the same for all studies; how it came about is in docs/log.md. It speaks of one recipe on one model and
task, of its gain at the largest budget, and of the way there. The way begins at the floor: the zero-shot score, or
chance where that is higher. Half of the way is halfway from the floor to the score at the largest budget.

A gain is *elicited* where one of these is shown:
 early    a sixteenth of the rows or fewer go half of the way, and no learner from scratch does with all of them
 untold   training on random labels goes half of the way
 weak     training on a weaker model's labels goes half of the way and beats these labels, and no learner from scratch
          goes half of the way with the right ones
It was *taught* where both are shown: a sixteenth of the rows, eight at least, do not go half of the way (late: fewer
rows would open no lock either), and a learner from scratch keeps up (by the rows alone): at every budget it goes half
of the way to the score there, or the recipe itself is short of half of the way. Where neither is shown, or both are, it
is undetermined.

The rule ends where something else that a model knows makes it learn a new rule at once: that looks elicited. A lock
that opens as slowly as the rows teach, on a task that they do teach, looks taught.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Literal

import numpy as np
from scipy import special

from educe.eval.analysis.conditions import (
    Condition,
    compare,
    ordered,
    plain_prompting,
    rows_of,
    sides_of,
    trained,
    values_of,
)
from educe.eval.analysis.controls import TOLD, control_kind, learns_from_scratch, same_but
from educe.eval.analysis.statistics.paired import Difference, paired_difference
from educe.eval.analysis.statistics.resample import error_of, normal_quantile
from educe.eval.analysis.statistics.variance import MIN_TEST_SEEDS, Side

Answer = Literal["elicited", "taught", "undetermined", "no gain shown"]
Test = Literal["early", "untold", "weak", "late", "by the rows alone"]
ELICITED: tuple[Test, ...] = ("early", "untold", "weak")
TAUGHT: tuple[Test, ...] = ("late", "by the rows alone")
TESTS = (*ELICITED, *TAUGHT)
# Each side of a verdict is wrong with this probability at most, where the tests hold their level.
LEVEL = 0.05
# So many times fewer rows than the largest budget are few.
FEW = 16
# Fewer rows show nothing of what comes late, and random labels among so few answers are often the right ones.
LEAST = 8


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One test of a rule: by `margin` (a share of items, above 0 where it speaks for it), and its one-sided p.

    Of several comparisons that all have to hold, the weakest; of several of which one suffices, the strongest, its p
    times their number.
    """

    test: Test
    against: str
    margin: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of the gain of one recipe at its largest budget, and by which evidence."""

    condition: Condition
    floor: float
    gain: Difference | None
    answer: Answer
    evidence: tuple[Evidence, ...] = ()
    why: str = ""

    @property
    def missing(self) -> tuple[Test, ...]:
        """Tests without evidence: their controls were not run, or there was no gain to ask about."""
        return tuple(test for test in TESTS if self.of(test) is None)

    def of(self, test: Test) -> Evidence | None:
        """The evidence of a test."""
        return next((each for each in self.evidence if each.test == test), None)

    def holds(self, test: Test) -> bool:
        """Whether a test is passed at its share of the level."""
        found = self.of(test)
        return found is not None and found.p < _share(test, self.evidence)


def verdicts(conditions: Sequence[Condition]) -> list[Verdict]:
    """A verdict for every recipe that trains on labels and has a learner from scratch beside it on its model and task.

    Of one model and task.
    """
    plain = plain_prompting(conditions)
    scratch = [each for each in conditions if learns_from_scratch(each)]
    curves = groupby(
        sorted(trained(conditions), key=lambda each: (each.method, each.settings, each.examples)),
        key=lambda each: (each.method, each.settings),
    )
    made = []
    for _, curve in curves:
        budgets = [each for each in curve if _reads_right_labels(each)]
        if plain is not None and scratch and budgets:
            others = [each for each in ordered(conditions) if each is not budgets[-1] and not rows_of(each)]
            made.append(_verdict(budgets, plain, others))
    return made


# Settings that name other labels, other rows, or demonstrations before the rows.
_TOLD_OTHERWISE = ("labels_from", "random_labels", "rows_from", "context")


def _reads_right_labels(condition: Condition) -> bool:
    """Whether it learns from these alone: no stage from other labels or rows, and no shots."""
    settings = condition.measurements[0].settings
    others = [value for name in _TOLD_OTHERWISE for value in values_of(settings, name)]
    return condition.examples > 0 and not any(others)


def _verdict(budgets: Sequence[Condition], plain: Condition, others: Sequence[Condition]) -> Verdict:
    last = budgets[-1]
    tests = _Tests(last=last, plain=plain, budgets=budgets, others=others)
    made = Verdict(condition=last, floor=tests.floor, gain=None, answer="undetermined")
    if not last.testable:
        return replace(made, why=f"{last.num_seeds} of the {MIN_TEST_SEEDS} seeds that a test takes")
    made = replace(made, gain=compare(last, plain))
    if tests.p_of_gain() >= LEVEL:
        return replace(made, answer="no gain shown")
    return _answered(replace(made, evidence=tuple(each for each in tests.all() if each is not None)))


def _answered(verdict: Verdict) -> Verdict:
    elicited, taught = any(map(verdict.holds, ELICITED)), all(map(verdict.holds, TAUGHT))
    if elicited == taught:
        few = "" if "late" not in verdict.missing else f"; no budget of {LEAST} rows or more is 1/{FEW} of the largest"
        return replace(verdict, why=("both are shown" if elicited else "neither is shown") + few)
    return replace(verdict, answer="elicited" if elicited else "taught")


def _share(test: Test, evidence: Sequence[Evidence]) -> float:
    """The level of one test: any that passes is enough for *elicited*, so these share it."""
    return LEVEL if test in TAUGHT else LEVEL / sum(each.test in ELICITED for each in evidence)


@dataclass(frozen=True, kw_only=True)
class _Tests:
    """The tests of one gain: of `last`, over `plain`, beside the other conditions of its model and task."""

    last: Condition
    plain: Condition
    budgets: Sequence[Condition]
    others: Sequence[Condition]

    @property
    def floor(self) -> float:
        return max(self.plain.score, self.last.chance or 0.0)

    def p_of_gain(self) -> float:
        """Of no gain over zero-shot, or none over chance."""
        (ours, theirs), clusters = sides_of(self.last.measurements, self.plain.measurements)
        return max(_p(paired_difference(ours, floor, clusters)) for floor in (theirs, self._floor_side(theirs)))

    def all(self) -> list[Evidence | None]:
        return [self.early(), self.untold(), self.weak(), self.late(), self.by_the_rows()]

    def early(self) -> Evidence | None:
        few = self._few if self._behind else []
        return _strongest([_weakest("early", _named(each), [halfway, *self._behind]) for each, halfway in few])

    def untold(self) -> Evidence | None:
        found = [
            _weakest("untold", _named(each), [self._halfway(each)])
            for each in self.others
            if control_kind(each) == "random labels"
            and each.examples == self.last.examples >= LEAST
            and same_but(TOLD, each, self.last)
            and each.testable
        ]
        return _strongest(found)

    def weak(self) -> Evidence | None:
        others = filter(self._learns_from_another, self.others) if self._behind else []
        return _strongest(
            [
                _weakest("weak", _named(each), [self._halfway(each), _over_labels(each), *self._behind])
                for each in others
            ]
        )

    def late(self) -> Evidence | None:
        if not self._few or self._few[-1][0].examples < LEAST:
            return None
        return _weakest("late", _named(self._few[-1][0]), [_turned(halfway) for _, halfway in self._few])

    def by_the_rows(self) -> Evidence | None:
        scratch = [_recipe(each) for each in self._from_scratch(self.last.examples)]
        return _strongest([self._keeps_up(recipe) for recipe in dict.fromkeys(scratch)])

    def _keeps_up(self, recipe: tuple[str, str]) -> Evidence:
        """Of one learner from scratch: the weakest budget, at which either of two is shown."""
        found = []
        for budget in self.budgets:
            either = [] if budget is self.last else [_turned(self._halfway(budget))]
            beside = [each for each in self._from_scratch(budget.examples) if _recipe(each) == recipe]
            either += [self._halfway(each, to=budget) for each in beside]
            against = _named(beside[0] if beside else budget)
            parts = [_weakest("by the rows alone", against, [each]) for each in either]
            if (best := _strongest(parts)) is not None:
                found.append(best)
        return max(found, key=lambda each: each.p)

    @cached_property
    def _few(self) -> list[tuple[Condition, Difference]]:
        """Budgets with few rows, and how far beyond half of the way each is."""
        few = [each for each in self.budgets if FEW * each.examples <= self.last.examples and each.testable]
        return [(each, self._halfway(each)) for each in few]

    @cached_property
    def _behind(self) -> list[Difference]:
        """By how much each learner from scratch is short of half of the way, with all of the rows."""
        return [_turned(self._halfway(each)) for each in self._from_scratch(self.last.examples)]

    def _from_scratch(self, examples: int) -> list[Condition]:
        known = [each for each in self.others if each.examples == examples and each.testable]
        return list(filter(learns_from_scratch, known))

    def _learns_from_another(self, other: Condition) -> bool:
        return (
            other.examples == self.last.examples
            and other.measurements[0].details.demonstrator is not None
            and same_but(("labels_from",), other, self.last)
            and other.testable
        )

    def _halfway(self, condition: Condition, *, to: Condition | None = None) -> Difference:
        """The score of a condition less that of halfway from the floor to the last, or to another one."""
        end = self.last if to is None else to
        sides, clusters = sides_of(*(each.measurements for each in (condition, end, self.plain)))
        ours, ends, plain = sides
        middle = (ends.scores + self._floor_side(plain).items) / 2
        return paired_difference(ours, Side(scores=middle, seeds=ends.seeds), clusters)

    def _floor_side(self, plain: Side) -> Side:
        """Zero-shot, or chance where the zero-shot score is below it."""
        chance = self.last.chance or 0.0
        return plain if self.plain.score >= chance else Side.of(np.full(plain.scores.shape[1], chance))


def _over_labels(condition: Condition) -> Difference:
    """The score less the share of the labels trained on that were right, whose rows are others than the test items.

    Rows without a label were left out. The seeds may have drawn the same rows, so the share has the error of one draw.
    """
    known = [each.details.demonstrator for each in condition.measurements]
    kept = min(condition.examples - each.left_out for each in known if each is not None)
    shares = [
        min(1.0, each.share_right * condition.examples / max(1, condition.examples - each.left_out))
        for each in known
        if each is not None
    ]
    share = sum(shares) / len(shares)
    of_score = error_of(condition.low, condition.high, 0.95)
    error = float(np.hypot(of_score, (share * (1 - share) / max(1, kept)) ** 0.5))
    gain = condition.score - share
    p = float(2 * special.ndtr(-abs(gain) / error)) if error else 1.0
    half = normal_quantile(0.95) * error
    return Difference(difference=gain, low=gain - half, high=gain + half, kind="normal 95%", n=condition.n, p=p)


def _p(found: Difference) -> float:
    """One-sided, of no difference above 0."""
    assert found.p is not None, "a paired difference has a p value"
    return found.p / 2 if found.difference > 0 else 1 - found.p / 2


def _turned(found: Difference) -> Difference:
    return replace(found, difference=-found.difference, low=-found.high, high=-found.low)


def _recipe(condition: Condition) -> tuple[str, str]:
    return condition.method, condition.settings


def _named(condition: Condition) -> str:
    return f"{condition.name}, {condition.examples} rows"


def _weakest(test: Test, against: str, found: Sequence[Difference]) -> Evidence:
    """All of these have to hold."""
    worst = max(found, key=_p)
    return Evidence(test=test, against=against, margin=worst.difference, p=_p(worst))


def _strongest(found: Sequence[Evidence]) -> Evidence | None:
    """One of these suffices."""
    best = min(found, key=lambda each: each.p, default=None)
    return None if best is None else replace(best, p=min(1.0, best.p * len(found)))
