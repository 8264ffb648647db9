"""Frozen maps in bfloat16: close to float32, gone afterwards, and chosen by what the hardware can do."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.load import load_model
from educe.train.attach import attach, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.frozen import frozen_maps_in, resolve_precision
from tests.nets import tiny, tiny_sliding

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


def holding(net):
    return replace(tiny(), net=net, cache={})


def loss_and_gradients(model, precision):
    net = model.net
    with frozen_maps_in(model, precision):
        loss = nn.functional.cross_entropy(net(IDS).logits[0, :-1], IDS[0, 1:])
        loss.backward()
    gradients = [parameter.grad.clone() for parameter in model.trained.values()]
    net.zero_grad()
    return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_loss_and_gradients_stay_near_float32(make):
    model = make()
    with temporary_changes(model):
        tuned = attach(model, Lora(), seed=0)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.add_(0.01)
        exact_loss, exact = loss_and_gradients(tuned, "float32")
        loss, rounded = loss_and_gradients(tuned, "bfloat16")
    assert loss != exact_loss
    assert loss == pytest.approx(exact_loss, rel=1e-2)
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0) > 0.999


def test_a_bias_is_added():
    net = nn.Sequential(nn.Linear(4, 3)).requires_grad_(False)
    rows = torch.ones(2, 4)
    with frozen_maps_in(holding(net), "bfloat16"):
        assert torch.allclose(net(rows), nn.functional.linear(rows, net[0].weight, net[0].bias), atol=1e-2)


def test_the_net_is_itself_again_afterwards_also_after_a_failure():
    model = tiny()
    before = model.net(IDS).logits
    with pytest.raises(RuntimeError, match="stop"), frozen_maps_in(model, "bfloat16"):
        assert not torch.equal(model.net(IDS).logits, before)
        raise RuntimeError("stop")
    assert torch.equal(model.net(IDS).logits, before)


def test_maps_that_train_are_left_alone():
    net = nn.Sequential(nn.Linear(4, 3))
    expected = net(torch.ones(1, 4))
    with frozen_maps_in(holding(net), "bfloat16"):
        assert torch.equal(net(torch.ones(1, 4)), expected)


def test_copies_are_kept_and_made_anew_when_the_weights_change():
    model = holding(nn.Sequential(nn.Linear(4, 3, bias=False)).requires_grad_(False))
    rows = torch.ones(1, 4)

    def multiplied():
        with frozen_maps_in(model, "bfloat16"):
            return model.net(rows)

    first = multiplied()
    ((_, copy),) = model.cache.values()
    assert torch.equal(multiplied(), first)
    ((_, again),) = model.cache.values()
    assert again is copy
    with torch.no_grad():
        model.net[0].weight.mul_(2)
    assert torch.equal(multiplied(), 2 * first)


@pytest.mark.parametrize(("native", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_hardware(monkeypatch, native, precision):
    monkeypatch.setattr("educe.train.frozen._native_bfloat16", lambda device: native)
    assert resolve_precision("auto", tiny()) == precision
    assert resolve_precision("float32", tiny()) == "float32"


def test_a_net_in_half_precision_trains_as_it_is():
    half = load_model("tiny-random", dtype="bfloat16")
    assert resolve_precision("auto", half) == "bfloat16"
    with pytest.raises(UserError, match="precision: float32 set for 'tiny-random', loaded in bfloat16; set dtype"):
        resolve_precision("float32", half)
