"""Formats asked sparsely and searched, against the full grid computed by brute force."""

import math
from collections import Counter

import numpy as np
import pytest

from educe.data.errors import UserError
from educe.data.example import Example, Message
from educe.data.format import Format
from educe.data.formats.render import Prompt
from educe.data.tasks.capitals import capitals
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.prompting.formats import DrawnFormat, draw_formats
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.format_grid import FormatGridSolver
from educe.eval.prompting.solvers.format_spread import FormatSpreadSolver
from educe.recipes.catalog import make_method
from educe.train.attach import temporary_changes
from tests.nets import tiny, tiny_chat

WORDS = word_sentiment()
ITEMS = WORDS.test_items(20)


def brute_force(model, formats, items=ITEMS, task=WORDS):
    return np.array([[o.score for o in measure(model, task, each.prompt_fn, items).outcomes] for each in formats])


@pytest.mark.parametrize("make", [tiny, pytest.param(tiny_chat, marks=pytest.mark.slow)])
def test_the_whole_grid_is_brute_force(make):
    model = make()
    formats = draw_formats(model, WORDS, 6, seed=0)
    grid = brute_force(model, formats)
    output = FormatGridSolver(formats=formats)(model, WORDS, formats[0].prompt_fn, ITEMS)
    assert [outcome.score for outcome in output.outcomes] == pytest.approx(list(grid.mean(axis=0)))
    accuracies = np.array(list(output.details.formats.accuracies.values()))
    assert accuracies == pytest.approx(grid.mean(axis=1), abs=0.02)
    seen = output.details.formats
    assert seen.pairs_asked == grid.size
    assert seen.sd_low <= seen.sd <= seen.sd_high
    alone = [measure(model, WORDS, each.prompt_fn, ITEMS).flops_per_answer for each in formats]
    assert output.flops_per_answer == pytest.approx(sum(alone) / len(alone), rel=1e-9)


def test_a_share_asks_no_more_than_it_says_and_every_item():
    model, items = tiny(), WORDS.test_items(40)
    formats = draw_formats(model, WORDS, 12, seed=3)
    output = FormatGridSolver(formats=formats, share=0.25, seed=1)(model, WORDS, formats[0].prompt_fn, items)
    assert output.details.formats.pairs_asked == 120  # a quarter of the grid
    assert [outcome.id for outcome in output.outcomes] == [item.id for item in items]
    grid = brute_force(model, formats, items)
    assert output.score == pytest.approx(grid.mean(), abs=0.1)
    with pytest.raises(UserError, match="give 2 or more test_items"):
        FormatGridSolver(formats=formats)(model, WORDS, formats[0].prompt_fn, items[:1])


def marked(number):
    """A prompt function whose prompts are a number."""
    return lambda item: Prompt(messages=(Message(role="user", content=str(number)),), style="chat", format=Format())


def right_by_chance(chances):
    """Answers that are right with the chance that belongs to the prompt's number."""

    def answer(model, task, prompt_fn, items):
        chance = chances[int(prompt_fn(items[0]).messages[0].content)]
        right = np.random.default_rng(int(1e6 * chance)).random(1000) < chance
        outcomes = [Outcome(id=item.id, score=float(right[int(item.id)]), answer="a") for item in items]
        return SolverOutput(
            outcomes=tuple(outcomes), metric="accuracy", flops_per_answer=1.0, executed_flops_per_answer=1.0
        )

    return answer


def test_the_search_finds_the_extremes_and_stays_in_its_budget():
    """Fifty formats between 40% and 60% but one far above and one far below: a fifth of the grid finds both."""
    chances = [0.9, 0.1, *np.random.default_rng(0).uniform(0.4, 0.6, 48), 0.5]
    formats = tuple(DrawnFormat(name=str(k), answer_by="text", prompt_fn=marked(k)) for k in range(50))
    items = [Example(id=str(k), question=f"{k}?", answer="a") for k in range(200)]
    search = FormatSpreadSolver(
        formats=formats, share=0.2, batch=8, solver=right_by_chance([float(p) for p in chances])
    )
    output = search(tiny(), WORDS, marked(50), items)
    found = output.details.format_extremes
    assert (found.best.format, found.worst.format) == ("0", "1")
    assert found.spread == pytest.approx(0.8, abs=0.1)
    assert found.pairs_asked == 2000
    assert output.flops_per_answer == 1 and found.flops == 2000


def test_the_smallest_search_looks_at_two_formats():
    formats = tuple(DrawnFormat(name=str(k), answer_by="text", prompt_fn=marked(k)) for k in range(2))
    items = [Example(id=str(k), question=f"{k}?", answer="a") for k in range(4)]
    search = FormatSpreadSolver(formats=formats, share=0.05, solver=right_by_chance([0.9, 0.1, 0.5]))
    assert search(tiny(), WORDS, marked(2), items).details.format_extremes.formats_asked == 2


@pytest.mark.parametrize("num_formats", [2, 3, 6, 12, 24, 100])
@pytest.mark.parametrize("num_items", [2, 8, 60, 101])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.4])
def test_every_item_meets_two_formats_whatever_the_share(num_formats, num_items, share):
    formats = tuple(DrawnFormat(name=str(k), answer_by="text", prompt_fn=marked(k)) for k in range(num_formats))
    items = [Example(id=str(k), question=f"{k}?", answer="a") for k in range(num_items)]
    answer = right_by_chance([0.5] * num_formats)
    met: Counter[str] = Counter()

    def counting(model, task, prompt_fn, asked):
        met.update(item.id for item in asked)
        return answer(model, task, prompt_fn, asked)

    output = FormatGridSolver(formats=formats, share=share, solver=counting)(tiny(), WORDS, marked(0), items)
    assert min(met[item.id] for item in items) >= 2
    assert not any(math.isnan(outcome.score) for outcome in output.outcomes)


def test_with_the_whole_budget_the_search_is_brute_force():
    model = tiny()
    formats = draw_formats(model, WORDS, 4, seed=0)
    grid = brute_force(model, formats).mean(axis=1)
    prompt_fn = make_prompt_fn(model, WORDS)
    output = FormatSpreadSolver(formats=formats, share=1.0)(model, WORDS, prompt_fn, ITEMS)
    assert output.outcomes == measure(model, WORDS, prompt_fn, ITEMS).outcomes
    assert output.details.format_extremes.spread == pytest.approx(grid.max() - grid.min())
    assert output.details.format_extremes.formats_asked == 4


@pytest.mark.parametrize("name", ["prompt_eval", "format_spread"])
def test_spread_is_a_recipe_alone_and_after_training(name):
    model = tiny()
    asked = {name: {"formats": 3, "share": 1.0}}
    task = capitals()
    _, alone = make_method(asked)
    elicited = alone(model, task, examples=0, seed=0)
    plain = elicited.solver(model, task, elicited.prompt_fn, task.test_items(6))
    _, method = make_method({"stacked": {"train": {"iid_sft": {"learning_rate": 0.05, "epochs": 1}}, "prompt": asked}})
    with temporary_changes(model):
        trained = method(model, task, examples=4, seed=0)
        after = trained.solver(trained.model, task, trained.prompt_fn, task.test_items(6))
    assert (plain.details.formats is None) == (after.details.formats is None)
    assert (plain.details.format_extremes is None) == (after.details.format_extremes is None)
    assert plain.outcomes != after.outcomes or plain.details != after.details
    assert trained.spend.train_flops > 0
    # By this the report joins formats before and after training.
    assert trained.details.stack is not None and trained.details.stack.prompting == alone.label(name)
