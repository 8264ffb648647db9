"""The page of sizes: what it computes from is what nets have and save, and what cells have on a disk."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from educe.eval.model.model import Model
from educe.eval.model.net import shape_of
from educe.eval.model.source import MODELS
from educe.train.attach import attach, temporary_changes
from educe.train.changes.peft import Lora
from tests.nets import tiny
from tests.sizes import (
    GOOD,
    GPUS,
    LLAMA,
    MACHINES,
    MAPS,
    SMALL_LAYERS,
    SMALL_MAPS,
    Work,
    gpu_hours,
    lora_parameters,
    measured_cells,
    saved_bytes,
    shape,
)
from tests.sizes_page import PAGE, page

HIDDEN, KEYS, INNER, HEAD = 256, 64, 768, 32
LAYER_MAPS = (
    (HIDDEN, HIDDEN),
    *[(HIDDEN, KEYS)] * 2,
    (HIDDEN, HIDDEN),
    *[(HIDDEN, INNER)] * 2,
    (INNER, HIDDEN),
)


def test_the_large_model_has_the_sizes_of_its_net() -> None:
    with torch.device("meta"):
        net = AutoModelForCausalLM.from_config(LlamaConfig(**LLAMA, max_position_embeddings=8192))
    assert shape_of(net) == shape()


def test_the_small_models_maps_are_its_own() -> None:
    known = MODELS["smollm2-135m-instruct"].shape
    sizes = [inputs * outputs for inputs, outputs in SMALL_MAPS]
    assert (sum(sizes[:3]), sizes[3], sizes[4] + sizes[5], sizes[6]) == known.stage_parameters
    assert known.layers == SMALL_LAYERS


def llama(layers: int) -> Model:
    config = LlamaConfig(
        vocab_size=tiny().shape.vocab,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=layers,
        num_attention_heads=HIDDEN // HEAD,
        num_key_value_heads=KEYS // HEAD,
        head_dim=HEAD,
    )
    net = LlamaForCausalLM(config).to(torch.bfloat16).requires_grad_(False)
    return replace(tiny(), net=net, shape=shape_of(net), cache={})


def kept_bytes(layers: int, rank: int) -> tuple[int, int]:
    """What one token keeps for the backward, and the numbers that train."""
    model, tokens = llama(layers), 64
    with temporary_changes(model):
        attached = attach(model, Lora(rank=rank), seed=0)
        assert attached.change is not None
        trained = sum(each.numel() for each in attached.change.trained.values())
        own = {each.untyped_storage().data_ptr() for each in model.net.parameters()}
        kept: dict[int, int] = {}

        def pack(saved: torch.Tensor) -> torch.Tensor:
            storage = saved.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return saved

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
            held = model.net.get_decoder()(input_ids=torch.full((1, tokens), 5))  # type: ignore[operator]
        assert held.last_hidden_state.requires_grad
    return sum(kept.values()) // tokens, trained


def test_a_layer_keeps_for_its_backward_what_the_page_says() -> None:
    """And, for each token, the adapters' inner values, one number of each norm and one of each head."""
    (two, trained), (three, more) = kept_bytes(2, rank=4), kept_bytes(3, rank=4)
    small = 4 * (4 * len(LAYER_MAPS) + 2 + HIDDEN // HEAD)
    assert three - two == saved_bytes(HIDDEN, KEYS, INNER, LAYER_MAPS) + small
    assert more - trained == lora_parameters(LAYER_MAPS, 1, rank=4)


def test_hours_are_those_worked_out_by_hand() -> None:
    """One step of two passes: each 123.5 GB over 360 GB/s; 3.1e15 FLOPs on 8 x 395.6e12; a model of 141.1 GB."""
    one = Work(recipe="x", train_flops=3.1e15, train_passes=2, measure_flops=0.0, measure_passes=0)
    seconds = one.seconds(MACHINES[0], GOOD)
    assert seconds["load"] == pytest.approx(28.22, abs=0.01)
    assert seconds["train"] == pytest.approx(2 * 0.343 + 0.980, abs=0.001)
    twice, once = (gpu_hours([one, one], MACHINES[0], GOOD, loaded_once=loaded) for loaded in (False, True))
    assert twice == pytest.approx(GPUS * 2 * (28.22 + 1.666) / 3600, rel=1e-3)
    assert twice - once == pytest.approx(GPUS * 28.22 / 3600, rel=1e-3)
    assert lora_parameters(MAPS, 80) == 8 * 80 * (2 * 16384 + 2 * 9216 + 3 * 36864)


@pytest.mark.slow
def test_the_page_is_current(tmp_path: Path) -> None:
    """Bytes of cells may differ a little: they have times in them."""
    cells = measured_cells(tmp_path / "run")
    listed = round((tmp_path / "run" / "cells.json").stat().st_size // len(cells), -2)
    said, found = (_split(text) for text in (PAGE.read_text("utf-8"), page(cells, listed=listed)))
    assert said[0] == found[0], "run `python -m tests.sizes_page`"
    assert len(said[1]) == len(found[1]) > 100
    for old, new in zip(said[1], found[1], strict=True):
        assert old == pytest.approx(new, rel=0.05), "run `python -m tests.sizes_page`"


def _split(text: str) -> tuple[str, list[float]]:
    """A page without its numbers, and the numbers."""
    number = r"\d[\d,]*\.?\d*(?:e\+\d+)?"
    return re.sub(number, "N", text), [float(each.replace(",", "")) for each in re.findall(number, text)]
