"""Nets whose weights are spread over processes by DeepSpeed's ZeRO-3: their sizes, and forwards outside of training.

Such a weight is empty here and is put together for as long as it is used. Every process has to take part in that, in
the same order: whoever asks such a net runs the same forwards on every process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from educe.data.errors import UserError
from educe.eval.model.memory import is_out_of_memory
from educe.eval.model.net import decoder_of, patched_forward


def is_sharded(net: nn.Module) -> bool:
    """Whether any weight of the net is spread over processes."""
    return any(hasattr(parameter, "ds_id") for parameter in net.parameters())


def refuse_sharded(net: nn.Module, what: str) -> None:
    """UserError where the net's weights are spread over processes and this cannot be done with them."""
    if is_sharded(net):
        raise UserError(f"{what} needs whole weights, and ZeRO-3 spreads them; use zero2.yaml or one process")


def set_sharding_dtype(dtype: torch.dtype) -> None:
    """Have what is loaded next sharded in this number format, where it is sharded at all.

    DeepSpeed casts while it loads, to the format of its settings; those that it is later trained with are others.
    """
    from transformers.integrations.deepspeed import deepspeed_config, is_deepspeed_zero3_enabled

    if is_deepspeed_zero3_enabled():
        settings: Any = deepspeed_config()
        settings["bf16"] = {"enabled": dtype == torch.bfloat16}
        settings["fp16"] = {"enabled": dtype == torch.float16}


@contextmanager
def gathering(net: nn.Module) -> Iterator[None]:
    """Within, every module puts its own weights together for its forward and lets go of them afterwards.

    So at most one module's weights are whole at a time. Nothing is changed on a net that is not sharded. UserError in
    a process that runs out of memory: it cannot go on in smaller batches while the others wait for it.
    """
    with ExitStack() as patched:
        if is_sharded(net):
            for part in net.modules():
                if own := [each for each in part.parameters(recurse=False) if hasattr(each, "ds_id")]:
                    patched.enter_context(patched_forward(part, partial(_gathered, own, part.forward)))
            patched.enter_context(patched_forward(decoder_of(net), partial(_at_once, decoder_of(net).forward)))
        yield


def _at_once(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return forward(*args, **kwargs)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            "memory ran short while asking a sharded model; use more processes or a smaller dtype"
        ) from error


def _gathered(weights: list[nn.Parameter], forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    from deepspeed.runtime.zero import GatheredParameters

    whole = GatheredParameters(weights)
    # What is gathered in inference mode could never be trained again.
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
    from deepspeed.runtime.zero import GatheredParameters

    with GatheredParameters(sharded):
        values = [parameter.detach().clone() for parameter in sharded]
    for parameter, value in zip(sharded, values, strict=True):
        vars(parameter).clear()  # DeepSpeed's book-keeping, by which it would take the parameter for a sharded one
        parameter.data = value
        parameter.grad = None
