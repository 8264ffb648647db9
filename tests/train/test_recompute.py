"""Activation checkpointing: the same gradients, layers run twice, and nothing of it left on the net."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.flops import training_flops
from educe.train.attach import attach, snapshot, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.frozen import frozen_maps_in
from educe.train.loss import AnswerLoss
from educe.train.recompute import checkpointing_activations
from educe.train.sft import fine_tune
from tests.flops import count
from tests.nets import tiny, tiny_sliding
from tests.train.test_sft import SCHEDULE, rows_for


def gradients(model, *, wanted, precision="float32"):
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        with frozen_maps_in(tuned, precision), checkpointing_activations(tuned, wanted):
            AnswerLoss(tuned.net, shared=0, pad=0)([rows_for(model)]).backward()
        return {name: parameter.grad.clone() for name, parameter in tuned.trained.items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_gradients_are_the_same(make, precision):
    model = make()
    plain = gradients(model, wanted=False, precision=precision)
    again = gradients(model, wanted=True, precision=precision)
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def test_every_layer_runs_twice_and_dropout_stays_off():
    model = tiny()
    seen = []
    for layer in model.net.model.layers:
        layer.self_attn.register_forward_hook(lambda module, inputs, output: seen.append(module.training))
    gradients(model, wanted=True)
    assert seen == [False] * 4


def test_it_is_off_again_afterwards():
    model = tiny()
    with pytest.raises(KeyError), checkpointing_activations(model, True):
        raise KeyError
    gradients(model, wanted=True)
    assert not any("forward" in vars(part) for part in model.net.modules())
    # The embeddings' output would require a gradient now, had the net's own switch been used.
    assert not model.net(torch.tensor([[5, 6]])).logits.requires_grad


def test_a_whole_run_is_the_same_and_costs_one_more_forward():
    model = tiny()
    runs = []
    for wanted in (False, True):
        with temporary_changes(model):
            schedule = replace(SCHEDULE, checkpoint_activations=wanted)
            tuned = fine_tune(model, rows_for(model), trainable=Lora(rank=2), schedule=schedule, seed=0)
            runs.append((tuned, snapshot(tuned.model)))
    (plain, weights), (again, others) = runs
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert plain.history == again.history
    assert again.spend.train_flops == plain.spend.train_flops
    assert 1.2 < again.spend.executed_train_flops / plain.spend.executed_train_flops < 1.5
    assert again.details.training.checkpoint_activations and not plain.details.training.checkpoint_activations


def flops(make, lora) -> tuple[float, float]:
    """By the formula, and by torch's counter."""
    model = make()
    (row, *_) = rows_for(model)
    with temporary_changes(model):
        tuned = attach(model, lora, seed=0)
        loss = AnswerLoss(tuned.net, shared=0, pad=0)
        with checkpointing_activations(tuned, True):
            measured = count(lambda: loss([[row]]).backward())
        formula = training_flops(
            model.shape,
            len(row.ids) - 1,
            scored=row.supervised,
            trained=tuned.change.part,
            executed=True,
            recomputed=True,
        )
    return formula, measured


@pytest.mark.parametrize("lora", [Lora(rank=8), Lora(rank=2, modules=("down_proj",), layers=(1,))])
@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_the_formula_agrees_with_the_counter(make, lora):
    formula, measured = flops(make, lora)
    assert formula == pytest.approx(measured, rel=0.01)


def test_the_formula_charges_a_last_map_that_torch_skips():
    """Nothing trains after the value maps: the recomputation ends before each layer's last product, of five here."""
    formula, measured = flops(tiny, Lora(rank=1, modules=("v_proj",)))
    assert measured < formula < 1.1 * measured


def test_a_net_that_cannot_is_refused():
    class Plain(nn.Module):
        pass

    refused = pytest.raises(
        UserError, match=r"'tiny-random' \(Plain\) cannot recompute its layers; drop checkpoint_act"
    )
    with refused, checkpointing_activations(replace(tiny(), net=Plain()), True):
        pass
