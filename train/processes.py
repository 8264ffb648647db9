"""The processes of one launch: how they find one another, and the settings that DeepSpeed needs.

Accelerate reads from the launch whether weights are copied to every process (DDP) or sharded by DeepSpeed. DDP and
ZeRO-2 leave the net whole everywhere. Under ZeRO-3 its weights stay sharded after training, because a net that needs
ZeRO-3 does not fit one process: only what trained is made whole, and every process takes part in measuring.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.sharded import unshard


def process_state(device: torch.device) -> PartialState:
    """This process's place among those of the launch. UserError for DeepSpeed that is not installed, and FSDP."""
    if _asks_for("FSDP"):  # accelerate itself would train with DDP on CPUs, and say nothing
        raise UserError("the launch asks for FSDP, which the recipes do not train with; use zero3.yaml")
    on_cpu = device.type == "cpu"
    if not _asks_for("DEEPSPEED"):
        return PartialState(cpu=on_cpu)
    if find_spec("deepspeed") is None:
        raise UserError("the launch asks for DeepSpeed, which is not installed; pip install 'educe[distributed]'")
    # Accelerate takes `cpu` to mean no DeepSpeed, and without a GPU it finds other processes only through a backend.
    if on_cpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
        return PartialState(backend="gloo")
    return PartialState()


def make_accelerator(device: torch.device) -> Accelerator:
    """The accelerator of this launch; from here on transformers shards under ZeRO-3 what it loads."""
    process_state(device)
    accelerator = Accelerator(cpu=device.type == "cpu" and not _asks_for("DEEPSPEED"), mixed_precision="no")
    accelerator.gradient_accumulation_steps = 1  # or it would divide every loss by what the launch's file says
    return accelerator


def _asks_for(what: str) -> bool:
    # `accelerate launch` sets both variables; a plain Python process has no LOCAL_RANK.
    return os.environ.get(f"ACCELERATE_USE_{what}", "").lower() == "true" and "LOCAL_RANK" in os.environ


def shards_weights(accelerator: Accelerator) -> bool:
    """Whether this launch spreads the net's weights over its processes (ZeRO-3)."""
    plugin = accelerator.state.deepspeed_plugin
    return plugin is not None and plugin.zero_stage == 3


def prepare(
    accelerator: Accelerator, model: nn.Module, optimizer: torch.optim.Optimizer, *, max_gradient_norm: float
) -> tuple[Any, Any]:
    """Model and optimizer for training by the launch's processes together."""
    if (plugin := accelerator.state.deepspeed_plugin) is not None:
        settings = plugin.deepspeed_config
        # The engine cuts its batches itself. Gradients are clipped by DeepSpeed, because only it sees them whole.
        settings["train_micro_batch_size_per_gpu"] = settings["gradient_accumulation_steps"] = 1
        settings["gradient_clipping"] = max_gradient_norm
    prepared: tuple[Any, Any] = accelerator.prepare(model, optimizer)
    return prepared


@contextmanager
def piece_of_step(accelerator: Accelerator, model: Any, *, last: bool) -> Iterator[None]:
    """A piece of a step: gradients stay in this process (or its shard of them) until the last one."""
    # DeepSpeed makes its update in the backward of a piece that synchronises.
    accelerator.sync_gradients = last
    with nullcontext() if last else accelerator.no_sync(model):
        yield


def unwrap(accelerator: Accelerator, model: Any, trained: Sequence[nn.Parameter]) -> None:
    """Take DeepSpeed's engine off the net after training; what trained is whole and plain again."""
    if accelerator.state.deepspeed_plugin is not None:
        model.destroy()
        unshard(trained)
