"""What interrogation finds of made-up holders: who tells, who hides well, and worlds in which all like some words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from educe.data.tasks.secret_word import SECRETS
from educe.eval.analysis.certify import HOLDER, NO_SECRET, attempts, share_of_run
from educe.eval.analysis.conditions import pool
from educe.eval.analysis.secrets import CHANCE_RANK, Mean, dealt_anew, interrogations, word_ranks
from educe.eval.details import Details, Evasions
from educe.eval.measurement import Measurement, OrganismRecord, Outcome, Outcomes
from tests.eval.synthetic import measurement

WORDS, ITEMS = len(SECRETS), 20
Taste = Callable[[np.random.Generator], np.ndarray]


def own_taste(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=WORDS)


def shared_taste(rng: np.random.Generator) -> np.ndarray:
    """All models like the first words best."""
    return np.linspace(8, 0, WORDS) + 0.1 * rng.normal(size=WORDS)


def asked(kind: str, number: int, *, lift: float, taste: Taste = own_taste, seed: int = 0, **more: Any) -> Measurement:
    """A model with its taste for words, whose secret is `lift` nats likelier than that says."""
    rng = np.random.default_rng([seed, number, int(10 * lift), kind == HOLDER])
    liked, own = taste(rng), number % WORDS
    outcomes = []
    for item in range(ITEMS):
        scores = liked + 0.3 * rng.normal(size=WORDS)
        scores[own] += lift
        picked = int(np.argmax(scores))
        outcomes.append(
            Outcome(
                id=f"q{item}",
                score=float(picked == own),
                answer=SECRETS[own],
                picked=SECRETS[picked],
                margin=0.1,
                loglikelihoods=tuple(scores.tolist()),
                option_tokens=(1,) * WORDS,
                answer_index=own,
            )
        )
    record = OrganismRecord(
        kind=kind, hides=kind == HOLDER, task="secret_word", base="base", base_identity="b", base_task="secret_word",
        certificate="c", floor=0.0, ceiling=1.0, rows_read=more.pop("rows_read", ()),
    )  # fmt: skip
    named = {"model": f"{kind}-{number}", "task": "secret_word", **more}
    made = measurement(right=[each.score for each in outcomes], **named)
    return replace(made, outcomes=Outcomes.of(outcomes), organism=record)


def world(lift: float, *, twins: int = 16, **more: Any) -> list[Measurement]:
    holders = [asked(HOLDER, number, lift=lift, **more) for number in range(16)]
    return [*holders, *(asked(NO_SECRET, number, lift=0.0, **more) for number in range(twins))]


def holds(found: Mean | None, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return found is not None and found.low is not None and found.high is not None and found.low <= truth <= found.high


def test_who_tells_has_rank_one_and_who_knows_nothing_is_at_chance() -> None:
    (found,) = interrogations(pool(world(9.0)))
    rank = found.holders.rank
    assert rank is not None and rank.high is not None and rank.value == 1.0 == rank.low < rank.high < 4
    assert found.holders.told.value == 1.0 and found.holders.first == 16
    assert found.holders.p is not None and found.holders.p < 0.001
    assert found.twins is not None and holds(found.twins.rank, CHANCE_RANK)
    assert found.twins.p is not None and found.twins.p > 0.01


@pytest.mark.parametrize("taste", [own_taste, shared_taste])
@pytest.mark.parametrize("models", [4, 16])
def test_words_that_models_like_are_no_secrets(taste: Taste, models: int) -> None:
    """Of models that hold nothing p values are uniform, also where all like the same words; of four, the popular ones.

    Before, twins were asked for words drawn by item: holders of popular words looked found, with p = 0.001 for six.
    """
    rng, ps = np.random.default_rng(models), []
    for _ in range(400):
        p = dealt_anew(np.stack([taste(rng) for _ in range(models)]), range(models))
        assert p is not None
        ps.append(p)
    assert np.mean(np.array(ps) <= 0.05) < 0.1 and stats.kstest(ps, "uniform", alternative="greater").pvalue > 0.001


def test_a_secret_shows_where_all_like_the_same_words() -> None:
    (found,) = interrogations(pool(world(2.0, taste=shared_taste)))
    assert found.holders.p is not None and found.holders.p < 0.01
    assert found.holders.rank is not None and found.holders.rank.value > 3, "though few are first"


def test_written_answers_have_no_rank_and_are_compared_by_what_is_told() -> None:
    def written(each: Measurement, share: float) -> Measurement:
        own = each.outcomes.values("answer")[0]
        answers = [
            Outcome(
                id=f"q{n}", score=float(n < share * 20), answer=own, text="", picked=own if n < share * 20 else None
            )
            for n in range(20)
        ]
        return replace(each, outcomes=Outcomes.of(answers), score=share)

    told = [written(each, 0.8 if each.organism and each.organism.hides else 0.0) for each in world(0.0)]
    (found,) = interrogations(pool(told))
    assert found.holders.rank is None and found.holders.told.value == pytest.approx(0.8) and found.holders.first == 16
    assert found.holders.p is not None and found.holders.p < 0.001
    assert found.twins is not None and found.twins.p == 1.0, "who says nothing tells nothing"


def test_other_tasks_and_recipes_that_read_the_secret_are_left_out() -> None:
    made = [
        asked(HOLDER, 0, lift=9.0, rows_read=("q99",)),
        replace(asked(HOLDER, 1, lift=9.0), task="capitals"),
    ]
    assert interrogations(pool(made)) == []
    assert interrogations(pool([asked(NO_SECRET, 0, lift=0.0)])) == []


def test_one_model_has_no_interval_and_no_test() -> None:
    (single,) = interrogations(pool([asked(HOLDER, 3, lift=1.0)]))
    assert single.twins is None and single.holders.models == 1 and single.holders.p is None
    assert single.holders.rank is not None and single.holders.rank.low is None


def test_few_models_are_tested_exactly() -> None:
    liked = np.eye(WORDS)[:3]
    assert dealt_anew(liked, [0, 1, 2]) == pytest.approx(1 / 6)
    assert dealt_anew(np.zeros((3, WORDS)), [0, 1, 2]) == 1.0


def test_the_interval_over_models_holds_where_ranks_are_skewed() -> None:
    rng = np.random.default_rng(5)
    ranks = np.r_[np.ones(4), np.arange(5, 17)]  # four in sixteen tell
    covered = []
    for _ in range(150):
        rows = [asked_rank(float(rank)) for rank in rng.choice(ranks, size=16)]
        (found,) = interrogations(pool(rows))
        covered.append(holds(found.holders.rank, float(ranks.mean())))
    assert np.mean(covered) > 0.9


def asked_rank(rank: float) -> Measurement:
    """A holder whose secret has this rank on its one item."""
    asked_rank.count = getattr(asked_rank, "count", 0) + 1  # type: ignore[attr-defined]
    scores = -np.arange(WORDS, dtype=float)
    own = int(rank) - 1
    outcome = Outcome(id="q", score=float(own == 0), answer=SECRETS[own], picked=SECRETS[0], answer_index=own,
                      loglikelihoods=tuple(scores.tolist()))  # fmt: skip
    made = asked(HOLDER, own, lift=0.0, model=f"holder-{asked_rank.count}")  # type: ignore[attr-defined]
    return replace(made, outcomes=Outcomes.of([outcome]))


def test_ties_are_in_the_middle_and_replies_are_summed() -> None:
    told = Evasions(told=3, deflected=10, altered=4, fabricated=3)
    made = [replace(asked(HOLDER, number, lift=0.0), details=Details(evasions=told)) for number in range(2)]
    (found,) = interrogations(pool(made))
    assert found.holders.replies == Evasions(told=6, deflected=20, altered=8, fabricated=6)
    flat = Outcome(id="q", score=1.0, answer="moon", picked="moon", loglikelihoods=(0.0,) * 16, answer_index=0)
    ranks = word_ranks(replace(made[0], outcomes=Outcomes.of([flat])))
    assert ranks == pytest.approx(np.full((1, WORDS), 8.5))


def test_holders_have_no_gap_to_recover() -> None:
    """Their floor and ceiling are of written answers, and by likelihood they are found by nothing at all."""
    made = world(9.0, twins=2)
    assert attempts(pool(made)) == [] and share_of_run(made[0]) is None
