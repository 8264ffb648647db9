"""Small models that tests share: the bundled tiny one, and one with sliding-window attention."""

from dataclasses import replace

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.net import shape_of

WINDOW = 8


def tiny() -> Model:
    """A fresh two-layer Llama over bytes."""
    return load_model("tiny-random")


def tiny_chat() -> Model:
    """The same, asked through its chat template."""
    return load_model({"tiny-random": {"kind": "chat"}})


def tiny_sliding() -> Model:
    """Six Gemma layers, five of which see eight tokens only."""
    llama = tiny()
    config = Gemma3TextConfig(
        vocab_size=llama.shape.vocab,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=6,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        sliding_window=WINDOW,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Gemma3ForCausalLM(config)
    net.eval().requires_grad_(False)
    return replace(llama, name="tiny-sliding", net=net, shape=shape_of(net), cache={})
