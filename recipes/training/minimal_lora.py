"""The smallest usual change: rank 1 on the value maps alone, a few thousand numbers."""

from typing import Annotated

from pydantic import Field

from educe.recipes.training.fine_tune import Rate
from educe.recipes.training.iid_sft import IidSft


class MinimalLora(IidSft):
    """How much shows when almost nothing may change: IidSft with one direction in each value map.

    Fewer numbers need larger steps; see docs/log.md for the rates that were tried.
    """

    rank: int = Field(default=1, ge=1)
    modules: tuple[str, ...] = ("v_proj",)
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2
