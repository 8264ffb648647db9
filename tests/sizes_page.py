"""The page of sizes and costs, docs/cluster-sizes.md.

python -m tests.sizes_page

writes it from tests/sizes.py, whose cells on disk it runs: a minute or two.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from educe.recipes.runner.study import Study
from tests.sizes import (
    BLOCK,
    CELLS,
    GOOD,
    GPUS,
    KEYS,
    LLAMA,
    MACHINES,
    MAPS,
    POOR,
    RANK,
    SMALL_LAYERS,
    SMALL_MAPS,
    STUDY,
    OnDisk,
    Work,
    batch_tokens,
    gpu_hours,
    load_share,
    lora_parameters,
    measured_cells,
    saved_bytes,
    shape,
    shard_bytes,
    work,
)  # fmt: skip
from tests.tree import REPOSITORY

PAGE = REPOSITORY / "docs" / "cluster-sizes.md"
_PARTS = ("load", "train", "measure")
_TEXT = """\
# Sizes and costs

<!-- Written by `python -m tests.sizes_page`; a test says whether it is current. -->

Worked out, not measured on such machines, except what says so. A price is GPU-hours × what you pay for a GPU-hour.

| question | answer |
| --- | --- |
| Does a 70B model fit 8 GPUs of 80 GB? | Yes, under ZeRO-3: {shard} of weights on each, and room for LoRA |
| What do {cells} cells of it take? | {low} to {high} GPU-hours on 8 H100, up to {share} of them to load the model |
| How large are 100,000 cells? | {least} inodes and {bytes}; with `iid_sft` adapters of a 135M model {adapters} |

## A 70B model on 8 GPUs

Llama 3 70B has {billions} billion parameters: {layers} layers of {hidden}, {heads} heads, {keys} key-value heads, an
MLP of {inner} and {vocab} tokens (its config.json). It runs as [large.md](large.md) says: ZeRO-3 on one machine,
`--dtype bfloat16`, one launch for each cell.

{memory}

A batch of 8 rows is one row for each GPU. An item of the tasks below has {items} tokens, and with 8 shots up to
{longest}. Measuring reads up to {tokens} tokens at once in what is left.

### Time

Under ZeRO-3 every pass over the net sends all weights to every GPU once: 7/8 of {size}. A training step makes two
passes. For measuring, every GPU computes every row, so 8 GPUs are as fast as one.

```text
load    = 2 bytes × parameters / how fast the checkpoint is read
train   = steps × 2 × pass + training FLOPs / (8 × peak × utilisation)
measure = batches × pass + answer FLOPs / (peak × utilisation)
pass    = 7/8 × 2 bytes × parameters / (link × share of it)
```

The peaks are those of NVIDIA's data sheets (dense bfloat16; NVLink, one direction):

{machines}

**Assumed, not measured**: utilisation of {good_flops:.0%} to {poor_flops:.0%}, {good_link:.0%} to {poor_link:.0%} of
the link, a checkpoint that is read at {good_read:.0f} to {poor_read:.0f} GB/s. A pass then takes {pass_seconds} s on 8
H100. Small batches of short rows wait for the link: the FLOPs of training are {compute} of its time or less.

The study: tasks `{tasks}`; recipes `zero_shot`, `few_shot` with 8 shots,
and `iid_sft` with {examples} examples; three seeds; at most 300 test items. FLOPs are those of
`educe plan`, without what shots that all items share save. Means over tasks, on 8 H100:

{seconds}

{hours}

Written answers cost far more there: every token that is written is a pass for each batch.

### Disk

The checkpoint has {size}, once for all machines. A cell has a measurement, outcomes and its adapter: {adapter} in
float32 for `iid_sft`, so {adapters_of_study} for its {trained} cells here.

## 100,000 cells

A study may have 100,000. These were measured, on cells of 300 test items ([`tests/sizes.py`](../tests/sizes.py) runs
them):

{disk}

Bytes grow with test items: `outcomes.parquet` has {outcomes} of those of `zero_shot`. An
adapter's weights have 4 bytes for each number that trains. Folders of models, tasks and recipes come once each.

{inodes}

Before you start, compare inodes with `df -i`, or with the quota of a shared file system. Nothing asks a cell not to
keep its adapter: recipes with few parameters, or a smaller rank, are the way to small cells. `educe gc DIR --delete`
deletes cells that the study no longer has.

### What the command does for each cell

| what | how much |
| --- | --- |
| at the start | it lists cells in `cells.json` ({listed} bytes each), and reads and checks those that are there |
| while cells run | it updates the page, and copies the cell to a tracker where the study says so |
| when all have ended | it reads them once more, and writes the report and `results.parquet` |

What that takes a cell, and how long 100,000 cells take to list, is measured in [benchmarks.md](benchmarks.md).
The command is one process with one core. Workers write their cells themselves, so its network carries messages only.
"""


def page(cells: Mapping[str, OnDisk], *, listed: int) -> str:
    """The whole page, for cells as they were measured, with so many bytes of listing each."""
    works = [work(cell) for cell in Study.make(STUDY).cells()]
    trained = sum(1 for each in works if each.train_passes)
    adapter = 4 * lora_parameters(MAPS, LLAMA["num_hidden_layers"])
    small = 4 * lora_parameters(SMALL_MAPS, SMALL_LAYERS)
    plain, kept = cells["zero_shot"], cells["iid_sft"]
    low, high = (gpu_hours(works, MACHINES[0], assumed) for assumed in (GOOD, POOR))
    short = [each.item_tokens for each in works if each.recipe == "zero_shot"]
    compute = max(each.compute_share(MACHINES[0], assumed) for each in works for assumed in (GOOD, POOR))
    return _TEXT.format(
        cells=len(works), low=f"{low:.1f}", high=f"{high:.1f}", share=f"{load_share(works):.0%}",
        compute=f"{compute:.0%}", items=f"{min(short)} to {max(short)}",
        longest=max(each.item_tokens for each in works), outcomes=f"{plain.outcomes / plain.plain:.0%}",
        shard=_gb(shard_bytes()), size=_gb(2 * shape().parameters, 0), billions=f"{shape().parameters / 1e9:.1f}",
        least=f"{(plain.files + plain.folders) * CELLS:,}", bytes=_gb(plain.blocks * CELLS),
        adapters=_gb((kept.blocks + small) * CELLS, 0), tokens=f"{batch_tokens():,}", adapter=_gb(adapter, 2),
        adapters_of_study=_gb(adapter * trained), trained=trained, listed=f"{listed:,}",
        layers=LLAMA["num_hidden_layers"], hidden=LLAMA["hidden_size"], heads=LLAMA["num_attention_heads"],
        keys=LLAMA["num_key_value_heads"], inner=f"{LLAMA['intermediate_size']:,}", vocab=f"{LLAMA['vocab_size']:,}",
        good_flops=GOOD.flops_share, poor_flops=POOR.flops_share, good_link=GOOD.link_share, poor_link=POOR.link_share,
        good_read=GOOD.read / 1e9, poor_read=POOR.read / 1e9, pass_seconds=_pass_seconds(),
        tasks="`, `".join(STUDY["tasks"]), examples=", ".join(map(str, STUDY["examples"])), memory=_memory(),
        machines=_machines(), seconds=_seconds(works), hours=_hours(works), disk=_disk(cells), inodes=_inodes(cells),
    )  # fmt: skip


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))


def _gb(size: float, digits: int = 1) -> str:
    return f"{size / 1e9:,.{digits}f} GB"


def _memory() -> str:
    layers, hidden = LLAMA["num_hidden_layers"], LLAMA["hidden_size"]
    adapter = lora_parameters(MAPS, layers)
    layer = saved_bytes(hidden, KEYS, LLAMA["intermediate_size"], MAPS)
    rows = [
        ("weights, bfloat16", "2 bytes × parameters / 8", _gb(shard_bytes())),
        (
            f"LoRA of rank {RANK} on all maps: {adapter / 1e6:.1f} million numbers",
            "16 bytes (float32: value, gradient, two of Adam) × numbers / 8",
            _gb(16 * adapter / GPUS),
        ),
        ("weights that are whole for a moment", "2 bytes × 1e9, DeepSpeed's own limit", _gb(2e9)),
        ("activations of a row of 512 tokens", f"{layers * layer / 1e6:.0f} MB a token", _gb(layers * layer * 512)),
        (
            "the same with `checkpoint_activations`",
            f"2 bytes × {hidden} × {layers} = {2 * hidden * layers / 1e6:.1f} MB a token, and one layer's",
            _gb((2 * hidden * layers + layer) * 512),
        ),
        ("logits of a row of 512 tokens, float32", "4 bytes × vocabulary × tokens", _gb(4 * LLAMA["vocab_size"] * 512)),
    ]
    return table(("on each GPU", "formula", "size"), rows)


def _machines() -> str:
    rows = [(each.name, f"{each.flops / 1e12:.0f} TFLOP/s", f"{each.link / 1e9:.0f} GB/s") for each in MACHINES]
    return table(("machine", "a GPU computes at most", "a GPU receives at most"), rows)


def _pass_seconds() -> str:
    size = 2 * shape().parameters * (GPUS - 1) / GPUS
    low, high = (size / (MACHINES[0].link * each.link_share) for each in (GOOD, POOR))
    return f"{low:.1f} to {high:.1f}"


def _seconds(works: Sequence[Work]) -> str:
    rows = []
    for recipe in dict.fromkeys(each.recipe for each in works):
        same = [each for each in works if each.recipe == recipe]
        low, high = (
            {part: sum(each.seconds(MACHINES[0], assumed)[part] for each in same) / len(same) for part in _PARTS}
            for assumed in (GOOD, POOR)
        )
        flops = sum(each.train_flops + each.measure_flops for each in same) / len(same)
        shown = [f"{low[part]:.0f} to {high[part]:.0f}" if high[part] else "" for part in _PARTS]
        rows.append((recipe, f"{len(same)}", f"{flops:.1e}", f"{same[0].train_passes // 2}", *shown))
    return table(("cell", "cells", "useful FLOPs", "steps", "load, s", "train, s", "measure, s"), rows)


def _hours(works: Sequence[Work]) -> str:
    rows = []
    for machine in MACHINES:
        each, once = (
            [f"{gpu_hours(works, machine, assumed, loaded_once=loaded):.1f}" for assumed in (GOOD, POOR)]
            for loaded in (False, True)
        )
        rows.append((machine.name, " to ".join(each), " to ".join(once)))
    return table(("all cells on", "GPU-hours", "if the model were loaded once"), rows)


def _disk(cells: Mapping[str, OnDisk]) -> str:
    rows = [
        (f"`{name}`", str(cell.files), str(cell.folders), f"{cell.plain / 1e3:.0f} kB", f"{cell.blocks / 1e3:.0f} kB")
        for name, cell in cells.items()
    ]
    return table(("recipe", "files", "folders", "bytes without adapter weights", "in blocks of 4 KiB"), rows)


def _inodes(cells: Mapping[str, OnDisk]) -> str:
    values = SMALL_MAPS[2]
    adapters = {
        "`zero_shot` (no adapter)": ("zero_shot", 0),
        "`minimal_lora` on SmolLM2 135M": ("minimal_lora", lora_parameters([values], SMALL_LAYERS, 1)),
        "`iid_sft` on SmolLM2 135M": ("iid_sft", lora_parameters(SMALL_MAPS, SMALL_LAYERS)),
        "`iid_sft` on Llama 3 70B": ("iid_sft", lora_parameters(MAPS, LLAMA["num_hidden_layers"])),
    }
    rows = []
    for what, (recipe, numbers) in adapters.items():
        cell, weights = cells[recipe], -(-4 * numbers // BLOCK) * BLOCK
        inodes, size = (cell.files + cell.folders) * CELLS, (cell.blocks + weights) * CELLS
        rows.append((what, f"{inodes:,}", f"{weights / 1e6:,.2f} MB", _gb(size, 0)))
    return table((f"{CELLS:,} cells of", "inodes", "adapter weights of one", "on disk"), rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        found = measured_cells(run)
        size = (run / "cells.json").stat().st_size // len(found)
        PAGE.write_text(page(found, listed=round(size, -2)), "utf-8")
