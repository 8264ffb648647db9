"""Made-up conditions and curves for the tests of claims."""

from typing import Any

import numpy as np

from educe.eval.analysis.claims.claim import Claim, Refused
from educe.eval.analysis.conditions import Condition, pool
from educe.eval.analysis.curves import Curve, join
from educe.eval.measurement import Measurement, Outcome, Outcomes
from educe.eval.spend import Spend
from tests.eval.synthetic import measurement


def condition(right: int | list[float], of: int = 100, **named: Any) -> Condition:
    (made,) = pool([measurement(right=right, of=of, **named)])
    return made


def clustered(scores: list[float], size: int, **named: Any) -> Measurement:
    outcomes = Outcomes.of(
        Outcome(id=f"item-{place}", score=score, answer="a", cluster=f"c{place // size}")
        for place, score in enumerate(scores)
    )
    return measurement(right=scores, outcomes=outcomes, **named)


def study(*rights: int, of: int = 1000, plain: int = 500, seeds: int = 1, jitter: int = 0) -> tuple[Curve, Condition]:
    """Zero-shot and a curve with so many right at 4, 16, 64 ... examples."""
    made = [measurement(method="zero_shot", examples=0, right=plain, of=of)]
    for place, right in enumerate(rights):
        examples = 4 ** (place + 1)
        for seed in range(seeds):
            spend = Spend(labelled_examples=examples, train_flops=1e12 * examples, flops_per_answer=1e9)
            shifted = right + jitter * (seed - (seeds - 1) // 2)
            made.append(measurement(right=shifted, of=of, examples=examples, seed=seed, spend=spend))
    baseline, *tuned = pool(made)
    (curve,) = join(tuned, "examples")
    return curve, baseline


def refused(made: Claim | Refused) -> str:
    assert isinstance(made, Refused) and not made.holds
    return str(made)


def claimed(made: Claim | Refused) -> Claim:
    assert isinstance(made, Claim) and made.holds, str(made)
    assert str(made) == made.sentence and made.sentence.endswith(".") and made.assumptions
    assert "cannot" not in made.sentence
    return made


def drawn(rng: np.random.Generator, chances: np.ndarray) -> list[float]:
    return [float(one) for one in rng.random(len(chances)) < chances]
