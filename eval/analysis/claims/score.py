"""Claims from one condition's scores: above a threshold, a rare outcome, and the cost of the first right answer."""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.claims.claim import (
    Kind,
    Refused,
    Statement,
    Tested,
    check_share,
    condition_label,
    in_each_run,
    num_runs,
    range_of,
    unusable,
    where,
)
from educe.eval.analysis.claims.runs import p_score_above
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.formatting import format_count, format_flops, format_level, format_odds, format_percent
from educe.eval.analysis.statistics.intervals import effective_sample_size, score_interval
from educe.eval.analysis.statistics.power import items_to_exclude
from educe.eval.analysis.statistics.resample import cluster_codes
from educe.eval.analysis.statistics.variance import MIN_TEST_SEEDS
from educe.eval.measurement import Measurement

Event = Literal["right", "wrong"]


def above_threshold(condition: Condition, threshold: float, *, name: str = "") -> Tested | Refused:
    """That every run of a condition scores above a threshold fixed beforehand, by one-sided tests (`p_score_above`).

    `name` says what the threshold is. UserError for a threshold outside (0, 1).
    """
    check_share("threshold", threshold)
    limit = f"{name}, {format_percent(threshold)}" if name else format_percent(threshold)
    statement = _statement("threshold", condition, f"scores above {limit}")
    if reason := unusable((condition,)):
        return statement.refuse(reason, "unusable data")
    scored = range_of([each.score for each in condition.measurements])
    return Tested(
        statement=statement,
        p=max(p_score_above(each, threshold) for each in condition.measurements),
        sentence=f"{statement.text}: {scored}",
        reason=f"it scores {scored}",
        numbers={"threshold": threshold, "score": condition.score},
        assumptions=("the threshold was fixed before the scores were known",),
    )


def rarer_than(condition: Condition, bound: float, *, event: Event = "right") -> Tested | Refused:
    """That right (or wrong) answers are rarer than `bound` in every run: exact binomial test (Clopper & Pearson 1934).

    A cluster counts once, and it has the event where any of its items does, which can only raise the p value. The same
    holds for partial credit. Refused with fewer than five runs. UserError for a bound outside (0, 1).
    """
    check_share("rarer", bound)
    statement = _statement("rare event", condition, f"{event} answers are rarer than {format_odds(bound)}")
    if reason := unusable((condition,)):
        return statement.refuse(reason, "unusable data")
    runs = num_runs((condition,)) or MIN_TEST_SEEDS
    if runs < MIN_TEST_SEEDS:
        return statement.refuse(f"it has {format_count(runs, 'run')}, and it takes {MIN_TEST_SEEDS}", "too few runs")
    seen, units = zip(*(_events(each, event) for each in condition.measurements), strict=True)
    noun = "item" if units[0] == condition.n else "cluster"
    observed = f"at most {max(seen):,} of {format_count(units[0], noun)} had one"
    return Tested(
        statement=statement,
        p=max(float(binom.cdf(each, n, bound)) for each, n in zip(seen, units, strict=True)),
        sentence=f"{statement.text}: {observed}",
        reason=f"{observed}; it takes none of {items_to_exclude(bound):,}, and more after correction",
        numbers={"bound": bound, "seen": max(seen), "n": units[0]},
        assumptions=("later questions are drawn from the same population; other kinds of questions are not covered",),
    )


def first_success(condition: Condition, *, chance_p: float | None = None, alpha: float = 0.05) -> Tested | Refused:
    """The mean cost of a run's first right answer: elicitation FLOPs + FLOPs per answer / share of right answers.

    An interval that holds for every run, from the exact intervals of their shares (Bonferroni over runs). Where a run
    may have no right answer there is no upper end. Refused where the right answers may be guesses: `chance_p` is the p
    value of the claim that the score is above them, None where nothing can be guessed.
    """
    statement = _statement("first success", condition, "the cost of the first right answer")
    if reason := unusable((condition,)):
        return statement.refuse(reason, "unusable data")
    if not all(each.spend.flops_per_answer > 0 for each in condition.measurements):
        return statement.refuse("the cost of an answer is not known", "not measured")
    if chance_p is not None and chance_p > alpha:
        scored = range_of([each.score for each in condition.measurements])
        return statement.refuse(f"its score of {scored} is not significantly above guessing", numbers={"p": chance_p})

    def interval(level: float) -> tuple[str, Mapping[str, float]]:
        each_level = 1 - (1 - level) / condition.num_seeds
        shares = [_share_interval(run, each_level) for run in condition.measurements]
        low = min(_cost(run, high) for run, (_, high) in zip(condition.measurements, shares, strict=True))
        high = max(_cost(run, low) for run, (low, _) in zip(condition.measurements, shares, strict=True))
        ends = f"{format_flops(low)} to {format_flops(high)}" if math.isfinite(high) else f"over {format_flops(low)}"
        sentence = f"{_where(condition)}: the first right answer costs {ends} on average{in_each_run((condition,))}"
        return f"{sentence}, with {format_level(level)} confidence", {"low": low, "high": high}

    return Tested(
        statement=statement,
        p=None,
        sentence="",
        reason="",
        numbers={"score": condition.score, "elicitation": condition.elicitation_flops},
        assumptions=("every question is equally likely to be answered right",),
        interval=interval,
    )


def _events(run: Measurement, event: Event) -> tuple[int, int]:
    """Clusters in which the event was seen, and all of them."""
    codes = cluster_codes(tuple(run.outcomes.clusters), len(run.outcomes))
    has = run.outcomes.scores > 0 if event == "right" else run.outcomes.scores < 1
    return len(np.unique(codes[has])), int(codes.max()) + 1


def _share_interval(run: Measurement, level: float) -> tuple[float, float]:
    """Exact (Clopper & Pearson 1934) at the effective sample size, and no narrower than `score_interval`."""
    scores, clusters = run.outcomes.scores, tuple(run.outcomes.clusters)
    units = effective_sample_size(scores, clusters, level=level)
    low, high = proportion_confint(float(scores.mean()) * units, units, alpha=1 - level, method="beta")
    other = score_interval(scores, clusters, level=level)
    return min(float(low), other.low), max(float(high), other.high)


def _cost(run: Measurement, share: float) -> float:
    return run.spend.elicitation_flops + run.spend.flops_per_answer / share if share > 0 else math.inf


def _where(condition: Condition) -> str:
    return f"{where(condition)}, {condition_label(condition)}"


def _statement(kind: Kind, condition: Condition, text: str) -> Statement:
    about = (condition,)
    return Statement(kind=kind, about=about, text=f"{_where(condition)}: {text}{in_each_run(about)}")
