"""Options in several orders, nearest demonstrations and generated answers."""

from collections import Counter

import pytest

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import named_choice
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.eval.prompting.solvers.nearest_shots import make_nearest_shots, state_neighbours, word_neighbours
from educe.eval.prompting.solvers.option_order import OrderVoteSolver, rotate_options
from tests.nets import tiny

CAPITALS, WORDS = capitals(), word_sentiment()
ITEMS = CAPITALS.test_items(6)
LETTERS = PromptConfig(answer_as="letter")


def test_each_option_stands_once_at_every_place():
    for item in ITEMS:
        turns = [rotate_options(item, turn, seed=3) for turn in range(len(item.choices))]
        assert turns[0] == item and all(turn.answer == item.answer for turn in turns)
        assert Counter(turn.answer_index for turn in turns) == Counter(range(len(item.choices)))


def test_orders_vote_and_record_the_bias_for_places():
    model, prompt_fn = tiny(), make_prompt_fn(tiny(), CAPITALS, prompt_config=LETTERS)
    output = OrderVoteSolver(orders=4)(model, CAPITALS, prompt_fn, ITEMS)
    plain = measure(model, CAPITALS, prompt_fn, ITEMS)
    seen = output.details.option_orders
    assert seen.accuracies["order 1"] == plain.score
    assert sum(seen.picked_places.values()) == pytest.approx(1)
    assert list(seen.right_places.values()) == pytest.approx([0.25] * 4)
    assert output.flops_per_answer == pytest.approx(4 * plain.flops_per_answer, rel=0.02)
    # A random net picks by letter, so no answer is the same in all four orders.
    assert seen.changed_share > 0.5
    for outcome, item in zip(output.outcomes, ITEMS, strict=True):
        assert outcome.picked in item.choices and outcome.score == float(outcome.picked == item.answer)
        assert outcome.answer_index == item.answer_index  # whichever order won


def biased(bonus):
    """A solver that knows a little and strongly prefers the first option."""

    def answer(model, task, prompt_fn, items):
        outcomes = []
        for item in items:
            likelihoods = tuple(
                -2.0 + (0.5 if choice == item.answer else 0.0) + (bonus if place == 0 else 0.0)
                for place, choice in enumerate(item.choices)
            )
            picked = item.choices[likelihoods.index(max(likelihoods))]
            outcomes.append(
                Outcome(id=item.id, score=float(picked == item.answer), answer=item.answer, picked=picked,
                        loglikelihoods=likelihoods, option_tokens=(1,) * len(likelihoods))
            )  # fmt: skip
        return SolverOutput(
            outcomes=tuple(outcomes), metric="accuracy", flops_per_answer=1.0, executed_flops_per_answer=1.0
        )

    return answer


@pytest.mark.parametrize("task", [CAPITALS, WORDS], ids=["four options", "two options"])
def test_a_bias_for_the_first_place_is_voted_out(task):
    """Always picking the first option gives a tie over all orders; log-likelihoods then decide."""
    items = task.test_items(12)
    vote = OrderVoteSolver(orders=5, solver=biased(3.0))(tiny(), task, make_prompt_fn(tiny(), task), items)
    assert vote.score == 1.0
    assert biased(3.0)(tiny(), task, make_prompt_fn(tiny(), task), items).score < 1
    assert vote.details.option_orders.picked_places["1"] == vote.details.option_orders.changed_share == 1.0
    assert vote.flops_per_answer == len(items[0].choices)  # a fifth order would repeat one


def test_likelihoods_come_back_in_the_item_s_own_order():
    """The order of options that are not listed does not reach the model: every order has the same scores."""
    model, prompt_fn = tiny(), make_prompt_fn(tiny(), CAPITALS)
    plain = measure(model, CAPITALS, prompt_fn, ITEMS)
    for one, other in zip(
        OrderVoteSolver(orders=3)(model, CAPITALS, prompt_fn, ITEMS).outcomes, plain.outcomes, strict=True
    ):
        assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=1e-3)
        assert one.option_tokens == other.option_tokens


def test_items_without_options_have_no_order():
    sums = arithmetic()
    with pytest.raises(UserError, match="no options to put into another order"):
        OrderVoteSolver()(tiny(), sums, make_prompt_fn(tiny(), sums), sums.test_items(2))


POOL = [
    Example(id="a", question="What is the capital of Peru?", answer="Lima"),
    Example(id="b", question="How is honey made?", answer="by bees"),
    Example(id="c", question="Which is the longest river of Peru?", answer="the Ucayali"),
]
ASKED = Example(id="x", question="What is the largest lake of Peru?", answer="Titicaca")


def test_shared_words_make_neighbours_and_the_nearest_comes_last():
    assert [near.id for near in word_neighbours(POOL, 2).of(ASKED)] == ["c", "a"]
    assert len(word_neighbours(POOL, 9).of(ASKED)) == 3


def test_a_question_is_its_own_nearest_neighbour_by_states():
    model = tiny()
    pool, prompt_fn = list(WORDS.draw("train", 6, seed=0)), make_prompt_fn(model, WORDS)
    neighbours = state_neighbours(pool, 2, model=model, prompt_fn=prompt_fn)
    for row in pool:
        assert neighbours.of(row)[-1] == row
    alone = {item.id: neighbours.of(item) for item in WORDS.test_items(5)}
    fresh = state_neighbours(pool, 2, model=model, prompt_fn=prompt_fn)
    cost = fresh.find(WORDS.test_items(5))
    assert {item.id: fresh.of(item) for item in WORDS.test_items(5)} == alone and cost.search_flops > 0


def test_every_answer_is_charged_for_finding_its_neighbours():
    model, items = tiny(), WORDS.test_items(4)
    pool = WORDS.draw("train", 6, seed=0)
    prompt_fn, solver, _ = make_nearest_shots(model, WORDS, pool, shots=2, by="states")
    first, again = solver(model, WORDS, prompt_fn, items), solver(model, WORDS, prompt_fn, items)
    assert first == again
    assert first.flops_per_answer > measure(model, WORDS, prompt_fn, items).flops_per_answer


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("green", "green"),
        (" Green.\nQuestion: next", "green"),
        ("It is green, not red.", "green"),
        ("B. green", "green"),
        ("(b)", "green"),
        ("A", "red"),
        ("Because it shines", None),
        ("dark green", "dark green"),
        ("the dark green one", "dark green"),
        ("", None),
        ("A is the right answer.", "red"),
        ("The answer is A because it is.", "red"),
        ("I think the correct answer is: (C)", "dark green"),
        ("Option B", "green"),
        ("A bird sat there", None),
        ("A. green", None),  # label and text disagree
        ("**B**", "green"),
        ("evergreen", None),
    ],
)
def test_what_a_text_names(text, named):
    assert named_choice(["red", "green", "dark green"], text, labels=["A", "B", "C"]) == named


@pytest.mark.parametrize("task", [CAPITALS, arithmetic()], ids=["choice", "generation"])
def test_written_answers_are_drawn_with_the_seed(task):
    model, items = tiny(), task.test_items(4)
    prompt_fn = make_prompt_fn(model, task, prompt_config=LETTERS if task.kind == "choice" else PromptConfig())
    greedy = GenerationSolver()(model, task, prompt_fn, items)
    one, again, other = (
        GenerationSolver(temperature=2.0, seed=seed)(model, task, prompt_fn, items) for seed in (0, 0, 1)
    )
    assert one == again != other and "temperature 2" in one.metric and "written" in greedy.metric
    if task.kind == "generation":
        assert [outcome.text for outcome in greedy.outcomes] == [
            outcome.text for outcome in measure(model, task, prompt_fn, items).outcomes
        ]
    else:
        assert all((outcome.picked is None) <= (outcome.score == 0) for outcome in one.outcomes)
        assert 0 <= one.details.notes["named_an_option"] <= 1
