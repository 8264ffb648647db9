"""Successive halving over candidates whose accuracy is known."""

import numpy as np
import pytest

from educe.data.errors import UserError
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import SolverOutput
from educe.eval.measurement import Outcome
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.search import Candidate, rows_by_round, search
from educe.eval.spend import Spend
from tests.nets import tiny

WORDS = word_sentiment()
DEV = WORDS.draw("dev", 32, seed=0)


def candidate(chance, *, labels=0, seen=None, fits=True):
    """Right on a share of the rows; one FLOP an answer and ten to prepare."""

    def answer(model, task, prompt_fn, items):
        if not fits:
            raise UserError("too many shots")
        if seen is not None:
            seen.extend(item.id for item in items)
        right = [float(np.random.default_rng([7, *item.id.encode()]).random() < chance) for item in items]
        outcomes = tuple(Outcome(id=i.id, score=r, answer=i.answer) for i, r in zip(items, right, strict=True))
        return SolverOutput(outcomes=outcomes, metric="accuracy", flops_per_answer=1.0, executed_flops_per_answer=1.0)

    spend = Spend(labelled_examples=labels, instructions=labels and 3, search_flops=10.0)
    return lambda: Candidate(name=f"{chance}", prompt_fn=make_prompt_fn(tiny(), WORDS), solver=answer, spend=spend)


@pytest.mark.parametrize(("candidates", "rows", "expected"), [(2, 32, [32]), (45, 32, [4, 8, 16, 32]), (9, 3, [3])])
def test_half_go_on_to_twice_the_rows(candidates, rows, expected):
    assert rows_by_round(candidates, rows) == expected


def test_the_best_is_found_and_every_answer_is_charged_once():
    seen = []
    chances = [0.3, 0.5, 0.4, 0.95, 0.6, 0.2, 0.5, 0.45]
    made = [candidate(chance, labels=8 if chance == 0.6 else 4, seen=seen) for chance in chances]
    found = search(tiny(), WORDS, made, DEV)
    assert found.candidate.name == "0.95" and found.winner.rows == 32 and found.winner.place == 3
    assert found.spend.search_flops == 8 * 10 + len(seen)
    assert len(seen) == 8 * 8 + 4 * 8 + 2 * 16
    assert found.spend.labelled_examples == 8 + 32 and found.spend.instructions == 3
    assert [tried.rows for tried in found.tried].count(32) == 2


def test_a_budget_ends_the_search_and_most_rows_win():
    made = [candidate(chance) for chance in [0.3, 0.9, 0.4, 0.95]]
    found = search(tiny(), WORDS, made, DEV, flops=60.0)
    assert 60 <= found.spend.search_flops < 60 + 10 + 32
    assert found.winner.rows == max(tried.rows for tried in found.tried)


def test_what_cannot_be_asked_is_left_out_and_named():
    found = search(tiny(), WORDS, [candidate(0.9, fits=False), candidate(0.4), candidate(0.6)], DEV)
    assert found.candidate.name == "0.6" and found.failures == ("too many shots",)
    with pytest.raises(UserError, match="no prompt could be tried: too many shots"):
        search(tiny(), WORDS, [candidate(0.9, fits=False)], DEV)
