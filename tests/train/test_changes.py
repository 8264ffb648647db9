"""Changes: what they move and count, that they come off, what PEFT reads back."""

import peft
import pytest
import torch
from peft import PeftModel

from educe.data.errors import UserError
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.model.flops import Trained
from educe.eval.model.load import load_model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import attach, load_snapshot, save, snapshot, temporary_changes
from educe.train.changes.own_weights import AllWeights, NormsAndBiases
from educe.train.changes.peft import Ia3, Lora
from educe.train.changes.vectors import EmbeddingRow, SoftPrompt, SteeringVector
from educe.train.encode import encode_rows
from educe.train.schedule import Schedule
from educe.train.sft import fine_tune
from tests.nets import tiny


def logits(net):
    with torch.inference_mode():
        return net(torch.tensor([[5, 6, 7, 8]])).logits


def test_a_fresh_adapter_changes_nothing_yet():
    model = tiny()
    before = logits(model.net)
    with temporary_changes(model):
        assert torch.equal(logits(attach(model, Lora(), seed=0).net), before)


def test_only_the_declared_maps_and_layers_train():
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=1, modules=("v_proj",), layers=(1,)), seed=0)
        names = [name for name, part in tuned.net.named_parameters() if part.requires_grad]
        assert len(names) == 2
        assert all("layers.1.self_attn.v_proj.lora_" in name for name in names)
        assert tuned.change.part == Trained(adapter_parameters=64 + 32, lowest_layer=1, lowest_stage=0)


def test_the_head_gets_no_adapter():
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, Lora(), seed=0)
        assert not [name for name, part in tuned.net.named_parameters() if "lm_head" in name and part.requires_grad]


def test_peft_reads_a_saved_adapter_back(tmp_path):
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.add_(0.1)
        expected = logits(tuned.net)
        save(tuned, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert torch.allclose(logits(PeftModel.from_pretrained(tiny().net, str(tmp_path))), expected, atol=1e-6)


def test_peft_reads_saved_rescaling_vectors_back(tmp_path):
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, Ia3(), seed=0)
        with torch.no_grad():
            for parameter in tuned.trained.values():
                parameter.mul_(1.5)
        expected = logits(tuned.net)
        save(tuned, tmp_path)
    assert not torch.allclose(logits(model.net), expected, atol=1e-3)
    assert torch.allclose(logits(PeftModel.from_pretrained(tiny().net, str(tmp_path))), expected, atol=1e-6)


def test_peft_reads_a_saved_soft_prompt_back(tmp_path):
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, SoftPrompt(length=3), seed=1)
        with torch.inference_mode():
            expected = tuned.net(torch.tensor([[*tuned.prefix, 5, 6, 7, 8]])).logits[:, -4:]
        save(tuned, tmp_path)
    read = logits(PeftModel.from_pretrained(tiny().net, str(tmp_path)))[:, -4:]
    assert torch.allclose(read, expected, atol=1e-5)
    assert not torch.allclose(logits(model.net), expected, atol=1e-3)


def test_few_numbers_of_one_seed_are_among_the_more():
    model = tiny()

    def drawn(numbers, seed=0):
        with temporary_changes(model):
            masks = attach(model, Lora(rank=2, trainable_parameters=numbers), seed=seed).change.masks
        return {(name, place) for name, mask in masks.items() for place in mask.flatten().nonzero().flatten().tolist()}

    assert drawn(1) < drawn(16) < drawn(900)
    assert len(drawn(900)) == 900
    assert drawn(16) != drawn(16, seed=1)
    assert all(".lora_B." in name for name, _ in drawn(900))
    total = Lora(rank=2).size(model)
    assert len(drawn(total)) == total
    with (
        temporary_changes(model),
        pytest.raises(UserError, match=f"trainable_parameters = {total + 1} is more .* at most {total}"),
    ):
        attach(model, Lora(rank=2, trainable_parameters=total + 1), seed=0)


def test_after_few_numbers_all_train_again():
    model = tiny()
    total = Lora(rank=2).size(model)
    with temporary_changes(model):
        attach(model, Lora(rank=2, trainable_parameters=1), seed=0)
    with temporary_changes(model):
        whole = attach(model, Lora(rank=2), seed=0)
        assert whole.change.trainable_parameters == total
        assert all(parameter.requires_grad for parameter in whole.trained.values())


@pytest.mark.parametrize("change", [AllWeights(), NormsAndBiases()])
def test_weights_too_coarse_for_steps_of_their_own_are_refused(change):
    model = load_model("tiny-random", dtype="bfloat16")
    with temporary_changes(model), pytest.raises(UserError, match="set dtype: float32"):
        attach(model, change, seed=0)


def test_a_snapshot_restores_an_adapter():
    model = tiny()
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        kept = snapshot(tuned)
    with temporary_changes(model):
        again = attach(model, Lora(rank=2), seed=5)
        load_snapshot(again, kept)
        restored = snapshot(again)
    assert all(torch.equal(kept[name], restored[name]) for name in kept)


def test_an_adapter_that_was_on_before_starts_like_a_fresh_one():
    used, fresh = tiny(), tiny()
    with temporary_changes(used):
        worn = attach(used, Lora(rank=2), seed=5)
        with torch.no_grad():
            for parameter in worn.trained.values():
                parameter.add_(1.0)
                parameter.grad = torch.ones_like(parameter)
        worn.net.train()
    with temporary_changes(used):
        attach(used, Lora(rank=1), seed=5)
    with temporary_changes(used), temporary_changes(fresh):
        again, first = attach(used, Lora(rank=2), seed=3), attach(fresh, Lora(rank=2), seed=3)
        assert snapshot(again).keys() == snapshot(first).keys()
        assert all(torch.equal(one, snapshot(first)[name]) for name, one in snapshot(again).items())
        assert torch.equal(logits(again.net), logits(first.net))
        assert not any(part.training for part in again.net.modules())
        assert all(parameter.grad is None for parameter in again.trained.values())
        assert again.change.part == first.change.part
    assert torch.equal(logits(used.net), logits(tiny().net))


def test_a_module_that_matches_nothing_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="no linear map of 'tiny-random' is called 'v_projj'; did you mean 'v_proj'"):
        attach(tiny(), Lora(modules=("v_projj",)), seed=0)


@pytest.mark.parametrize(
    "change", [Lora(layers=(2,)), Ia3(layers=(2,)), NormsAndBiases(layers=(2,)), SteeringVector(layer=2)]
)
def test_a_layer_out_of_range_is_refused(change):
    with pytest.raises(UserError, match="has no layer 2; layers are 0 to 1"):
        attach(tiny(), change, seed=0)


def test_biases_alone_train_where_there_are_any():
    model = tiny()
    with temporary_changes(model), pytest.raises(UserError, match="'tiny-random' has no biases; set norms"):
        attach(model, NormsAndBiases(norms=False), seed=0)
    (name, linear) = next((name, part) for name, part in model.net.named_modules() if name.endswith("1.mlp.up_proj"))
    linear.bias = torch.nn.Parameter(torch.zeros(linear.out_features), requires_grad=False)
    with temporary_changes(model):
        assert list(attach(model, NormsAndBiases(norms=False), seed=0).trained) == [f"{name}.bias"]
        assert attach(model, NormsAndBiases(), seed=0).change.trainable_parameters == 5 * 64 + linear.out_features


def test_an_adapter_that_broke_off_half_way_comes_off(monkeypatch):
    model = tiny()
    wrap = peft.get_peft_model

    def breaking(net, config):
        wrap(net, config)
        raise RuntimeError("no memory")

    monkeypatch.setattr(peft, "get_peft_model", breaking)
    with pytest.raises(RuntimeError, match="no memory"), temporary_changes(model):
        attach(model, Lora(), seed=0)
    monkeypatch.undo()
    assert torch.equal(logits(model.net), logits(tiny().net))
    with temporary_changes(model):
        assert attach(model, Lora(), seed=0).adapter_parameters


CHANGES = {
    "lora": Lora(rank=2),
    "sparse": Lora(rank=2, trainable_parameters=5),
    "ia3": Ia3(),
    "norms": NormsAndBiases(),
    "norms of a layer": NormsAndBiases(layers=(1,)),
    "norms alone": NormsAndBiases(biases=False),
    "all weights": AllWeights(),
    "steering": SteeringVector(layer=0),
    "embedding": EmbeddingRow(token=3 + 25),  # a colon, which every prompt has
    "prompt": SoftPrompt(length=3),
}
# By hand: hidden 64, inner 128, vocabulary 259, two layers, four heads on two keys and values, tied head.
SIZES = {
    "sparse": 5,
    "ia3": 2 * (32 + 32 + 128),
    "norms": 5 * 64,
    "norms of a layer": 2 * 64,
    "norms alone": 5 * 64,
    "all weights": 259 * 64 + 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128) + 5 * 64,
    "steering": 64,
    "embedding": 64,
    "prompt": 3 * 64,
}


def ask_rows(model, count=8):
    task = word_sentiment()
    return encode_rows(model, task.draw("train", count, seed=0), make_prompt_fn(model, task))


def everything(model):
    return {name: parameter.detach().clone() for name, parameter in model.net.named_parameters()}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_moves_what_it_declares_to_the_last_number_and_comes_off(name):
    model = tiny()
    before, answers = everything(model), logits(model.net)
    schedule = Schedule(learning_rate=0.05, steps=3, batch_size=4, precision="float32")
    with temporary_changes(model):
        start = snapshot(attach(model, CHANGES[name], seed=0))
    with temporary_changes(model):
        tuned = fine_tune(model, ask_rows(model), trainable=CHANGES[name], schedule=schedule, seed=0)
        after = snapshot(tuned.model)
        moved = sum(int((after[each] != start[each]).sum()) for each in after)
        declared = tuned.spend.trainable_parameters
        assert not [
            each
            for each, parameter in tuned.model.net.named_parameters()
            if each in before and parameter.requires_grad is False and not torch.equal(parameter, before[each])
        ]
        loss = [step["loss"] for step in tuned.history]
    assert declared == SIZES.get(name, declared)
    # Adam moves every number that ever has a gradient; unseen embedding rows have none.
    assert moved == declared if name != "all weights" else moved > 0.5 * declared
    assert loss[-1] != loss[0]
    now = everything(model)
    assert now.keys() == before.keys()
    assert all(torch.equal(now[each], before[each]) for each in before)
    assert torch.equal(logits(model.net), answers)
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
