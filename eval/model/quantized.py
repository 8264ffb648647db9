"""Weights in 4 bits, by bitsandbytes: a quarter of bfloat16's room, multiplied in the model's own number format.

With a LoRA on top that is QLoRA (Dettmers et al. 2023): the layers' maps are coarse and frozen, the adapter, the norms
and the vocabulary stay as they are.
"""

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from educe.data.errors import UserError


def quantization_config(kind: str, dtype: torch.dtype) -> Any:
    """What transformers is to be told. UserError where bitsandbytes is not installed."""
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise UserError(f"quantize: {kind} needs bitsandbytes, which is not installed; pip install 'educe[quantized]'")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=True,  # the scales of the blocks in 8 bits, as in the paper
        bnb_4bit_compute_dtype=dtype,
    )


def keep_weights_differentiable(net: nn.Module) -> None:
    """Leave the weights in the layout that gradients can be passed through.

    On CPUs bitsandbytes packs them anew for inference at the first forward, and the kernel for that has no backward.
    """
    for module in net.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - torch's modules type their attributes
