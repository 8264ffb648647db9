"""Work that fits into memory: batch sizes from what is free on a GPU, and smaller pieces where it runs short."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from educe.data.errors import UserError
from educe.eval.model.attention import BLOCK_SPARSE_KEYS
from educe.eval.model.flops import Shape
from educe.eval.model.model import Model

# Of free memory, for the tokens of a batch and again for its keys; the other half is for the vocabulary head, for what
# the estimates below leave out and for fragments.
_SHARE = 0.25
# With so many rows a matrix product takes much longer than its launch.
_MOST_TOKENS, _MOST_KEYS = 2**16, 2**20
Each = TypeVar("Each")
Result = TypeVar("Result")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocation failed, on a GPU or on a CPU (which has no exception class for that)."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def map_with_backoff(
    groups: Iterable[Sequence[Each]], work: Callable[[Sequence[Each]], Result]
) -> Iterator[tuple[Sequence[Each], Result]]:
    """Each group with its result; a group that does not fit into memory is halved until it does.

    UserError where a single row does not fit.
    """
    for group in groups:
        waiting = deque([group])
        while waiting:
            piece = waiting.popleft()
            try:
                result = work(piece)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(piece) == 1:
                    raise UserError(
                        "one row alone does not fit into memory; use fewer shots or load in a smaller dtype"
                    ) from error
                middle = len(piece) // 2
                waiting.extendleft([piece[middle:], piece[:middle]])
                continue
            yield piece, result


def fitting_sizes(model: Model) -> tuple[int, int]:
    """The most tokens and keys of a batch that is read without gradients in the free memory of a CUDA device.

    What torch keeps to use again counts as free.
    """
    device = model.device
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return sizes_in(free + kept, model.shape, bytes_each=next(model.net.parameters()).element_size())


def sizes_in(free: int, shape: Shape, *, bytes_each: int) -> tuple[int, int]:
    """The most tokens and keys of a batch in so many free bytes, for numbers of `bytes_each`.

    A key stays in the cache of every layer: 2 * layers * heads * head_dim numbers, or fewer where heads share them. A
    token passes through one layer at a time: what its maps give (their weights / hidden, at most), three float32 copies
    of the state in norms, and an entry of up to three dense masks for each of BLOCK_SPARSE_KEYS keys. Rounded down to a
    power of two, so that a few bytes more or less do not change the batches, and capped.
    """
    key = 2 * shape.layers * shape.heads * shape.head_dim * bytes_each
    token = sum(shape.stage_parameters) // shape.hidden * bytes_each + 3 * 4 * shape.hidden + 3 * BLOCK_SPARSE_KEYS
    tokens, keys = (max(1, int(_SHARE * free) // each) for each in (token, key))
    return min(_MOST_TOKENS, _power_of_two(tokens)), min(_MOST_KEYS, _power_of_two(keys))


def _power_of_two(number: int) -> int:
    return 1 << number.bit_length() - 1
