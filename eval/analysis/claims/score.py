"""Claims from one way's score: above a threshold, a rare outcome, and what the first success costs."""

import math
from typing import Literal

import numpy as np
from scipy import special

from educe.eval.analysis.claims.claim import (
    ONE_SEED,
    SEEDS,
    Claim,
    Refused,
    Sample,
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
from educe.eval.analysis.statistics.components import components, p_from_intervals
from educe.eval.analysis.statistics.intervals import effective_sample_size, pooled_interval
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.power import items_to_exclude

ITEMS = "the items stand for the questions that the claim is read for, and clusters of them are independent"
Event = Literal["right", "wrong"]
# Tails of tests that lean on an approximation are not believed any further out than this.
MIN_P = 1e-6


def above_threshold(
    condition: Condition, threshold: float, *, level: float = 0.95, comparisons: int = 1, p: float | None = None
) -> Claim | Refused:
    """That a way's true score lies above a threshold fixed beforehand, by a one-sided test.

    `p` is the p value corrected for `comparisons` ways; where it is left out, it is worked out and multiplied by them.

    Right-or-wrong items, each on its own, under one seed: the exact binomial test. Else the larger p of that test at
    the effective number of items (Korn & Graubard 1998) and of a t test over clusters and seeds, and never below 1e-6.
    UserError for a threshold that is no share.
    """
    check_share("threshold", threshold)
    statement = (
        f"{condition.model} on {condition.task}, {condition_label(condition)}, scores above {format_percent(threshold)}"
    )
    sample = sample_of(condition)
    if isinstance(sample, str):
        return _refused("threshold", condition, statement, sample)
    single, test = p_above(sample, threshold)
    p = min(1.0, single * comparisons) if p is None else p
    numbers = {"threshold": threshold, "score": condition.score, "p": p, "n": condition.n, "comparisons": comparisons}
    times = f", corrected for {comparisons} ways" if comparisons > 1 else ""
    if p > 1 - level:
        reason = f"it shows {format_percent(condition.score)}, {format_p_value(p)} ({test}{times})"
        return _refused("threshold", condition, statement, reason, **numbers)
    return Claim(
        kind="threshold",
        model=condition.model,
        task=condition.task,
        sentence=f"{statement}, {format_p_value(p)}: it shows {format_percent(condition.score)} ({sample.asked}; {test}{times}).",
        numbers=numbers,
        assumptions=(ITEMS, _seeds(sample), "the threshold was fixed before the scores were seen"),
    )


def rarer_than(
    condition: Condition, bound: float, *, event: Event = "right", level: float = 0.95, comparisons: int = 1
) -> Claim | Refused:
    """That right (or wrong) answers are rarer than `bound`: exact one-sided bound of Clopper & Pearson (1934).

    A cluster counts once, and as showing the outcome where any item of it does under any seed, which can only raise
    the bound; so does any credit, or any lack of it, where scores are graded. UserError for a bound that is no share.
    """
    check_share("rarer", bound)
    statement = f"{condition.model} on {condition.task}, {condition_label(condition)}: {event} answers are rarer than {format_odds(bound)}"
    sample = sample_of(condition)
    if isinstance(sample, str):
        return _refused("rare event", condition, statement, sample)
    seen, units = _seen(sample, event)
    demanded = bonferroni_level(level, comparisons)
    upper = 1.0 if seen == units else float(special.betaincinv(seen + 1, units - seen, demanded))
    noun = "item" if units == sample.scores.shape[1] else "cluster"
    found = f"{'none' if seen == 0 else f'{seen:,}'} of {format_count(units, noun)}"
    numbers = {"bound": bound, "upper": upper, "seen": seen, "n": units}
    if upper >= bound:
        needed = items_to_exclude(bound, level=demanded)
        reason = f"{found} show one, so up to {format_percent(upper)} may be; it takes none of {needed:,}"
        return _refused("rare event", condition, statement, reason, **numbers, needed=needed)
    sure = format_confidence(level, comparisons)
    return Claim(
        kind="rare event",
        model=condition.model,
        task=condition.task,
        sentence=f"{statement} {sure}: {found} show one ({format_count(len(sample.scores), 'seed')}; exact bound {upper:.2g}).",
        numbers=numbers,
        assumptions=(ITEMS, "the questions met later are drawn as these were; another kind of question is not covered"),
    )


def first_success(condition: Condition, *, level: float = 0.95, comparisons: int = 1) -> Claim | Refused:
    """What the first right answer costs on average: elicitation FLOPs + FLOPs per answer / share of right answers.

    The interval is that of the share: exact (Clopper & Pearson 1934) at the effective number of items, and over seeds
    too where there are several. Where nothing is right, only that it costs more than so much, one-sided; no upper end
    (inf) where the share may be 0. Refused where right answers may be guesses, tested for each of `comparisons`.
    """
    statement = (
        f"{condition.model} on {condition.task}, {condition_label(condition)}: what the first right answer costs"
    )
    sample = sample_of(condition)
    if isinstance(sample, str):
        return _refused("first success", condition, statement, sample)
    if condition.chance and p_above(sample, condition.chance)[0] * comparisons > 1 - level:
        reason = f"its {format_percent(condition.score)} may all be guesses, of which {format_percent(condition.chance)} are right"
        return _refused("first success", condition, statement, reason, chance=condition.chance)
    low, high = share_interval(sample, level)
    base, each = condition.elicitation_flops, condition.flops_per_answer
    prefix = f"{condition.model} on {condition.task}, {condition_label(condition)}: the first right answer costs"
    spent = f"{format_flops(base)} to elicit, {format_flops(each)} per answer"
    guesses = (
        (f"guesses count as successes: {format_percent(condition.chance)} of them are right",)
        if condition.chance
        else ()
    )
    assumptions = (ITEMS, _seeds(sample), "each question asked is as likely right as any other", *guesses)
    if condition.score == 0:
        units = effective_sample_size(sample.scores, sample.clusters, seed_variance=sample.seed_variance, level=level)
        least = base + each / -float(np.expm1(np.log1p(-level) / units))
        return Claim(
            kind="first success",
            model=condition.model,
            task=condition.task,
            sentence=(
                f"{prefix} more than {format_flops(least)} on average with {format_percent(level)} confidence: none was seen "
                f"({sample.asked}; {spent})."
            ),
            numbers={"low": least, "n": condition.n},
            assumptions=assumptions,
        )
    cost, least = base + each / condition.score, base + each / high
    # An interval down to 0 leaves it open whether anything is ever right.
    most = base + each / low if low > 0 else math.inf
    ends = (
        f"{format_flops(least).removesuffix(' FLOP')} to {format_flops(most)}"
        if low > 0
        else f"more than {format_flops(least)}"
    )
    ends = ends if format_flops(least) != format_flops(most) else "the same to three digits"
    return Claim(
        kind="first success",
        model=condition.model,
        task=condition.task,
        sentence=(
            f"{prefix} {format_flops(cost)} on average, {format_percent(level)} interval {ends} "
            f"({spent}; {format_percent(condition.score)} right, {sample.asked})."
        ),
        numbers={"cost": cost, "low": least, "high": most, "score": condition.score, "n": condition.n},
        assumptions=assumptions,
    )


def p_above(sample: Sample, threshold: float) -> tuple[float, str]:
    """One-sided p that the score is no higher than the threshold, and the test's name."""
    items, (seeds, n) = sample.items, sample.scores.shape
    units = effective_sample_size(sample.scores, sample.clusters, seed_variance=sample.seed_variance)
    right = float(items.mean()) * units
    exact = float(special.betainc(right, units - right + 1, threshold)) if right > 0 else 1.0
    if seeds == 1 and sample.num_clusters == n and np.isin(items, (0, 1)).all():
        return exact, "exact binomial test"
    parts = components(sample.scores, sample.clusters, sample.seed_variance)
    if parts.items + parts.seeds == 0:
        return max(exact, MIN_P), f"binomial test at {units:.0f} effective items"
    beyond = (parts.mean - threshold) ** 2
    two_sided = p_from_intervals(lambda level: beyond > parts.squared_half_width(level))
    t = two_sided / 2 if parts.mean > threshold else 1 - two_sided / 2
    over = "items" if sample.num_clusters == n else "clusters"
    return max(exact, t, MIN_P), f"t and binomial tests over {over}{' and seeds' if seeds > 1 else ''}"


def share_interval(sample: Sample, level: float) -> tuple[float, float]:
    """Two-sided interval of a share: exact at the effective number of items, and no narrower than over seeds."""
    units = effective_sample_size(sample.scores, sample.clusters, seed_variance=sample.seed_variance, level=level)
    right = float(sample.items.mean()) * units
    tail = (1 - level) / 2
    low = float(special.betaincinv(right, units - right + 1, tail)) if right > 0 else 0.0
    high = float(special.betaincinv(right + 1, units - right, 1 - tail)) if right < units else 1.0
    pooled = pooled_interval(sample.scores, sample.clusters, seed_variance=sample.seed_variance, level=level)
    return min(low, pooled.low), max(high, pooled.high)


def _seen(sample: Sample, event: Event) -> tuple[int, int]:
    """Clusters with the outcome, and all of them."""
    shown = np.any(sample.scores > 0 if event == "right" else sample.scores < 1, axis=0)
    return len(np.unique(sample.codes[shown])), sample.num_clusters


def _seeds(sample: Sample) -> str:
    return ONE_SEED if len(sample.scores) == 1 else SEEDS


def _refused(
    kind: Literal["threshold", "rare event", "first success"],
    condition: Condition,
    statement: str,
    reason: str,
    **numbers: int | float,
) -> Refused:
    return Refused(
        kind=kind, model=condition.model, task=condition.task, statement=statement, reason=reason, numbers=numbers
    )
