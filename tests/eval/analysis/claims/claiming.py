"""Made-up conditions and curves for the tests of claims."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from educe.eval.analysis.claims.claim import Claim, Refused, Tested
from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.curves import Curve, join
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement


def condition(right: int | list[float], of: int = 100, **named: Any) -> Condition:
    spend = Spend(labelled_examples=named.get("examples", 4), flops_per_answer=1e9)
    (made,) = pool([measurement(right=right, of=of, **{"spend": spend, **named})])
    return made


def clustered(scores: Sequence[float], size: int, **named: Any) -> Measurement:
    outcomes = Outcomes.of(
        Outcome(id=f"item-{place}", score=score, answer="a", cluster=f"c{place // size}")
        for place, score in enumerate(scores)
    )
    return measurement(right=scores, outcomes=outcomes, **named)


def scattered(right: int, of: int, rng: np.random.Generator) -> list[float]:
    """So many right answers at random items, so that two runs do not agree item by item."""
    return [float(one) for one in rng.permutation(np.arange(of) < right)]


def cells(
    *rights: int | Sequence[int], of: int = 1000, plain: int = 500, seeds: int = 5, **named: Any
) -> list[Measurement]:
    """Zero-shot, and a recipe with so many right at 4, 16, 64 ... examples: in every run, or run by run."""
    rng = np.random.default_rng(0)
    made = [measurement(method="zero_shot", examples=0, right=scattered(plain, of, rng), **named)]
    for place, right in enumerate(rights):
        examples = 4 ** (place + 1)
        spend = Spend(labelled_examples=examples, train_flops=1e12 * examples, flops_per_answer=1e9)
        for seed, one in enumerate([right] * seeds if isinstance(right, int) else right):
            scores = scattered(one, of, rng)
            made.append(measurement(right=scores, examples=examples, seed=seed, spend=spend, **named))
    return made


def study(*rights: int | Sequence[int], **named: Any) -> tuple[Curve, Condition]:
    """The curve and zero-shot of `cells`."""
    baseline, *tuned = pool(cells(*rights, **named))
    (curve,) = join(tuned, "examples")
    return curve, baseline


def refused(made: Tested | Claim | Refused, alpha: float = 0.05) -> Refused:
    found = made.resolve(made.p or 0.0, alpha=alpha, statements=1) if isinstance(made, Tested) else made
    assert isinstance(found, Refused) and not found.holds, str(found)
    return found


def claimed(made: Tested | Claim | Refused, alpha: float = 0.05) -> Claim:
    found = made
    if isinstance(made, Tested):
        one = {"statements": 1}
        found = made.at_level(1 - alpha, **one) if made.p is None else made.resolve(made.p, alpha=alpha, **one)
    assert isinstance(found, Claim) and found.holds, str(found)
    assert str(found) == found.sentence and found.sentence.endswith(".") and found.assumptions
    assert "cannot" not in found.sentence
    return found
