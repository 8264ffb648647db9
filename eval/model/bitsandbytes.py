"""Weights in 4 bits, by bitsandbytes: a quarter of bfloat16's memory, multiplied in the model's own dtype.

A LoRA on top of them is QLoRA (Dettmers et al. 2023). The layers' linear maps are in 4 bits and frozen; the adapter,
the norms and the vocabulary stay as they are.
"""

from importlib.util import find_spec

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from educe.data.errors import UserError


def quantization_config(kind: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    """The setting for transformers. UserError where bitsandbytes is not installed."""
    if find_spec("bitsandbytes") is None:
        raise UserError(f"quantize: {kind} needs bitsandbytes, which is not installed; pip install 'educe[quantized]'")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=True,  # the scales of the blocks in 8 bits, as in the paper
        bnb_4bit_compute_dtype=dtype,
    )


def keep_weights_differentiable(net: nn.Module) -> None:
    """Keep the weights in the layout that gradients can pass through.

    On CPUs bitsandbytes repacks them for inference at the first forward, and the kernel for that has no backward.
    """
    for module in net.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - torch's modules type their attributes
