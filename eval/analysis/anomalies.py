"""Results that look wrong: one answer for everything, items that all get alike, dev and test apart, no question needed.

Each function gives the lines that a report prints, and none where it found nothing.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from educe.data.audit.finding import Finding
from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.dev_choices import dev_choices
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.statistics.independent import ScoreInterval, independent_difference
from educe.eval.analysis.statistics.intervals import wilson

Audits = Mapping[str, Sequence[Finding]]  # findings on a task's rows by its name

# Of a way's answers, so many are one and the same.
NEARLY_ALL = 0.9
# From two ways alone, that an item is hard or easy for all says little.
MIN_CONDITIONS = 3


def items_answered_alike(conditions: Sequence[Condition]) -> list[str]:
    """Items that every way gets right, or every way wrong, with the share that independent errors would give.

    Per model and task, over the ways that answered the same items and score each 0 or 1; right is right with every
    seed, wrong is wrong with every seed.
    """
    groups: dict[tuple[Any, ...], list[Condition]] = {}
    for condition in conditions:
        ids = frozenset(condition.measurements[0].outcomes.ids)
        if all(
            ((scores == 0) | (scores == 1)).all()
            for scores in (each.outcomes.scores for each in condition.measurements)
        ):
            groups.setdefault((condition.model, condition.task, ids), []).append(condition)
    lines = []
    for (model, task, _), group in sorted(groups.items(), key=lambda item: item[0][:2]):
        if len(group) < MIN_CONDITIONS:
            continue
        matrices, _ = item_scores(*(condition.measurements for condition in group))
        said = [
            f"{name} by all: {whole_percent(share)} {format_interval(*wilson(share, held.shape[1]))} of {held.shape[1]:,} items "
            f"({whole_percent(expected)} if errors were independent)"
            for name, value in (("right", 1), ("wrong", 0))
            for held in [np.stack([(matrix == value).all(axis=0) for matrix in matrices])]
            for share, expected in [(float(held.all(axis=0).mean()), float(held.mean(axis=1).prod()))]
        ]
        lines.append(f"{model}, {task}, {len(group)} ways: {'; '.join(said)}")
    return lines


def constant_answers(conditions: Sequence[Condition], audits: Audits) -> list[str]:
    """Ways that nearly always pick one option, by its text or by its place, beside what that pick alone would score.

    A text's score is known from the items; a place's from the audit of the task. Places are read off likelihoods where
    the highest is what was picked.
    """
    lines = []
    for condition in conditions:
        if (text := _nearly_all(_texts_picked(condition), of=_answers(condition))) is not None:
            pick, share = text
            alone = sum(each.outcomes.values("answer").count(pick) for each in condition.measurements) / _answers(
                condition
            )
            lines.append(_one_answer(condition, repr(pick), share, alone))
        elif (place := _nearly_all(_places_picked(condition), of=_answers(condition))) is not None:
            number, share = place
            lines.append(
                _one_answer(
                    condition, f"option {number + 1}", share, _place_score(audits.get(condition.task, ()), number)
                )
            )
    return lines


def _answers(condition: Condition) -> int:
    return sum(len(each.outcomes) for each in condition.measurements)


def _texts_picked(condition: Condition) -> Counter[Any]:
    picked = Counter(chain.from_iterable(each.outcomes.values("picked") for each in condition.measurements))
    del picked[None]  # what could not be read is no pick
    return picked


def _places_picked(condition: Condition) -> Counter[Any]:
    places: Counter[Any] = Counter()
    for each in condition.measurements:
        likely = each.outcomes.loglikelihoods
        if each.metric == "accuracy" and likely.sizes.any():
            counts = np.bincount(likely.padded(-np.inf)[likely.sizes > 0].argmax(axis=1))
            places.update(dict(enumerate(counts.tolist())))
    return places


def _nearly_all(picks: Counter[Any], *, of: int) -> tuple[Any, float] | None:
    """The pick that nearly all answers are, and its share."""
    found = picks.most_common(1)
    return (found[0][0], found[0][1] / of) if found and found[0][1] >= NEARLY_ALL * of else None


def _one_answer(condition: Condition, pick: str, share: float, alone: float | None) -> str:
    same = "" if alone is None else f"; that answer alone scores {whole_percent(alone)}"
    if alone is not None and condition.low <= alone:
        same += ", so the score shows no more than the answers' shares"
    often = f"{whole_percent(share)} {format_interval(*wilson(share, condition.n))} of {condition.n:,} items"
    return f"{_named(condition)}: picks {pick} for {often} and scores {_scored(condition)}{same}"


def dev_test_gaps(conditions: Sequence[Condition]) -> list[str]:
    """Choices whose test score is above the dev score, or further below it than choosing explains.

    Both by Newcombe's interval of the difference. Choosing the best of m is expected to flatter by at most sqrt(2 ln m)
    standard errors of a dev score (the maximum of m sub-Gaussian variables).
    """
    lines = []
    for chosen in dev_choices(conditions):
        if not chosen.dev_examples:
            continue
        condition, gap = chosen.condition, chosen.optimism
        error = math.sqrt(condition.score * (1 - condition.score) / chosen.dev_examples)
        explained = error * math.sqrt(2 * math.log(max(1.0, chosen.tried)))
        scores = f"dev {whole_percent(chosen.dev_score)} of {chosen.dev_examples:,.0f}, test {_scored(condition)} of {condition.n:,}"
        if gap.high < 0:
            lines.append(f"{_named(condition)}: {scores}; what is chosen on dev should not do better on test")
        elif gap.low > explained:
            lines.append(f"{_named(condition)}: {scores}; choosing explains {100 * explained:.0f} points at most")
    return lines


def no_better_than_baselines(conditions: Sequence[Condition], audits: Audits) -> list[str]:
    """Ways above chance whose gain over the task's best baseline without the question is not significant (Newcombe)."""
    lines = []
    for condition in conditions:
        above = [each for each in audits.get(condition.task, ()) if _beats_chance(each)]
        if condition.chance is None or condition.low <= condition.chance or not above:
            continue
        best = max(above, key=lambda finding: finding.numbers["score"])
        score, low, high = (float(best.numbers[name]) for name in ("score", "low", "high"))
        ours = ScoreInterval(score=condition.score, low=condition.low, high=condition.high)
        gain = independent_difference(ours, ScoreInterval(score=score, low=low, high=high), n=condition.n)
        if gain.low <= 0:
            lines.append(
                f"{_named(condition)}: {_scored(condition)} of {condition.n:,}, chance {whole_percent(condition.chance)}; "
                f"{_BASELINES[best.kind]} reaches {whole_percent(score)} {format_interval(low, high)} of {best.numbers['n']:,}"
            )
    return lines


def serious_findings(audits: Audits) -> list[str]:
    """The serious findings on the rows of the tasks."""
    return [f"{task}: {each.sentence}" for task, found in sorted(audits.items()) for each in found if each.serious]


_BASELINES = {
    "majority_answer": "one answer for everything",
    "majority_position": "one place for everything",
    "longest_option": "the longest option",
    "shortest_option": "the shortest option",
    "options_alone": "a classifier of options without the question",
}


def _beats_chance(finding: Finding) -> bool:
    chance = finding.numbers.get("chance")
    return finding.kind in _BASELINES and chance is not None and finding.numbers["low"] > chance


def _place_score(findings: Sequence[Finding], place: int) -> float | None:
    shares = [share for each in findings if each.kind == "positions" for share in each.numbers["shares"][place:][:1]]
    return float(shares[0]) if shares else None


def _named(condition: Condition) -> str:
    return f"{condition.model}, {condition.task}, {condition.recipe}, {condition.examples} examples"


def _scored(condition: Condition) -> str:
    return f"{whole_percent(condition.score)} {format_interval(condition.low, condition.high)}"
