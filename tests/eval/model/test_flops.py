"""FLOP formulas against torch's own counter."""

import pytest
import torch

from educe.eval.model.flops import (
    Shape,
    Trained,
    answer_flops,
    attention_flops,
    forward_flops,
    generation_flops,
    training_flops,
)
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.source import MODELS, Bundled
from educe.eval.spend import Spend
from educe.train.attach import attach, temporary_changes
from educe.train.changes.own_weights import AllWeights, NormsAndBiases
from educe.train.changes.peft import Ia3, Lora
from educe.train.changes.vectors import EmbeddingRow, SteeringVector
from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss
from tests.flops import count
from tests.nets import tiny, tiny_sliding

SMALL = Shape(
    hidden=4,
    heads=2,
    head_dim=2,
    vocab=10,
    context=64,
    stage_parameters=(10, 5, 20, 10),
    windows=(None, 3),
    parameters=200,
)


def check_against_counter(model: Model, tokens: int) -> None:
    """Forward, and every kind of change (everywhere, and high up on few maps), each within 1%."""
    ids = torch.arange(3, 3 + tokens)[None] % 200
    wanted = torch.zeros(1, tokens, dtype=torch.bool)
    wanted[0, -4:] = True
    measured = count(lambda: model.net(ids, logits_to_keep=wanted, use_cache=False))
    assert forward_flops(model.shape, tokens, scored=4, clip=False) == pytest.approx(measured, rel=0.01)

    row = TrainingRow(id="row", ids=(*ids[0].tolist(), 5), supervised=4)
    last = model.shape.layers - 1
    for change in (
        Lora(rank=8),
        Lora(rank=1, modules=("v_proj",)),
        Lora(rank=2, modules=("down_proj",), layers=(last,)),
        Lora(rank=1, trainable_parameters=1),
        Ia3(),
        NormsAndBiases(),
        NormsAndBiases(layers=(last,)),
        SteeringVector(layer=last),
        SteeringVector(layer=0),
        EmbeddingRow(token=5),
        AllWeights(),
    ):
        with temporary_changes(model):
            tuned = attach(model, change, seed=0)
            loss = AnswerLoss(tuned.net, shared=0, pad=0)
            measured = count(lambda loss=loss: loss([[row]]).backward())
            formula = training_flops(model.shape, tokens, scored=4, trained=tuned.change.part, executed=True)
        assert formula == pytest.approx(measured, rel=0.01), change


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_formulas_agree_with_the_counter_on_tiny_nets(make):
    check_against_counter(make(), tokens=40)


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "gemma-3-270m"])
def test_formulas_agree_with_the_counter_on_real_nets(name):
    check_against_counter(load_model(name), tokens=64)


@pytest.mark.model
def test_the_shape_known_before_loading_is_the_net_s_own():
    known = MODELS["smollm2-135m-instruct"]
    assert isinstance(known, Bundled)
    assert load_model("smollm2-135m-instruct").shape == known.shape


@pytest.mark.slow
@pytest.mark.model
def test_the_shape_of_gemma_known_before_loading_is_the_net_s_own():
    known = MODELS["gemma-3-270m"]
    assert isinstance(known, Bundled)
    assert load_model("gemma-3-270m").shape == known.shape


def test_forward_by_hand():
    # 2 * (2 layers * 45) * 5 tokens + 2 * 10 * 4 * 1 position + 4 * 5 queries * (5 + 3 keys) * 2 heads * 2
    assert forward_flops(SMALL, 5, scored=1) == 900 + 80 + 640
    assert forward_flops(SMALL, 5, scored=1, clip=False) == 900 + 80 + 800


def test_attention_after_a_cache_sees_it():
    assert attention_flops(SMALL, 1, 11) == 4 * (11 + 3) * 4


def test_an_adapter_high_up_leaves_the_layers_below_without_a_backward():
    low = training_flops(SMALL, 5, scored=1, trained=Trained(adapter_parameters=2))
    high = training_flops(SMALL, 5, scored=1, trained=Trained(adapter_parameters=2, lowest_layer=1))
    assert low - high == 2 * 45 * 5 + 2 * 4 * 5 * 5 * 4  # one layer's input gradients, one attention backward


def test_one_token_options_cost_their_logits_only():
    assert answer_flops(SMALL, prompt_tokens=5, option_tokens=[1, 1, 1]) == forward_flops(SMALL, 5, scored=1)


def test_generation_is_the_prompt_and_a_token_at_a_time():
    expected = forward_flops(SMALL, 5, scored=1) + sum(
        forward_flops(SMALL, 1, scored=1, cached=5 + i) for i in range(2)
    )
    assert generation_flops(SMALL, prompt_tokens=5, new_tokens=3) == expected


def test_spends_add_up():
    one = Spend(labelled_examples=4, train_flops=10.0, flops_per_answer=2.0, trainable_parameters=7)
    two = Spend(labelled_examples=3, search_flops=5.0, flops_per_answer=9.0, trainable_parameters=1)
    both = one + two
    assert both.labelled_examples == 7
    assert both.elicitation_flops == 15.0
    assert (both.flops_per_answer, both.trainable_parameters) == (9.0, 7)
