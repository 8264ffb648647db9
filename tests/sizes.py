"""Sizes and times of studies that nobody has run here: a model of 70B on 8 GPUs, and 100,000 cells.

FLOPs are those of `educe plan`; bytes of cells are measured on cells that are run. What is assumed of machines is in
MACHINES, GOOD and POOR, and stands on the page that tests/sizes_page.py writes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from educe.eval.model.flops import Shape
from educe.eval.model.memory import sizes_in
from educe.eval.model.source import Source
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.estimate import estimate
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study

GPUS, GPU_BYTES = 8, 80e9
RANK, BATCH = 8, 8
# The sizes of Llama 3 70B in its config.json, which a test builds a net from.
LLAMA = {
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 28672,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
KEYS = LLAMA["num_key_value_heads"] * LLAMA["head_dim"]
# Inputs and outputs of a layer's linear maps.
MAPS = (
    (LLAMA["hidden_size"], LLAMA["hidden_size"]),
    *[(LLAMA["hidden_size"], KEYS)] * 2,
    (LLAMA["hidden_size"], LLAMA["hidden_size"]),
    *[(LLAMA["hidden_size"], LLAMA["intermediate_size"])] * 2,
    (LLAMA["intermediate_size"], LLAMA["hidden_size"]),
)
STUDY: dict[str, Any] = {
    "name": "large",
    "models": ["tiny-random"],
    "tasks": ["word_sentiment", "capitals", "past_tense", "currencies"],
    "recipes": ["zero_shot", {"few_shot": {"shots": 8}}, "iid_sft"],
    "examples": [16, 64, 256],
    "seeds": [0, 1, 2],
    "test_items": 300,
}
# Of which the cells on disk are measured, and how many a study may have.
DISK: dict[str, Any] = {
    "name": "disk",
    "models": ["tiny-random"],
    "tasks": ["word_sentiment"],
    "recipes": [
        "zero_shot", {"few_shot": {"shots": 8}}, "self_consistency", "ngrams", "iid_sft", "minimal_lora",
        "steering_vector",
    ],
    "examples": [16],
    "seeds": [0],
    "test_items": 300,
}  # fmt: skip
CELLS = 100_000
BLOCK = 4096
# Of SmolLM2 135M, which a test compares with its shape.
SMALL_LAYERS = 30
SMALL_MAPS = ((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """8 GPUs: what each computes at most (dense bfloat16) and receives at most over NVLink, as its maker says."""

    name: str
    flops: float
    link: float


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """Shares of those two that are reached, and how fast a checkpoint is read, in bytes per second."""

    flops_share: float
    link_share: float
    read: float


MACHINES = (
    Machine(name="8 H100 SXM", flops=989e12, link=450e9),
    Machine(name="8 A100 SXM", flops=312e12, link=300e9),
)
GOOD, POOR = (
    Assumed(flops_share=0.4, link_share=0.8, read=5e9),
    Assumed(flops_share=0.2, link_share=0.4, read=1e9),
)


def shape() -> Shape:
    """Llama 3 70B."""
    layer = [inputs * outputs for inputs, outputs in MAPS]
    layers, hidden = LLAMA["num_hidden_layers"], LLAMA["hidden_size"]
    return Shape(
        hidden=hidden,
        heads=LLAMA["num_attention_heads"],
        head_dim=LLAMA["head_dim"],
        vocab=LLAMA["vocab_size"],
        context=8192,
        stage_parameters=(sum(layer[:3]), layer[3], layer[4] + layer[5], layer[6]),
        windows=(None,) * layers,
        parameters=layers * sum(layer) + 2 * LLAMA["vocab_size"] * hidden + (2 * layers + 1) * hidden,
    )


def lora_parameters(maps: Sequence[tuple[int, int]], layers: int, rank: int = RANK) -> int:
    """Of an adapter on all linear maps."""
    return layers * rank * sum(inputs + outputs for inputs, outputs in maps)


def saved_bytes(hidden: int, keys: int, inner: int, maps: Sequence[tuple[int, int]]) -> int:
    """Bytes a token that one layer of Llama keeps for its backward under LoRA, in bfloat16, without checkpointing.

    Frozen maps keep nothing. Each adapter keeps a float32 copy of its map's input; attention keeps queries, keys,
    values and what it gives; the MLP its gate before and after the activation, and what multiplies it; norms keep
    their two states in float32.
    """
    copies = 4 * sum(inputs for inputs, _ in maps)
    return copies + 2 * (2 * hidden + 2 * keys + 3 * inner) + 2 * 4 * hidden


class Large(Source):
    """A source whose shape is known before it is loaded, as `educe plan` knows those of bundled models."""

    @property
    def shape(self) -> Shape:
        return shape()


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a cell computes: FLOPs and passes over all weights, to train and to measure."""

    recipe: str
    train_flops: float
    train_passes: int
    measure_flops: float
    measure_passes: int
    item_tokens: int = 0

    def seconds(self, machine: Machine, assumed: Assumed) -> dict[str, float]:
        """To load the model, to train (all GPUs share the rows) and to measure (each GPU computes every row)."""
        size = 2 * shape().parameters
        gather = size * (GPUS - 1) / GPUS / (machine.link * assumed.link_share)
        rate = machine.flops * assumed.flops_share
        return {
            "load": size / assumed.read,
            "train": self.train_passes * gather + self.train_flops / (GPUS * rate),
            "measure": self.measure_passes * gather + self.measure_flops / rate,
        }

    def compute_share(self, machine: Machine, assumed: Assumed) -> float:
        """Of the time to train, what FLOPs take; the rest are passes."""
        computed = self.train_flops / (GPUS * machine.flops * assumed.flops_share)
        return computed and computed / self.seconds(machine, assumed)["train"]


def batch_tokens() -> int:
    """Tokens of one batch in the memory that the shard leaves free."""
    return sizes_in(int(GPU_BYTES - shard_bytes()), shape(), bytes_each=2)[0]


def shard_bytes() -> float:
    """Weights on one GPU."""
    return 2 * shape().parameters / GPUS


@dataclass(frozen=True, kw_only=True)
class OnDisk:
    """A cell's files and folders, their bytes, those of whole blocks, and those of its outcomes.

    The weights of its adapter are in no number of bytes.
    """

    files: int
    folders: int
    plain: int
    blocks: int
    outcomes: int


def measured_cells(folder: Path) -> dict[str, OnDisk]:
    """Cells that are run here, by recipe."""
    run_study(Study.make(DISK), folder, workers=1)
    found = {}
    for recipe in sorted((folder / "cells").glob("*/*/*")):
        (cell,) = recipe.iterdir()
        inside = [cell, *cell.rglob("*")]
        files = {each: each.stat().st_size for each in inside if each.is_file()}
        sizes = [size for each, size in files.items() if each.suffix != ".safetensors"]
        folders = len(inside) - len(files)
        blocks = folders + sum(-(-size // BLOCK) for size in sizes)
        outcomes = (cell / "outcomes.parquet").stat().st_size
        found[recipe.name] = OnDisk(
            files=len(files), folders=folders, plain=sum(sizes), blocks=blocks * BLOCK, outcomes=outcomes
        )
    return found


def work(cell: Cell) -> Work:
    """A cell of the study on Llama 3 70B. Useful FLOPs: what prefixes share is not taken off."""
    known = {name: getattr(cell.source, name) for name in ("name", "where", "location", "kind")}
    cell = replace(cell, source=Large(**known))
    asked = cell.method.workload(cell.recipe_task, cell.examples)
    found = estimate(cell, asked)
    assert found is not None
    measure = found.total_flops - found.elicitation_flops
    tokens = measure / (2 * shape().body_parameters)
    return Work(
        recipe=cell.recipe if not asked.training_rows else f"{cell.recipe}, {cell.examples} examples",
        train_flops=found.elicitation_flops,
        train_passes=2 * math.ceil(asked.training_rows / BATCH),
        measure_flops=measure,
        measure_passes=1 + math.ceil(tokens / batch_tokens()),
        item_tokens=round(tokens / len(cell.items)),
    )


def gpu_hours(works: Sequence[Work], machine: Machine, assumed: Assumed, *, loaded_once: bool = False) -> float:
    """Of all cells one after another, each with all GPUs and with a launch of its own."""
    spent = [each.seconds(machine, assumed) for each in works]
    loads = sum(each["load"] for each in spent)
    computed = sum(each["train"] + each["measure"] for each in spent)
    return GPUS * (computed + (spent[0]["load"] if loaded_once else loads)) / 3600


def load_share(works: Sequence[Work]) -> float:
    """Of the time of the first machine where little is reached."""
    spent = [each.seconds(MACHINES[0], POOR) for each in works]
    return sum(each["load"] for each in spent) / sum(sum(each.values()) for each in spent)
