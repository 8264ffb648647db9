"""Claims from one condition's score: above a threshold, a rare outcome, and the cost of the first right answer."""

import math
from typing import Literal

import numpy as np
from scipy import special
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.claims.claim import (
    Claim,
    Kind,
    Refused,
    Sample,
    Statement,
    check_share,
    condition_label,
    sample_of,
)
from educe.eval.analysis.conditions import Condition
from educe.eval.analysis.formatting import (
    format_confidence,
    format_count,
    format_flops,
    format_odds,
    format_p_value,
    format_percent,
)
from educe.eval.analysis.statistics.intervals import effective_sample_size, pooled_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.power import items_to_exclude, zero_events_bound
from educe.eval.analysis.statistics.variance import mean_variance

ITEMS = "the test items are a random sample of the questions of interest, in independent clusters"
Event = Literal["right", "wrong"]
MIN_P = 1e-6  # p values of approximate tests are not reported below this


def above_threshold(
    condition: Condition, threshold: float, *, level: float = 0.95, comparisons: int = 1, p: float | None = None
) -> Claim | Refused:
    """That a condition's true score lies above a threshold fixed beforehand, by a one-sided test.

    `p` is the p value corrected for `comparisons` conditions; where it is left out, Bonferroni's. Independent items
    that are right or wrong, under one seed: the exact binomial test. Else the larger p of that test at the effective
    sample size (Korn & Graubard 1998) and of a t test over clusters and seeds, at least 1e-6. UserError for a threshold
    outside (0, 1).
    """
    check_share("threshold", threshold)
    where = _condition_on_task(condition)
    statement = _statement("threshold", condition, f"{where}, scores above {format_percent(threshold)}")
    sample = sample_of(condition)
    if isinstance(sample, str):
        return statement.refuse(sample)
    single, test = p_above(sample, threshold)
    p = min(1.0, single * comparisons) if p is None else p
    numbers = {"threshold": threshold, "score": condition.score, "p": p, "n": condition.n, "comparisons": comparisons}
    corrected = f", corrected for {comparisons} conditions" if comparisons > 1 else ""
    shown = f"{format_percent(condition.score)}, {format_p_value(p)}"
    if p > 1 - level:
        return statement.refuse(f"it scores {shown} ({test}{corrected})", **numbers)
    return statement.claim(
        f"{where}, scores above {format_percent(threshold)}: {shown} ({test}{corrected}; {sample.size}).",
        (ITEMS, sample.seeds_assumption, "the threshold was fixed before the scores were known"),
        **numbers,
    )


def rarer_than(
    condition: Condition, bound: float, *, event: Event = "right", level: float = 0.95, comparisons: int = 1
) -> Claim | Refused:
    """That right (or wrong) answers are rarer than `bound`: exact one-sided bound of Clopper & Pearson (1934).

    A cluster counts once, and it has the event where any of its items does under any seed, which can only raise the
    bound. The same holds for partial credit. UserError for a bound outside (0, 1).
    """
    check_share("rarer", bound)
    text = f"{_condition_on_task(condition)}: {event} answers are rarer than {format_odds(bound)}"
    statement = _statement("rare event", condition, text)
    sample = sample_of(condition)
    if isinstance(sample, str):
        return statement.refuse(sample)
    has_event = np.any(sample.scores > 0 if event == "right" else sample.scores < 1, axis=0)
    seen, units = len(np.unique(sample.codes[has_event])), sample.num_clusters
    demanded = bonferroni_level(level, comparisons)
    upper = float(proportion_confint(seen, units, alpha=2 * (1 - demanded), method="beta")[1])
    noun = "item" if units == sample.scores.shape[1] else "cluster"
    observed = f"{'none' if seen == 0 else f'{seen:,}'} of {format_count(units, noun)} had one"
    numbers = {"bound": bound, "upper": upper, "seen": seen, "n": units}
    if upper >= bound:
        needed = items_to_exclude(bound, level=demanded)
        reason = f"{observed}, so their rate may be up to {format_percent(upper)}; the claim takes none of {needed:,}"
        return statement.refuse(reason, **numbers, needed=needed)
    return statement.claim(
        f"{text} {format_confidence(level, comparisons)}: {observed} "
        f"({format_count(len(sample.scores), 'seed')}; exact bound {upper:.2g}).",
        (ITEMS, "later questions are drawn from the same population; other kinds of questions are not covered"),
        **numbers,
    )


def first_success(condition: Condition, *, level: float = 0.95, comparisons: int = 1) -> Claim | Refused:
    """The mean cost of the first right answer: elicitation FLOPs + FLOPs per answer / share of right answers.

    The interval is that of the share (`share_interval`). Where nothing is right, only a one-sided lower bound; no upper
    end (inf) where the share may be 0. Refused where the score is not significantly above guessing, tested for each of
    `comparisons`.
    """
    where = _condition_on_task(condition)
    statement = _statement("first success", condition, f"{where}: the cost of the first right answer")
    sample = sample_of(condition)
    if isinstance(sample, str):
        return statement.refuse(sample)
    if condition.chance and p_above(sample, condition.chance)[0] * comparisons > 1 - level:
        reason = (
            f"its score of {format_percent(condition.score)} is not significantly above guessing, "
            f"{format_percent(condition.chance)}"
        )
        return statement.refuse(reason, chance=condition.chance)
    base, each = condition.elicitation_flops, condition.flops_per_answer
    prefix = f"{where}: the first right answer costs"
    spent = f"{format_flops(base)} to elicit, {format_flops(each)} per answer"
    assumptions = [ITEMS, sample.seeds_assumption, "every question is equally likely to be answered right"]
    if condition.chance:
        assumptions.append(f"guesses count as successes: {format_percent(condition.chance)} of them are right")
    if condition.score == 0:
        units = effective_sample_size(sample.side, sample.clusters, level=level)
        lowest = base + each / zero_events_bound(units, level=level)
        return statement.claim(
            f"{prefix} more than {format_flops(lowest)} on average with {format_percent(level)} confidence: no answer "
            f"was right ({sample.size}; {spent}).",
            tuple(assumptions),
            low=lowest,
            n=condition.n,
        )
    low, high = share_interval(sample, level)
    cost, lowest = base + each / condition.score, base + each / high
    highest = base + each / low if low > 0 else math.inf
    if format_flops(lowest) == format_flops(highest):
        interval = "the same to three digits"
    elif low > 0:
        interval = f"{format_flops(lowest).removesuffix(' FLOPs')} to {format_flops(highest)}"
    else:  # the share may be 0
        interval = f"more than {format_flops(lowest)}"
    return statement.claim(
        f"{prefix} {format_flops(cost)} on average, {format_percent(level)} interval {interval} "
        f"({spent}; {format_percent(condition.score)} right, {sample.size}).",
        tuple(assumptions),
        cost=cost,
        low=lowest,
        high=highest,
        score=condition.score,
        n=condition.n,
    )


def p_above(sample: Sample, threshold: float) -> tuple[float, str]:
    """One-sided p value of the null hypothesis that the score is at most the threshold, and the test's name."""
    items, (seeds, n) = sample.items, sample.scores.shape
    units = effective_sample_size(sample.side, sample.clusters)
    right = float(items.mean()) * units
    # The binomial tail as a beta distribution, which takes fractional numbers of items; scipy's binomtest does not.
    exact = float(special.betainc(right, units - right + 1, threshold)) if right > 0 else 1.0
    if seeds == 1 and sample.num_clusters == n and np.isin(items, (0, 1)).all():
        return exact, "exact binomial test"
    variance = mean_variance(sample.side, sample.clusters)
    if variance.total == 0:
        return max(exact, MIN_P), f"binomial test at {units:.0f} effective items"
    t = float(special.stdtr(variance.df, (threshold - float(items.mean())) / variance.total**0.5))
    over = "items" if sample.num_clusters == n else "clusters"
    return max(exact, t, MIN_P), f"t and binomial tests over {over}{' and seeds' if seeds > 1 else ''}"


def share_interval(sample: Sample, level: float) -> tuple[float, float]:
    """Two-sided interval of a share.

    Exact (Clopper & Pearson 1934) at the effective sample size, and no narrower than `pooled_interval`.
    """
    units = effective_sample_size(sample.side, sample.clusters, level=level)
    low, high = proportion_confint(float(sample.items.mean()) * units, units, alpha=1 - level, method="beta")
    pooled = pooled_interval(sample.side, sample.clusters, level=level)
    return min(float(low), pooled.low), max(float(high), pooled.high)


def _condition_on_task(condition: Condition) -> str:
    return f"{condition.model} on {condition.task}, {condition_label(condition)}"


def _statement(kind: Kind, condition: Condition, text: str) -> Statement:
    return Statement(kind=kind, model=condition.model, task=condition.task, text=text)
