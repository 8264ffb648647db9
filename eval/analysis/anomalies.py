"""Results that look wrong: constant, cut or empty answers, zeros, equal outcomes, dev and test scores, baselines.

Each function returns the lines that a report prints, and none where it found nothing.
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

NEARLY_ALL = 0.9  # this share of a condition's answers being the same is an anomaly
MANY, MOST = 0.1, 0.5  # shares of a condition's answers that are cut or empty, or one text
MIN_ITEMS = 5  # with fewer, equal outcomes are expected
_SHOWN_TEXT = 60
MIN_CONDITIONS = 3  # with fewer, items that all get right or wrong are expected


def items_answered_alike(conditions: Sequence[Condition]) -> list[str]:
    """Items that every condition gets right or every one gets wrong, with the share expected for independent errors.

    Per model and task, over the conditions with the same items and scores of 0 or 1; right or wrong means with every
    seed.
    """
    groups: dict[tuple[Any, ...], list[Condition]] = {}
    for condition in conditions:
        ids = frozenset(condition.measurements[0].outcomes.ids)
        if all(np.isin(each.outcomes.scores, (0, 1)).all() for each in condition.measurements):
            groups.setdefault((condition.model, condition.task, ids), []).append(condition)
    lines = []
    for (model, task, _), group in sorted(groups.items(), key=lambda item: item[0][:2]):
        if len(group) < MIN_CONDITIONS:
            continue
        matrices, _ = item_scores(*(condition.measurements for condition in group))
        shares = []
        for name, value in (("right", 1), ("wrong", 0)):
            all_seeds = np.stack([(matrix == value).all(axis=0) for matrix in matrices])
            share, expected = float(all_seeds.all(axis=0).mean()), float(all_seeds.mean(axis=1).prod())
            n = all_seeds.shape[1]
            independent = f"{whole_percent(expected)} expected if errors were independent"
            shares.append(f"{_share(share, n)} items are {name} in all ({independent})")
        lines.append(f"{model}, {task}, {len(group)} conditions: {'; '.join(shares)}")
    return lines


def constant_answers(conditions: Sequence[Condition], audits: Audits) -> list[str]:
    """Conditions that nearly always pick one option, by its text or its place, and the score of that pick alone.

    A text's score is known from the items, a place's from the audit of the task. Places are read from likelihoods where
    the option with the highest one was picked.
    """
    lines = []
    for condition in conditions:
        n = sum(len(each.outcomes) for each in condition.measurements)
        if (text := _nearly_all(_texts_picked(condition), n)) is not None:
            pick, share = text
            alone = sum(each.outcomes.values("answer").count(pick) for each in condition.measurements) / n
            lines.append(_constant_answer(condition, repr(pick), share, alone))
        elif (place := _nearly_all(_places_picked(condition), n)) is not None:
            number, share = place
            score = _place_score(audits.get(condition.task, ()), number)
            lines.append(_constant_answer(condition, f"option {number + 1}", share, score))
    return lines


def truncated_answers(conditions: Sequence[Condition]) -> list[str]:
    """Conditions of which many generated answers were cut at the limit of tokens."""
    lines = []
    for condition in conditions:
        known = [each.details.truncated for each in condition.measurements]
        shares = [share for share in known if share is not None]
        cut = sum(shares) / max(1, len(shares))
        if cut >= MANY:
            lines.append(
                f"{_named(condition)}: {whole_percent(cut)} of answers cut, score {_scored(condition)}; raise the"
                " limit (max_new_tokens of a task, tokens of a recipe), or read whether they answer before it"
            )
    return lines


def risen_losses(conditions: Sequence[Condition]) -> list[str]:
    """Conditions of which a training ended with a higher loss than it began with, and that run's two losses."""
    lines = []
    for condition in conditions:
        for each in condition.measurements:
            losses = [float(step["loss"]) for step in each.training if "loss" in step]
            if losses and losses[-1] > losses[0]:
                lines.append(
                    f"{_named(condition)}, seed {each.seed}: from {losses[0]:.2f} to {losses[-1]:.2f} nats a token in"
                    f" {len(losses):,} steps; lower learning_rate, or look at training.json"
                )
                break
    return lines


def empty_outputs(conditions: Sequence[Condition]) -> list[str]:
    """Conditions of which many generated answers hold nothing but spaces."""
    lines = []
    for condition in conditions:
        texts = _texts(condition)
        empty = sum(not text.strip() for text in texts)
        if texts and empty >= MANY * len(texts):
            lines.append(f"{_named(condition)}: {empty:,} of {len(texts):,} answers are empty")
    return lines


def repeated_outputs(conditions: Sequence[Condition]) -> list[str]:
    """Conditions that write one text for most items, where the right answers do not account for it."""
    lines = []
    for condition in conditions:
        counts = Counter(text.strip() for text in _texts(condition) if text.strip())
        right = Counter(chain.from_iterable(each.outcomes.values("answer") for each in condition.measurements))
        n = sum(right.values())
        text, times = next(iter(counts.most_common(1)), ("", 0))
        most_right = right.most_common(1)[0][1] if right else 0
        if n >= MIN_ITEMS and times > MOST * n and (times >= NEARLY_ALL * n or times > 2 * most_right):
            shown = text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "..."
            lines.append(f"{_named(condition)}: writes {shown!r} for {times:,} of {n:,} items")
    return lines


def tied_options(conditions: Sequence[Condition]) -> list[str]:
    """Conditions in which the likeliest options of many items are exactly equally likely: the first one is picked."""
    lines = []
    for condition in conditions:
        margins = np.concatenate([each.outcomes.margins for each in condition.measurements])
        tied = float((margins == 0).mean()) if len(margins) else 0.0
        if len(margins) >= MIN_ITEMS and tied >= MANY:
            lines.append(
                f"{_named(condition)}: two options tie on {whole_percent(tied)} of items, and the first one"
                f" counts as the answer; score {_scored(condition)}"
            )
    return lines


def zero_scores(conditions: Sequence[Condition]) -> list[str]:
    """Conditions whose every item scored exactly 0: likelier a wrong format or grader than no ability at all."""
    lines = []
    for condition in conditions:
        n = sum(len(each.outcomes) for each in condition.measurements)
        if n >= MIN_ITEMS and not any(each.outcomes.scores.any() for each in condition.measurements):
            text = next((text for text in _texts(condition) if text.strip()), None)
            shown = "" if text is None else f"; it writes, for example, {text.strip()[:_SHOWN_TEXT]!r}"
            lines.append(f"{_named(condition)}: 0 on all of {n:,} items{shown}")
    return lines


def _texts(condition: Condition) -> list[str]:
    """What was generated for every item, where something was."""
    texts = chain.from_iterable(each.outcomes.values("text") for each in condition.measurements)
    return [text for text in texts if text is not None]


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


def _nearly_all(picks: Counter[Any], n: int) -> tuple[Any, float] | None:
    """The pick that nearly all of n answers are, and its share."""
    found = picks.most_common(1)
    return (found[0][0], found[0][1] / n) if found and found[0][1] >= NEARLY_ALL * n else None


def _constant_answer(condition: Condition, pick: str, share: float, alone: float | None) -> str:
    same = "" if alone is None else f"; that answer alone scores {whole_percent(alone)}"
    if alone is not None and condition.low <= alone:
        same += ", which is not significantly less"
    often = f"{_share(share, condition.n)} items"
    return f"{_named(condition)}: picks {pick} for {often} and scores {_scored(condition)}{same}"


def dev_test_gaps(conditions: Sequence[Condition]) -> list[str]:
    """Choices on dev rows with a test score above the dev score, or further below it than the choice explains.

    Both by Newcombe's interval of the difference. The dev score of the best of m candidates is expected to be too high
    by at most sqrt(2 ln m) standard errors (the maximum of m sub-Gaussian variables).
    """
    lines = []
    for choice in dev_choices(conditions):
        if not choice.dev_examples:
            continue
        condition, gap = choice.condition, choice.optimism
        error = math.sqrt(condition.score * (1 - condition.score) / choice.dev_examples)
        explained = error * math.sqrt(2 * math.log(max(1.0, choice.tried or 1.0)))
        scores = (
            f"{_named(condition)}: dev {whole_percent(choice.dev_score)} of {choice.dev_examples:,.0f}, "
            f"test {_scored(condition)} of {condition.n:,}"
        )
        if gap.high < 0:
            lines.append(f"{scores}; a choice on dev rows should not score higher on test")
        elif gap.low > explained:
            lines.append(f"{scores}; the choice explains at most {100 * explained:.0f} points")
    return lines


def no_better_than_baselines(conditions: Sequence[Condition], audits: Audits) -> list[str]:
    """Conditions above chance that gain nothing significant over the best baseline without any knowledge (Newcombe)."""
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
                f"{_named(condition)}: {_scored(condition)} of {condition.n:,}, chance "
                f"{whole_percent(condition.chance)}; {BASELINES[best.kind]} scores {whole_percent(score)} "
                f"{format_interval(low, high)} of {best.numbers['n']:,}"
            )
    return lines


def blind_baseline(condition: Condition, audits: Audits) -> tuple[float | None, str]:
    """The best score without any knowledge that is known, with its name: chance, a baseline of the audit, or one place.

    None where chance is not known, because answers are free.
    """
    if condition.chance is None:
        return None, ""
    known = {"chance": condition.chance}
    for finding in audits.get(condition.task, ()):
        if finding.kind in BASELINES:
            known[f"what {BASELINES[finding.kind]} would score"] = float(finding.numbers["score"])
        elif finding.kind == "positions":
            known["what the most frequent position would score"] = float(max(finding.numbers["shares"]))
    name = max(known, key=lambda each: known[each])
    return known[name], name


def serious_findings(audits: Audits) -> list[str]:
    """The serious findings on the rows of the tasks."""
    return [f"{task}: {each.sentence}" for task, found in sorted(audits.items()) for each in found if each.serious]


# Findings that are the score of answers without any knowledge, and how they are called.
BASELINES = {
    "majority_answer": "always the same answer",
    "majority_position": "always the same place",
    "longest_option": "the longest option",
    "shortest_option": "the shortest option",
    "spelling": "the option spelled most like the question",
    "options_alone": "a classifier of options without the question",
}


def _beats_chance(finding: Finding) -> bool:
    chance = finding.numbers.get("chance")
    return finding.kind in BASELINES and chance is not None and finding.numbers["low"] > chance


def _place_score(findings: Sequence[Finding], place: int) -> float | None:
    shares = [share for each in findings if each.kind == "positions" for share in each.numbers["shares"][place:][:1]]
    return float(shares[0]) if shares else None


def _named(condition: Condition) -> str:
    return f"{condition.model}, {condition.task}, {condition.recipe}, {condition.examples} examples"


def _scored(condition: Condition) -> str:
    return f"{whole_percent(condition.score)} {format_interval(condition.low, condition.high)}"


def _share(share: float, n: int) -> str:
    return f"{whole_percent(share)} {format_interval(*wilson(share, n))} of {n:,}"
