"""Sums that are right although sums of their digits are wrong: what a harder task shows that an easier one hides."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.analysis.statistics.mcnemar import McNemar, mcnemar
from educe.eval.measurement import Measurement

_SUM = re.compile(r"(\d+)\+(\d+)")


@dataclass(frozen=True, kw_only=True)
class DigitSums:
    """One run on sums of several digits against the same run on sums of one digit.

    `n` are the sums all of whose digits were asked as sums, place by place, in either order. Of `test`, `only_a` are
    right while one of their digit sums is wrong, and `only_b` the other way round. Sums share digit sums, so the p
    value takes them for more independent than they are.
    """

    condition: Condition
    easier: Condition
    seed: int
    n: int
    test: McNemar


def digit_sums(conditions: Sequence[Condition]) -> list[DigitSums]:
    """Of each model: recipes at a budget that were run on sums of one digit and on sums of more, seed by seed."""
    found = []
    for condition in ordered(conditions):
        for easier in conditions:
            if easier is condition or _key(easier) != _key(condition):
                continue
            for run, other in _runs(condition, easier):
                known, sums = _one_digit(other), _longer(run)
                asked = {pair: score for pair, score in sums.items() if _digits(pair) <= known.keys()}
                if asked:
                    below = [min(known[each] for each in _digits(pair)) for pair in asked]
                    made = mcnemar(list(asked.values()), below)
                    found.append(DigitSums(condition=condition, easier=easier, seed=run.seed, n=len(asked), test=made))
    return found


def _key(condition: Condition) -> tuple[str, ...]:
    return condition.model, condition.method, condition.settings, str(condition.examples)


def _runs(condition: Condition, easier: Condition) -> Iterator[tuple[Measurement, Measurement]]:
    others = {each.seed: each for each in easier.measurements}
    return ((each, others[each.seed]) for each in condition.measurements if each.seed in others)


def _sums(run: Measurement) -> Iterator[tuple[str, str, float]]:
    """The numbers of each item that is a sum, and whether it is right; items of other tasks have other ids."""
    for id, score in zip(run.outcomes.ids, run.outcomes.scores, strict=True):
        if (found := _SUM.fullmatch(id)) is not None and score in (0, 1):
            yield found[1], found[2], float(score)


def _one_digit(run: Measurement) -> Mapping[frozenset[str], float]:
    """By the digits. Of a sum that was asked in both orders, both have to be right."""
    known: dict[frozenset[str], float] = {}
    for left, right, score in _sums(run):
        if len(left) == len(right) == 1:
            pair = frozenset((left, right))
            known[pair] = min(score, known.get(pair, 1.0))
    return known


def _longer(run: Measurement) -> Mapping[tuple[str, str], float]:
    return {(left, right): score for left, right, score in _sums(run) if len(left) == len(right) > 1}


def _digits(pair: tuple[str, str]) -> set[frozenset[str]]:
    """The sums of digits at the same place."""
    return {frozenset(each) for each in zip(*pair, strict=True)}
