"""Nets that follow masks and positions pass; others are refused with their name."""

from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.eval.model.check import check_architecture
from educe.eval.model.complete import check_tied
from educe.eval.model.settings import _check_attributes
from tests.nets import tiny, tiny_sliding


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_the_tree_check_accepts_nets_that_take_masks(make):
    check_architecture(make().net, name="tiny")


@pytest.mark.parametrize("ignored", ["attention_mask", "position_ids"])
def test_the_tree_check_refuses_a_net_that_ignores_masks_or_positions(ignored, monkeypatch):
    model = tiny()
    forward = model.net.model.forward
    monkeypatch.setattr(model.net.model, "forward", lambda *args, **more: forward(*args, **(more | {ignored: None})))
    with pytest.raises(UserError, match="tiny-random"):
        check_architecture(model.net, name="tiny-random")


def test_what_a_forward_raises_is_one_line_with_its_text(monkeypatch):
    model = tiny()

    def fails(*args, **more):
        raise AttributeError("no\nmask")

    monkeypatch.setattr(model.net.model, "forward", fails)
    with pytest.raises(
        UserError, match=r"^model 'x' \(LlamaForCausalLM\) cannot read .*: AttributeError: no; give the"
    ):
        check_architecture(model.net, name="x")


def test_sliding_layers_need_a_window():
    net = tiny_sliding().net
    net.config.sliding_window = None
    with pytest.raises(
        UserError, match=r"^model 'x': its layer_types name sliding attention, but it has no sliding_win"
    ):
        check_architecture(net, name="x")


def test_weights_that_predict_the_same_after_every_text_are_called_that():
    net = tiny().net
    for parameter in net.parameters():
        parameter.data.zero_()
    with pytest.raises(UserError, match=r"^model 'x' predicts the same after every text: its weights are degenerate"):
        check_architecture(net, name="x")


def test_a_head_that_was_loaded_beside_the_embeddings_it_should_be_is_refused():
    net = tiny().net
    held = {name: weight.clone() for name, weight in net.state_dict().items()}
    check_tied(type(net).from_pretrained(None, config=net.config, state_dict=dict(held)), name="x")
    held["lm_head.weight"] += 1
    with pytest.raises(UserError, match=r"^model 'x': its config.json ties 'lm_head.weight' to 'model.embed_tokens.w"):
        check_tied(type(net).from_pretrained(None, config=net.config, state_dict=held), name="x")


@pytest.mark.slow
def test_the_settings_that_transformers_writes_are_settings():
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    own_defaults_are_refused = {"gemma4_assistant"}  # by its own validator
    for kind in sorted((MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys() & CONFIG_MAPPING.keys()) - own_defaults_are_refused):
        _check_attributes(CONFIG_MAPPING[kind]().to_dict(), Path("config.json"))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "layer_types",
            ["full_attention", "chunked_attention"],
            "has layers of type 'chunked_attention'; only full and",
        ),
        ("num_local_experts", 8, "is a mixture of experts, whose FLOPs depend on routing; use a dense model"),
    ],
)
def test_layers_that_are_not_understood_are_refused(key, value, says):
    net = tiny().net
    setattr(net.config, key, value)
    with pytest.raises(UserError, match=says):
        check_architecture(net, name="tiny")


def test_a_text_decoder_inside_a_multimodal_net_passes():
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = dict(
        vocab_size=60,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=8,
    )
    vision = dict(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        image_token_index=59,
        boi_token_index=57,
        eoi_token_index=58,
        mm_tokens_per_image=4,
    )
    check_architecture(Gemma3ForConditionalGeneration(config).eval(), name="multimodal")


def test_the_tree_check_refuses_a_head_that_gives_nothing_real(monkeypatch):
    model = tiny()
    monkeypatch.setattr(
        "educe.eval.model.check.token_logprobs", lambda net, states, places, words, slices: words * float("nan")
    )
    with pytest.raises(UserError, match="tiny-random"):
        check_architecture(model.net, name="tiny-random")
