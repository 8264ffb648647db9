"""Nets that follow masks and positions pass; others are refused with their name."""

from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.eval.model.check import check_architecture
from educe.eval.model.settings import _check_attributes
from tests.nets import tiny, tiny_sliding


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_the_tree_check_accepts_nets_that_take_masks(make):
    check_architecture(make().net, name="tiny")


def test_the_tree_check_refuses_a_net_that_ignores_masks(monkeypatch):
    model = tiny()
    forward = model.net.model.forward
    monkeypatch.setattr(model.net.model, "forward", lambda *args, attention_mask=None, **more: forward(*args, **more))
    with pytest.raises(UserError, match="tiny-random"):
        check_architecture(model.net, name="tiny-random")


def test_the_tree_check_refuses_a_net_that_ignores_positions(monkeypatch):
    model = tiny()
    forward = model.net.model.forward
    monkeypatch.setattr(model.net.model, "forward", lambda *args, position_ids=None, **more: forward(*args, **more))
    with pytest.raises(UserError, match="tiny-random"):
        check_architecture(model.net, name="tiny-random")


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
