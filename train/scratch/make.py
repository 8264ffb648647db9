"""Making a model from scratch: drawn by its seed, trained on its text, and kept in the cache as a whole model."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from educe.eval.model.cache import Words, made_once
from educe.eval.model.encode import encode_text
from educe.eval.model.model import Model
from educe.eval.model.net import shape_of
from educe.eval.model.organism import scratch_folder
from educe.eval.model.source import MODELS, Source
from educe.eval.model.tiny import byte_tokenizer
from educe.train.attach import temporary_changes
from educe.train.changes.own_weights import AllWeights
from educe.train.encode import TrainingRow
from educe.train.schedule import Schedule
from educe.train.scratch.corpus import documents
from educe.train.sft import fine_tune

# What each model reads: text with sums, text alone, or nothing.
READS = {"scratch:addition": True, "scratch:text": False, "scratch:random": None}
# Held-out sums are right from some 1,500 steps on, all at once. 800 steps of four times as many lines gave 12%.
STEPS, BATCH_SIZE, LEARNING_RATE = 2400, 16, 2e-3
_WORDS = Words("making", "made", "it is made again")


def make_scratch(source: Source, *, device: str = "auto") -> Path:
    """The folder of a model from scratch, which is made where it is not in the cache, on the CPU or a GPU."""
    make = partial(_make, source, device)
    return made_once(scratch_folder(source), lambda scratch, ready: make(ready), name=source.name, words=_WORDS)


def _make(source: Source, device: str, folder: Path) -> None:
    model = _untrained(source)
    if device.startswith("cuda"):
        model.net.to(device)
    net: Any = model.net
    sums = READS[source.location]
    with temporary_changes(model):
        if sums is not None:
            _train(model, sums=sums, seed=source.seed, steps=source.steps or STEPS)
        net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)


def _untrained(source: Source) -> Model:
    """All three begin with the same weights, drawn on the CPU."""
    tokenizer = byte_tokenizer(chat=False)
    shape = MODELS[source.location].shape
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.stage_parameters[-1] // shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(source.seed)
        net = LlamaForCausalLM(config)
    net.eval().requires_grad_(False)
    return Model(
        name=source.name,
        kind="base",
        revision="",
        fingerprint="",
        net=net,
        tokenizer=tokenizer,
        shape=shape_of(net),
        adds_bos=False,
        dtype="float32",
    )


def _train(model: Model, *, sums: bool, seed: int, steps: int) -> None:
    """Every token of every document is learned, and each document is read once."""
    texts = documents(steps * BATCH_SIZE, sums=sums, seed=seed)
    ends = (int(model.tokenizer.eos_token_id),)
    encoded = [encode_text(model, text) + ends for text in texts]
    rows = [TrainingRow(id=f"document {place}", ids=ids, supervised=len(ids) - 1) for place, ids in enumerate(encoded)]
    schedule = Schedule(learning_rate=LEARNING_RATE, steps=steps, batch_size=BATCH_SIZE, once=True, precision="float32")
    fine_tune(model, rows, trainable=AllWeights(), schedule=schedule, seed=seed)
