"""Sums that are right although sums of their digits are wrong: what a harder task shows that an easier one hides."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from educe.eval.analysis.capabilities import capability_of
from educe.eval.analysis.conditions import Condition, ordered
from educe.eval.analysis.statistics.mcnemar import McNemar, mcnemar
from educe.eval.measurement import Measurement

_SUM = re.compile(r"(\d+)\+(\d+)")
# Recipes that learn from a task's rows would make two models of one.
_ONE_MODEL = ("propensity", "self-elicited")
_Pair = tuple[str, str]
_Digits = frozenset[str]  # one digit alone is a sum of it and itself


@dataclass(frozen=True, kw_only=True)
class DigitSums:
    """One run on sums of several digits against the same run on sums of one digit, by one model and without labels.

    Of `n` sums all of whose digits were asked as sums, place by place and in either order, `only_sum` are right while
    one of their digit sums is wrong, and `only_digits` the other way round. They rest on `digits` digit sums, of which
    `wrong` are wrong. `apart` is McNemar's test of as many sums as share no digit sum: others are not independent.
    """

    condition: Condition
    easier: Condition
    seed: int
    n: int
    only_sum: int
    only_digits: int
    digits: int
    wrong: int
    num_apart: int
    apart: McNemar


def digit_sums(conditions: Sequence[Condition]) -> list[DigitSums]:
    """Of each model: recipes without labels that were run on sums of one digit and on sums of more, seed by seed."""
    easy: dict[tuple[str, ...], list[tuple[Condition, Measurement, Mapping[_Digits, float]]]] = {}
    hard: list[tuple[Condition, Measurement, Mapping[_Pair, float]]] = []
    for condition in ordered(conditions):
        for run in condition.measurements if capability_of(condition.measurements[0]) in _ONE_MODEL else ():
            sums = list(_sums(run))
            if known := _one_digit(sums):
                easy.setdefault(_key(condition, run), []).append((condition, run, known))
            if longer := {(left, right): score for left, right, score in sums if len(left) == len(right) > 1}:
                hard.append((condition, run, longer))
    return [
        found
        for condition, run, sums in hard
        for easier, _, known in easy.get(_key(condition, run), ())
        if (found := _compared(condition, easier, run.seed, sums, known)) is not None
    ]


def _compared(
    condition: Condition, easier: Condition, seed: int, sums: Mapping[_Pair, float], known: Mapping[_Digits, float]
) -> DigitSums | None:
    asked = {pair: score for pair, score in sums.items() if _digits(pair) <= known.keys()}
    if not asked:
        return None
    below = {pair: min(known[each] for each in _digits(pair)) for pair in asked}
    apart = _apart(list(asked))
    rests_on = set().union(*map(_digits, asked))
    return DigitSums(
        condition=condition,
        easier=easier,
        seed=seed,
        n=len(asked),
        only_sum=sum(asked[pair] > below[pair] for pair in asked),
        only_digits=sum(asked[pair] < below[pair] for pair in asked),
        digits=len(rests_on),
        wrong=sum(known[each] == 0 for each in rests_on),
        num_apart=len(apart),
        apart=mcnemar([asked[pair] for pair in apart], [below[pair] for pair in apart]),
    )


def _apart(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Sums that share no digit sum, taken in an order that no score decides."""
    used: set[_Digits] = set()
    found = []
    for pair in sorted(pairs, key=lambda pair: hashlib.sha256(f"{pair[0]}+{pair[1]}".encode()).digest()):
        if used.isdisjoint(_digits(pair)):
            used |= _digits(pair)
            found.append(pair)
    return found


def _key(condition: Condition, run: Measurement) -> tuple[str, ...]:
    return condition.model, condition.method, condition.settings, str(condition.examples), str(run.seed)


def _sums(run: Measurement) -> Iterator[tuple[str, str, float]]:
    """The numbers of each item that is a sum, and whether it is right; items of other tasks have other ids."""
    for id, score in zip(run.outcomes.ids, run.outcomes.scores, strict=True):
        if (found := _SUM.fullmatch(id)) is not None and score in (0, 1):
            yield found[1], found[2], float(score)


def _one_digit(sums: Sequence[tuple[str, str, float]]) -> Mapping[_Digits, float]:
    """By the digits. Of a sum that was asked in both orders, both have to be right."""
    known: dict[_Digits, float] = {}
    for left, right, score in sums:
        if len(left) == len(right) == 1:
            pair = frozenset((left, right))
            known[pair] = min(score, known.get(pair, 1.0))
    return known


def _digits(pair: _Pair) -> set[_Digits]:
    """The sums of digits at the same place."""
    return {frozenset(each) for each in zip(*pair, strict=True)}
