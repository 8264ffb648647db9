"""The logit lens: the last layer is the net itself, and an earlier one is the net that ends there."""

from dataclasses import replace

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import encode_items
from educe.eval.model.lens import lens_scores
from educe.eval.model.load import load_model
from educe.eval.model.net import layers_of, patched_forward, shape_of
from educe.eval.model.score import score_options
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.catalog import make_method
from tests.nets import tiny, tiny_sliding

TASK = word_sentiment()


def tiny_gpt2():
    """An architecture that adds positions to its input, which must not be added to a state."""
    llama = tiny()
    config = GPT2Config(
        vocab_size=llama.shape.vocab, n_embd=32, n_layer=3, n_head=2, n_positions=512, bos_token_id=1, eos_token_id=2
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        net = GPT2LMHeadModel(config)
    net.eval().requires_grad_(False)
    return replace(llama, name="tiny-gpt2", net=net, shape=shape_of(net), cache={})


def encoded(model):
    prompt_fn, items = make_prompt_fn(model, TASK), TASK.test_items(12)
    return encode_items(model, [prompt_fn(item) for item in items], items)


@pytest.mark.parametrize("make", [tiny, tiny_sliding, tiny_gpt2])
def test_the_last_layer_scores_as_the_net_does(make):
    model = make()
    items = encoded(model)
    whole = score_options(model, items)
    lens = lens_scores(model, items, layers=[model.shape.layers - 1])
    for one, other in zip(whole.loglikelihoods, lens.loglikelihoods, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert lens.flops == pytest.approx(whole.flops)


def test_an_earlier_layer_scores_as_a_net_that_ends_there():
    model = tiny()
    items = encoded(model)
    lens = lens_scores(model, items, layers=[0])
    with patched_forward(layers_of(model.net)[1], lambda hidden, *_, **__: hidden):
        cut = score_options(model, items)
    for one, other in zip(cut.loglikelihoods, lens.loglikelihoods, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert lens.loglikelihoods != score_options(model, items).loglikelihoods


def test_several_layers_are_their_mean_and_cost_their_heads():
    model = tiny()
    items = encoded(model)
    alone = [lens_scores(model, items, layers=[layer]) for layer in (0, 1)]
    both = lens_scores(model, items, layers=[0, 1])
    for first, second, mean in zip(*(each.loglikelihoods for each in (*alone, both)), strict=True):
        assert mean == pytest.approx([(a + b) / 2 for a, b in zip(first, second, strict=True)], abs=1e-5)
    assert both.flops > alone[0].flops
    assert torch.isfinite(torch.tensor(both.flops))


def test_the_recipe_reads_below_the_last_layer_and_refuses_what_it_cannot_read():
    deep, model = tiny_sliding(), load_model("tiny-random")
    _, lens = make_method("logit_lens")
    elicited = lens(deep, TASK, examples=0, seed=0)
    answered = elicited.solver(deep, TASK, elicited.prompt_fn, TASK.test_items(12))
    below = lens_scores(deep, encoded(deep), layers=[3, 4])
    for outcome, expected in zip(answered.outcomes, below.loglikelihoods, strict=True):
        assert outcome.loglikelihoods == pytest.approx(expected, abs=1e-5)
    with pytest.raises(UserError, match="has 2 layers and none between half of them and the last; set layer, as in"):
        lens(model, TASK, examples=0, seed=0)
    with pytest.raises(UserError, match="has no layer 9; layers are 0 to"):
        make_method({"logit_lens": {"layer": 9}})[1](model, TASK, examples=0, seed=0)
    with pytest.raises(UserError, match="no options to read from earlier layers"):
        lens.check(arithmetic(), examples=0)
