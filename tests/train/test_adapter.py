"""Adapters: where they sit, what they count, what PEFT reads back."""

import pytest
import torch
from peft import PeftModel

from data.errors import UserError
from eval.cost import Trained
from tests.nets import tiny
from train import adapter
from train.adapter import Lora, attach, bare, load_snapshot, save, snapshot, trained_part


def logits(net):
    with torch.inference_mode():
        return net(torch.tensor([[5, 6, 7, 8]])).logits


def test_a_fresh_adapter_changes_nothing_yet():
    subject = tiny()
    before = logits(subject.net)
    with bare(subject):
        assert torch.equal(logits(attach(subject, Lora(), seed=0).net), before)


def test_only_the_declared_maps_and_layers_train():
    subject = tiny()
    with bare(subject):
        tuned = attach(subject, Lora(rank=1, modules=("v_proj",), layers=(1,)), seed=0)
        names = [name for name, part in tuned.net.named_parameters() if part.requires_grad]
        assert len(names) == 2
        assert all("layers.1.self_attn.v_proj.lora_" in name for name in names)
        assert trained_part(tuned) == Trained(adapter_parameters=64 + 32, lowest_layer=1, lowest_stage=0)


def test_the_head_gets_no_adapter():
    subject = tiny()
    with bare(subject):
        tuned = attach(subject, Lora(), seed=0)
        assert not [name for name, part in tuned.net.named_parameters() if "lm_head" in name and part.requires_grad]


def test_peft_reads_a_saved_adapter_back(tmp_path):
    subject = tiny()
    with bare(subject):
        tuned = attach(subject, Lora(rank=2), seed=0)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.add_(0.1)
        expected = logits(tuned.net)
        save(tuned, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert torch.allclose(logits(PeftModel.from_pretrained(tiny().net, str(tmp_path))), expected, atol=1e-6)


def test_a_snapshot_restores_an_adapter():
    subject = tiny()
    with bare(subject):
        tuned = attach(subject, Lora(rank=2), seed=0)
        kept = snapshot(tuned)
    with bare(subject):
        again = attach(subject, Lora(rank=2), seed=5)
        load_snapshot(again, kept)
        restored = snapshot(again)
    assert all(torch.equal(kept[name], restored[name]) for name in kept)


def test_an_adapter_that_was_on_before_starts_like_a_fresh_one():
    used, fresh = tiny(), tiny()
    with bare(used):
        worn = attach(used, Lora(rank=2), seed=5)
        with torch.no_grad():
            for parameter in worn.trained.values():
                parameter.add_(1.0)
                parameter.grad = torch.ones_like(parameter)
        worn.net.train()
    with bare(used):
        attach(used, Lora(rank=1), seed=5)
    with bare(used), bare(fresh):
        again, first = attach(used, Lora(rank=2), seed=3), attach(fresh, Lora(rank=2), seed=3)
        assert snapshot(again).keys() == snapshot(first).keys()
        assert all(torch.equal(one, snapshot(first)[name]) for name, one in snapshot(again).items())
        assert torch.equal(logits(again.net), logits(first.net))
        assert not any(part.training for part in again.net.modules())
        assert all(parameter.grad is None for parameter in again.trained.values())
        assert trained_part(again) == trained_part(first)
    assert torch.equal(logits(used.net), logits(tiny().net))


def test_a_module_that_matches_nothing_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="no linear map of 'tiny-random' is called 'v_projj'; did you mean 'v_proj'"):
        attach(tiny(), Lora(modules=("v_projj",)), seed=0)


def test_a_layer_out_of_range_is_refused():
    with pytest.raises(UserError, match="has no layer 2; layers are 0 to 1"):
        attach(tiny(), Lora(layers=(2,)), seed=0)


def test_an_adapter_that_broke_off_half_way_comes_off(monkeypatch):
    subject = tiny()
    wrap = adapter.get_peft_model

    def breaking(net, config):
        wrap(net, config)
        raise RuntimeError("no memory")

    monkeypatch.setattr(adapter, "get_peft_model", breaking)
    with pytest.raises(RuntimeError, match="no memory"), bare(subject):
        attach(subject, Lora(), seed=0)
    monkeypatch.undo()
    assert torch.equal(logits(subject.net), logits(tiny().net))
    with bare(subject):
        assert attach(subject, Lora(), seed=0).adapter_parameters
