"""Outcomes: what is picked, normalised, graded and kept."""

import pytest
import torch

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.grade import exact_match
from educe.data.task import Task
from educe.data.tasks.arithmetic import arithmetic
from educe.eval import measure as module
from educe.eval.measure import measure
from educe.eval.model.score import Scores
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from tests.nets import tiny, tiny_chat

ITEMS = (
    Example(id="1", question="Long or short?", answer="a rather long one", choices=("a rather long one", "short")),
    Example(id="2", question="Short or long?", answer="brief", choices=("a rather long one", "brief"), cluster="c"),
)


def task(**options) -> Task:
    return Task(name="lengths", version=1, kind="choice", load=lambda: {"test": ITEMS, "train": ()}, **options)


def with_scores(monkeypatch, *values):
    monkeypatch.setattr(
        module, "score_options", lambda *args, **more: Scores(loglikelihoods=values, flops=8.0, executed_flops=4.0)
    )


@pytest.mark.parametrize(("normalize_by", "picked"), [("none", "short"), ("byte", "a rather long one")])
def test_normalisation_decides_between_long_and_short(monkeypatch, normalize_by, picked):
    with_scores(monkeypatch, (-8.5, -8.0), (-9.0, -1.0))
    model = tiny()
    lengths = task(normalize_by=normalize_by)
    first, second = measure(model, lengths, make_prompt_fn(model, lengths), ITEMS).outcomes
    assert first.picked == picked
    assert first.score == float(picked == "a rather long one")
    assert (second.picked, second.score, second.cluster) == ("brief", 1.0, "c")


def test_the_margin_is_between_the_best_and_the_next(monkeypatch):
    with_scores(monkeypatch, (-8.5, -8.0), (-9.0, -1.0))
    model = tiny()
    first, second = measure(model, task(), make_prompt_fn(model, task()), ITEMS).outcomes
    assert (first.margin, second.margin) == (0.5, 8.0)
    assert first.loglikelihoods == (-8.5, -8.0)
    assert first.option_tokens == (18, 6)
    assert [first.answer_index, second.answer_index] == [item.answer_index for item in ITEMS]


def test_the_metric_says_how_options_were_compared(monkeypatch):
    with_scores(monkeypatch, (-8.5, -8.0), (-9.0, -1.0))
    model = tiny()
    plain, by_byte = (
        measure(model, each, make_prompt_fn(model, each), ITEMS).metric for each in (task(), task(normalize_by="byte"))
    )
    assert plain == "accuracy"
    assert by_byte == "accuracy (log-likelihood per byte)"


def test_the_price_of_an_answer_is_a_mean(monkeypatch):
    with_scores(monkeypatch, (-8.5, -8.0), (-9.0, -1.0))
    model = tiny()
    output = measure(model, task(), make_prompt_fn(model, task()), ITEMS)
    assert (output.flops_per_answer, output.executed_flops_per_answer) == (4.0, 2.0)


def test_generated_text_is_graded_and_kept():
    items = (
        Example(id="1", question="What?", answer="never this"),
        Example(id="2", question="Why?", answer="nor this"),
    )
    asked = Task(
        name="open",
        version=1,
        kind="generation",
        grade=exact_match,
        max_new_tokens=5,
        load=lambda: {"test": items, "train": ()},
    )
    model = tiny()
    outcomes = measure(model, asked, make_prompt_fn(model, asked), items).outcomes
    assert [outcome.score for outcome in outcomes] == [0.0, 0.0]
    assert all(outcome.text is not None and outcome.picked is None for outcome in outcomes)


def test_a_chat_template_asked_of_a_base_model_is_refused():
    with pytest.raises(UserError, match="'tiny-random' is a base model: it has no chat template"):
        make_prompt_fn(tiny(), task(), prompt_config=PromptConfig(template="chat"))


def test_each_kind_of_model_has_its_own_style():
    assert make_prompt_fn(tiny(), task())(ITEMS[0]).style == "completion"
    assert make_prompt_fn(tiny_chat(), task())(ITEMS[0]).style == "chat"
    assert (
        make_prompt_fn(tiny_chat(), task(), prompt_config=PromptConfig(template="completion"))(ITEMS[0]).style
        == "completion"
    )


def test_letters_mean_nothing_to_a_generation_task():
    asked = Task(name="open", version=1, kind="generation", grade=exact_match, load=lambda: {"test": ITEMS})
    with pytest.raises(UserError, match="drop answer_as: letter"):
        make_prompt_fn(tiny(), asked, prompt_config=PromptConfig(answer_as="letter"))


def test_answers_of_weights_that_are_no_numbers_are_refused():
    model, sums = tiny(), arithmetic()
    with torch.no_grad():
        model.net.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"scores the options of item .* are corrupt"):
        measure(model, task(), make_prompt_fn(model, task()), ITEMS)
    with pytest.raises(UserError, match=r"no likelihood .nan.*are corrupt"):
        measure(model, sums, make_prompt_fn(model, sums), sums.test_items(2))
