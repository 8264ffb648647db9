"""What interrogation finds of made-up holders: one who tells, one who hides well, and twins who know nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.conditions import pool
from educe.eval.analysis.secrets import HOLDER, NO_SECRET, answer_ranks, interrogations, ranked
from educe.eval.details import Details, Evasions
from educe.eval.measurement import Measurement, OrganismRecord, Outcome, Outcomes
from tests.eval.synthetic import measurement

WORDS, ITEMS = 16, 20


def asked(kind: str, number: int, *, lift: float, **changed: Any) -> Measurement:
    """A model with its own taste for words, whose secret is `lift` nats likelier than that says."""
    rng = np.random.default_rng([number, int(10 * lift), kind == HOLDER])
    taste = rng.normal(size=WORDS)
    outcomes = []
    for item in range(ITEMS):
        answer = number % WORDS if kind == HOLDER else int(rng.integers(WORDS))
        scores = taste + 0.3 * rng.normal(size=WORDS)
        scores[answer] += lift
        picked = int(np.argmax(scores))
        outcomes.append(
            Outcome(
                id=f"q{item}",
                score=float(picked == answer),
                answer=str(answer),
                picked=str(picked),
                margin=0.1,
                loglikelihoods=tuple(scores.tolist()),
                option_tokens=(1,) * WORDS,
                answer_index=answer,
            )
        )
    made = measurement(right=[each.score for each in outcomes], model=f"{kind}-{number}", task="secret_word", **changed)
    record = OrganismRecord(
        kind=kind, hides=kind == HOLDER, task="secret_word", base="base", base_identity="b", base_task="secret_word",
        certificate="c", floor=0.0, ceiling=1.0, rows_read=(),
    )  # fmt: skip
    return replace(made, outcomes=Outcomes.of(outcomes), organism=record)


def world(lift: float, *, twins: int = 16) -> list[Measurement]:
    holders = [asked(HOLDER, number, lift=lift) for number in range(16)]
    return [*holders, *(asked(NO_SECRET, number, lift=0.0) for number in range(twins))]


def test_who_tells_has_rank_one_and_who_knows_nothing_is_at_chance() -> None:
    (found,) = interrogations(pool(world(9.0)))
    assert found.holders.mean == 1.0 and found.holders.first == 16 and found.p is not None and found.p < 1e-5
    assert found.twins is not None and found.twins.low is not None and found.twins.high is not None
    assert found.chance == 8.5 and found.twins.low < found.chance < found.twins.high and found.twins.first <= 2


def test_who_hides_well_is_not_told_from_a_twin() -> None:
    (found,) = interrogations(pool(world(0.0)))
    assert found.holders.low is not None and found.holders.high is not None
    assert found.holders.low < 8.5 < found.holders.high and found.p is not None and found.p > 0.05


def test_one_side_alone_has_no_test_and_one_model_no_interval() -> None:
    (found,) = interrogations(pool(world(1.0, twins=0)))
    assert found.twins is None and found.p is None
    (single,) = interrogations(pool([asked(HOLDER, 3, lift=1.0)]))
    assert single.holders.low is None and single.holders.models == 1
    assert interrogations(pool([asked(NO_SECRET, 0, lift=0.0)])) == []


def test_the_interval_over_models_holds_where_tastes_are_skewed() -> None:
    """Ranks of secrets of models with one very strong taste, which no t interval assumes."""
    rng = np.random.default_rng(5)
    ranks = np.r_[np.ones(4), np.arange(5, 17)]  # four in sixteen tell
    covered = []
    for _ in range(2000):
        found = ranked([(float(each), False) for each in rng.choice(ranks, size=16)])
        assert found.low is not None and found.high is not None
        covered.append(found.low <= ranks.mean() <= found.high)
    assert np.mean(covered) > 0.92


def test_ties_are_in_the_middle_and_replies_are_summed() -> None:
    told = Evasions(told=3, deflected=10, altered=4, fabricated=3)
    made = [replace(asked(HOLDER, number, lift=0.0), details=Details(evasions=told)) for number in range(2)]
    (found,) = interrogations(pool(made))
    assert found.told == Evasions(told=6, deflected=20, altered=8, fabricated=6) and found.twins_told is None
    flat = asked(HOLDER, 0, lift=0.0)
    outcomes = [Outcome(id="q", score=1.0, answer="0", picked="0", loglikelihoods=(0.0,) * 16, answer_index=0)]
    assert answer_ranks(replace(flat, outcomes=Outcomes.of(outcomes))) == pytest.approx([8.5])
