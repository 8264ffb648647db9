"""Chains of thought, votes and calibration: the prompts, what is picked, and the cost."""

from dataclasses import replace

import pytest

from educe.data.errors import UserError
from educe.data.formats.space import FormatSpace
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.encode import prompt_text
from educe.eval.prompting.formats import DrawnFormat
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.prompting.solvers.calibration import CalibratedSolver
from educe.eval.prompting.solvers.chain_of_thought import (
    CONCLUSION,
    OPENING,
    ChainOfThoughtSolver,
    conclusion_prompt,
    fit_threshold,
    reasoning_prompt,
    write_chains,
)
from educe.eval.prompting.solvers.voting import FormatVoteSolver, majority_vote
from educe.recipes.catalog import make_method
from tests.nets import tiny, tiny_chat

WORDS, SUMS, CAPITALS = word_sentiment(), arithmetic(), capitals()
ITEMS = WORDS.test_items(6)


@pytest.mark.parametrize("make", [tiny, tiny_chat])
def test_the_chain_is_asked_for_and_the_answer_after_it(make):
    model = make()
    prompt = make_prompt_fn(model, WORDS)(ITEMS[0])
    opened = prompt_text(model, reasoning_prompt(prompt))
    assert opened == prompt_text(model, prompt) + (" " if prompt.style == "completion" else "") + OPENING
    final = conclusion_prompt(reasoning_prompt(prompt), " It sounds nice.\n")
    assert prompt_text(model, final) == f"{opened} It sounds nice.\n{CONCLUSION}"
    assert final.continuation("positive") == " positive"


@pytest.mark.parametrize("task", [WORDS, SUMS], ids=["choice", "generation"])
def test_a_chain_costs_its_tokens_and_its_conclusion(task):
    model, items = tiny(), task.test_items(4)
    plain = measure(model, task, make_prompt_fn(model, task), items)
    output = ChainOfThoughtSolver(tokens=8)(model, task, make_prompt_fn(model, task), items)
    assert output.flops_per_answer > plain.flops_per_answer + output.flops_per_answer / 4
    assert [outcome.id for outcome in output.outcomes] == [item.id for item in items]
    assert all(CONCLUSION in (outcome.text or "") for outcome in output.outcomes)
    voted = ChainOfThoughtSolver(samples=3, tokens=8)(model, task, make_prompt_fn(model, task), items)
    assert voted.flops_per_answer == pytest.approx(3 * output.flops_per_answer, rel=0.2)
    assert "majority of 3" in voted.metric


def outcome_of(picked, score=0.0):
    return Outcome(id="one", score=score, answer="a", picked=picked)


def test_most_votes_win_and_the_first_vote_breaks_ties():
    rounds = [[outcome_of("b")], [outcome_of("a", 1.0)], [outcome_of("a", 1.0)], [outcome_of("b")]]
    ((winner, agreed),) = majority_vote(rounds)
    assert (winner.picked, agreed) == ("b", 0.5)
    ((winner, agreed),) = majority_vote(rounds[1:3] + rounds[:1])
    assert (winner.picked, winner.score, agreed) == ("a", 1.0, pytest.approx(2 / 3))
    texts = [[Outcome(id="one", score=1.0, answer="12", text=text)] for text in ("13", " 12.", "12")]
    ((winner, agreed),) = majority_vote(texts)
    assert winner.text == " 12." and agreed == pytest.approx(2 / 3)


def test_chains_of_text_vote_by_their_conclusion(monkeypatch):
    model, prompt_fn, items = tiny(), make_prompt_fn(tiny(), SUMS), SUMS.test_items(1)
    texts = iter([("Adding up.", "12"), ("By counting.", "13"), ("In my head.", " 12.")])

    def one_round(self, model, task, prompt_fn, items, **_):
        chain, answer = next(texts)
        outcome = Outcome(id=items[0].id, score=0.0, answer="9", text=f"{chain}\n{CONCLUSION} {answer}")
        return SolverOutput(
            outcomes=(outcome,), metric="exact match", flops_per_answer=1.0, executed_flops_per_answer=1.0
        )

    monkeypatch.setattr(ChainOfThoughtSolver, "_round", one_round)
    (winner,) = ChainOfThoughtSolver(samples=3)(model, SUMS, prompt_fn, items).outcomes
    assert winner.text == f"Adding up.\n{CONCLUSION} 12"


def test_draws_are_fixed_by_the_seed_and_a_vote_over_equal_prompts_is_their_answer():
    model, prompt_fn = tiny(), make_prompt_fn(tiny(), WORDS)
    one, again, other = (
        [
            outcome.text
            for outcome in ChainOfThoughtSolver(samples=2, tokens=8, seed=seed)(model, WORDS, prompt_fn, ITEMS).outcomes
        ]
        for seed in (0, 0, 1)
    )
    assert one == again != other
    letters = make_prompt_fn(model, WORDS, prompt_config=PromptConfig(answer_as="letter"))
    asked = [
        DrawnFormat(name=str(place), answer_by="text", prompt_fn=each)
        for place, each in enumerate((prompt_fn, prompt_fn, letters))
    ]
    vote = FormatVoteSolver(formats=tuple(asked))
    plain = measure(model, WORDS, prompt_fn, ITEMS)
    voted = vote(model, WORDS, prompt_fn, ITEMS)
    assert [outcome.picked for outcome in voted.outcomes] == [outcome.picked for outcome in plain.outcomes]
    assert voted.flops_per_answer > 2 * plain.flops_per_answer


def test_calibration_subtracts_the_scores_without_the_question():
    model, prompt_fn = tiny(), make_prompt_fn(tiny(), WORDS)
    plain = measure(model, WORDS, prompt_fn, ITEMS)
    # One option leads everywhere; what decides without the question decides no longer.
    assert len({outcome.picked for outcome in plain.outcomes}) == 1
    for by in ("pmi", "context"):
        output = CalibratedSolver(by=by)(model, WORDS, prompt_fn, ITEMS)
        assert [outcome.loglikelihoods for outcome in output.outcomes] == [
            outcome.loglikelihoods for outcome in plain.outcomes
        ]
        assert max(outcome.margin for outcome in output.outcomes) < min(outcome.margin for outcome in plain.outcomes)
        assert output.flops_per_answer > (1.2 if by == "pmi" else 2) * plain.flops_per_answer
    with pytest.raises(UserError, match="no options to calibrate"):
        CalibratedSolver()(model, SUMS, make_prompt_fn(model, SUMS), SUMS.test_items(2))


def test_a_threshold_is_fitted_among_all_agreements():
    model, prompt_fn, dev = tiny(), make_prompt_fn(tiny(), WORDS), WORDS.draw("dev", 6, seed=0)
    chains = ChainOfThoughtSolver(samples=3, tokens=4, temperature=2.0)
    threshold, choice = fit_threshold(chains, model, WORDS, prompt_fn, dev)
    routed = replace(chains, threshold=threshold)(model, WORDS, prompt_fn, dev)
    assert max(choice.scores) == sum(outcome.score for outcome in routed.outcomes) / 6 and len(choice.scores) == 5
    assert choice.search.labelled_examples == 6
    assert choice.search.search_flops == pytest.approx(6 * routed.flops_per_answer)


def test_own_chains_are_shown_where_they_are_correct(monkeypatch):
    model, prompt_fn = tiny(), make_prompt_fn(tiny(), WORDS)
    shots = WORDS.draw("train", 6, seed=0)
    written = write_chains(model, WORDS, prompt_fn, shots, tokens=4)
    right = ChainOfThoughtSolver(tokens=4)(model, WORDS, prompt_fn, shots).outcomes
    assert set(written.answers) == {outcome.id for outcome in right if outcome.score == 1} and written.answers
    shown = make_prompt_fn(model, WORDS, shots=shots, answers=written.answers)(ITEMS[0])
    texts = [message.content for message in shown.messages if message.role == "assistant"]
    for shot, text in zip(shots, texts, strict=True):
        assert text == written.answers.get(shot.id, shot.answer)
        assert text == shot.answer or text.endswith(f"{CONCLUSION} {shot.answer}")
    _, method = make_method({"chain_of_thought": {"shots": 6, "tokens": 4}})
    elicited = method(model, WORDS, examples=6, seed=0)
    assert elicited.spend.labelled_examples == 6 and elicited.spend.search_flops == written.spend.search_flops
    assert elicited.details.shots_that_reason == len(written.answers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": "fit"}, "set dev_examples"),
        ({"dev_examples": 4}, "would not be read"),
        ({"threshold": "fit", "dev_examples": 4000}, "set dev_examples to at most"),
    ],
)
def test_a_threshold_without_dev_rows_is_refused(settings, message):
    _, method = make_method({"self_consistency": settings})
    with pytest.raises(UserError, match=message):
        method.check(WORDS, examples=0)


def test_formats_are_drawn_and_vote():
    model = tiny()
    _, method = make_method({"format_vote": {"formats": 3, "shots": 2}})
    elicited = method(model, WORDS, examples=2, seed=1)
    drawn = FormatSpace(WORDS, "completion").sample(3, seed=1)
    output = elicited.solver(model, WORDS, elicited.prompt_fn, ITEMS)
    assert list(output.details.formats.accuracies) == [named.name for named in drawn]
    assert elicited.spend.labelled_examples == 2 and "majority of 3" in output.metric
    with pytest.raises(UserError, match="draws its formats"):
        make_method({"format_vote": {"answer_as": "letter"}})[1].check(WORDS, examples=0)


def test_calibration_is_a_recipe():
    model = tiny()
    _, method = make_method({"calibrated": {"by": "pmi", "shots": 2}})
    elicited = method(model, WORDS, examples=2, seed=0)
    assert elicited.spend.labelled_examples == 2
    assert "pmi" in elicited.solver(model, WORDS, elicited.prompt_fn, ITEMS).metric
    with pytest.raises(UserError, match="no options to calibrate"):
        method.check(SUMS, examples=0)
