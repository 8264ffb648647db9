"""Which kernel reads a tree: one that takes a dense mask, or on GPUs a block-sparse one for many keys.

Flash kernels take no mask of our kind, and a dense one has an entry for every pair of tokens. Flex attention asks a
function of the pair instead, and skips blocks of pairs that see nothing. It compiles its kernels (seconds each), so
small masks stay dense. No GPU was at hand: the rule is derived from the libraries' source and is not measured.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from educe.eval.model.net import decoder_of

# The name of `attend` in a net's settings. Transformers refuses a name with `flex_attention` in it for decoders that
# do not support that.
BLOCK_SPARSE = "educe_flex_attention"
# Queries and keys of one block of the kernel. Widths are padded to it: torch tells shorter ones apart and would compile
# kernels of their own for them.
BLOCK = 128
# From this many keys on, a row's mask is larger than all its queries, keys and values at the usual 64 numbers a head.
BLOCK_SPARSE_KEYS = 1024
# Whether a row's query sees a key: row, head, query and key, all as indices that broadcast.
Sees = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def allow_block_sparse(net: nn.Module) -> None:
    """Have the net's decoder read block masks with flex attention, and every other mask as before.

    A decoder whose attention cannot be replaced stays as it is.
    """
    decoder = decoder_of(net)
    if isinstance(decoder, PreTrainedModel) and decoder._supports_flex_attn and decoder._can_set_attn_implementation():
        AttentionInterface.register(BLOCK_SPARSE, attend)
        AttentionMaskInterface.register(BLOCK_SPARSE, sdpa_mask)
        decoder.set_attn_implementation(BLOCK_SPARSE)


def runs_block_sparse(device: torch.device) -> bool:
    """Whether flex attention's kernels are made for the device: NVIDIA's from compute capability 8.0 on, with Triton.

    A capability, not a timing, so that a machine always gives the same.
    """
    if device.type != "cuda" or torch.version.cuda is None or find_spec("triton") is None:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def attention_of(net: nn.Module) -> str:
    """The name of the decoder's attention, as transformers has it: `sdpa`, or BLOCK_SPARSE."""
    config: Any = net.config
    return str(config.get_text_config()._attn_implementation)


def takes_blocks(net: nn.Module, *, width: int, keys: int) -> bool:
    """Whether a batch of this width gets a block mask; a token that is generated alone never does."""
    return width > 1 and keys >= BLOCK_SPARSE_KEYS and attention_of(net) == BLOCK_SPARSE


def padded_width(net: nn.Module, width: int, *, prefix: int) -> int:
    """The width of a batch after a prefix: whole blocks where it gets a block mask."""
    return width + -width % BLOCK if takes_blocks(net, width=width, keys=prefix + width) else width


def dense_mask(sees: Sees, *, rows: int, queries: int, keys: int, device: torch.device) -> Tensor:
    """Every pair: shape (rows, 1, queries, keys), as scaled dot-product attention takes it."""
    row, key = _indices(rows, device)[:, None, None], _indices(keys, device)
    return sees(row, row, _indices(queries, device)[:, None], key)[:, None]


def block_mask(sees: Sees, *, rows: int, queries: int, keys: int, device: torch.device) -> BlockMask:
    """The blocks in which something is seen. No more than BLOCK queries' pairs are in memory at once."""
    row, key, query = _indices(rows, device)[:, None, None], _indices(keys, device), _indices(queries, device)
    counts = []
    for part in query.split(BLOCK):
        seen = sees(row, row, part[:, None], key)
        counts.append(pad(seen, (0, -keys % BLOCK)).unflatten(2, (-1, BLOCK)).sum(dim=(1, 3)))
    count = torch.stack(counts, dim=1)[:, None]
    whole = count == BLOCK * BLOCK
    partly = (count > 0) & ~whole
    return BlockMask.from_kv_blocks(
        *_listed(partly), *_listed(whole), BLOCK_SIZE=BLOCK, mask_mod=sees, seq_lengths=(queries, keys)
    )


def _indices(size: int, device: torch.device) -> Tensor:
    return torch.arange(size, device=device)


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of keys are marked for each block of queries, and their indices before all others."""
    indices = blocks.int().argsort(dim=-1, descending=True, stable=True)
    return blocks.sum(dim=-1, dtype=torch.int32), indices.int()


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | BlockMask | None,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention as transformers calls it: flex attention under a block mask, scaled dot products otherwise."""
    if not isinstance(attention_mask, BlockMask):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **settings)
    # What else a net may add to its scores. Those that do are without flex attention or without scaled dot products.
    assert all(settings.get(name) is None for name in ("position_bias", "s_aux", "softcap")), type(module)
    several = query.shape[1] != key.shape[1]
    output: Any = _kernel()(query, key, value, block_mask=attention_mask, scale=scaling, enable_gqa=several)
    return output.transpose(1, 2).contiguous(), None


@cache
def _kernel() -> Any:
    """Compiled for all sizes at once: with sizes fixed, each new batch would compile another kernel.

    One is compiled for each net and precision, for one row and for several, with gradients and without. Beyond torch's
    limit of 8 it would fall back to a full matrix of scores without a word; `fullgraph` makes that an error.
    """
    compiled: Any = torch.compile  # its overloads do not list the last two settings
    return compiled(flex_attention, dynamic=True, fullgraph=True, recompile_limit=64, isolate_recompiles=True)
