"""Nets whose weights DeepSpeed's ZeRO-3 spreads over processes: forwards outside of training.

A sharded weight is empty here and is gathered while it is used. Every process must take part in that in the same order,
so all processes must run the same forwards of such a net.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.integrations import deepspeed
from transformers.integrations.deepspeed import deepspeed_config, is_deepspeed_zero3_enabled

from educe.data.errors import UserError
from educe.eval.model.memory import is_out_of_memory
from educe.eval.model.net import decoder_of, patched_forward


def is_sharded(net: nn.Module) -> bool:
    """Whether any weight of the net is spread over processes."""
    return any(hasattr(parameter, "ds_id") for parameter in net.parameters())


def refuse_sharded(net: nn.Module, what: str) -> None:
    """UserError where the net's weights are spread over processes and `what` cannot be done with them."""
    if is_sharded(net):
        raise UserError(f"{what} needs whole weights, and ZeRO-3 spreads them; use zero2.yaml or one process")


def set_sharding_dtype(dtype: torch.dtype) -> None:
    """Have the next net sharded in this dtype, where it is sharded at all.

    DeepSpeed casts to the dtype of its settings while it loads. Its settings for training later are others.
    """
    if is_deepspeed_zero3_enabled():
        settings: Any = deepspeed_config()
        settings["bf16"] = {"enabled": dtype == torch.bfloat16}
        settings["fp16"] = {"enabled": dtype == torch.float16}


@contextmanager
def nothing_sharded() -> Iterator[None]:
    """Inside the block, transformers builds nets as in a run without DeepSpeed."""
    settings = deepspeed._hf_deepspeed_config_weak_ref
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        deepspeed._hf_deepspeed_config_weak_ref = settings


@contextmanager
def gathering(net: nn.Module) -> Iterator[None]:
    """Inside the block, every module gathers its own weights for its forward and releases them afterwards.

    At most one module's weights are whole at a time. A net that is not sharded stays as it is. UserError in a process
    that runs out of memory: it cannot continue in smaller batches while the others wait for it.
    """
    with ExitStack() as patched:
        if is_sharded(net):
            for module in net.modules():
                if own := [each for each in module.parameters(recurse=False) if hasattr(each, "ds_id")]:
                    patched.enter_context(patched_forward(module, partial(_gathered, own, module.forward)))
            patched.enter_context(patched_forward(decoder_of(net), partial(_without_backoff, decoder_of(net).forward)))
        yield


def _without_backoff(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return forward(*args, **kwargs)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            "memory ran short while measuring a sharded model; use more processes or a smaller dtype"
        ) from error


def _gathered(weights: list[nn.Parameter], forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    from deepspeed.runtime.zero import GatheredParameters  # an optional extra

    whole = GatheredParameters(weights)
    # Weights that are gathered in inference mode could never be trained again.
    with torch.inference_mode(False):
        whole.__enter__()
    try:
        return forward(*args, **kwargs)
    finally:
        with torch.inference_mode(False):
            whole.__exit__(None, None, None)


def unshard(parameters: Sequence[nn.Parameter]) -> None:
    """Turn sharded parameters back into plain ones, in place and on every process; plain ones stay as they are."""
    sharded = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not sharded:
        return
    from deepspeed.runtime.zero import GatheredParameters  # an optional extra

    with GatheredParameters(sharded):
        values = [parameter.detach().clone() for parameter in sharded]
    for parameter, value in zip(sharded, values, strict=True):
        vars(parameter).clear()  # DeepSpeed's fields, by which it recognises a sharded parameter
        parameter.data = value
        parameter.grad = None
