"""Back-off where memory runs short: the same work in smaller pieces."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from educe.data.errors import UserError

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
