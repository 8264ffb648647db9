"""Frozen linear maps in bfloat16, while everything else of a fine-tune stays in float32.

Autocast casts every frozen weight again in every call, which is slow on CPUs. Here each is cast once; the residual
stream, norms, attention, adapter, loss and optimizer stay in float32.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from educe.data.errors import UserError
from educe.eval.model.model import Model
from educe.eval.model.net import patched_forward

Precision = Literal["auto", "float32", "bfloat16"]


def resolve_precision(precision: Precision, model: Model, *, sharded: bool = False) -> str:
    """The dtype of the frozen maps while training.

    A net loaded in half precision trains as it is. A net loaded in float32 takes bfloat16 under `auto` where the
    hardware multiplies it natively: a capability, not a timing, so that a machine always gives the same. Maps in 4 bits
    and weights that are `sharded` over processes keep their format, because there is no room for a copy. UserError
    where another precision is set than the weights can have.
    """
    loaded = _dtype_of(model)
    if loaded != "float32":
        if precision not in ("auto", loaded):
            raise UserError(
                f"precision: {precision} set for {model.name!r}, loaded in {loaded}; set dtype: {precision}"
            )
        return loaded
    if model.quantize or sharded:
        if precision == "bfloat16":
            why = "whose layers are in 4 bits" if model.quantize else "loaded in float32 and sharded"
            raise UserError(f"precision: bfloat16 set for {model.name!r}, {why}; set dtype: bfloat16")
        return loaded
    if precision == "auto":
        return "bfloat16" if _native_bfloat16(model.device) else "float32"
    return precision


def _dtype_of(model: Model) -> str:
    # Not model.dtype: DeepSpeed may hold the weights in another one.
    return str(next(model.net.parameters()).dtype).removeprefix("torch.")


def _native_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


@contextmanager
def frozen_maps_in(model: Model, precision: str) -> Iterator[str]:
    """Inside the block, every frozen linear map of a float32 net, vocabulary head included, multiplies in `precision`.

    Yields the precision that the maps then have; where none is frozen, that of the weights. The copies stay in the
    model's cache for its next fine-tune.
    """
    frozen = [
        part
        for name, part in model.net.named_modules()
        if type(part) is nn.Linear
        and not part.weight.requires_grad
        and part.weight.dtype == torch.float32
        and ".lora_" not in name  # the frozen part of an adapter, which runs on its own
    ]
    if precision == "float32":
        frozen = []
    with ExitStack() as patched:
        for part in frozen:
            copy = _copy(model, part, getattr(torch, precision))
            patched.enter_context(patched_forward(part, partial(_multiply, copy, part.bias)))
        yield precision if frozen else _dtype_of(model)


def _copy(model: Model, part: nn.Linear, dtype: torch.dtype) -> Tensor:
    version, copy = model.cache.get((part, dtype), (None, None))
    if version != part.weight._version:  # no copy yet, or the weights changed since
        copy = part.weight.detach().to(dtype)
        model.cache[part, dtype] = (part.weight._version, copy)
    assert copy is not None
    return copy


def _multiply(weight: Tensor, bias: Tensor | None, rows: Tensor) -> Tensor:
    product: Tensor = _FrozenMap.apply(rows, weight)
    return product if bias is None else product + bias


class _FrozenMap(torch.autograd.Function):
    """rows @ weight.T in the weight's precision, in and out in the rows' own; only the rows get a gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return functional.linear(rows.to(weight.dtype), weight).to(rows.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return (gradients[0].to(weight.dtype) @ weight).to(gradients[0].dtype), None
