"""What numbers of a result can be, as types: pydantic checks them when a result is read from a file."""

from typing import Annotated

from pydantic import AfterValidator, Field

# A score or another share.
Share = Annotated[float, Field(ge=0, le=1)]
# FLOPs, seconds, bits: far above what anybody could spend, and far below where sums overflow.
MAX_AMOUNT = 1e40


def _check_not_tiny(amount: float) -> float:
    if 0 < amount < 1 / MAX_AMOUNT:
        raise ValueError(f"{amount!r} is too near 0 for an amount")
    return amount


# 0 or not so near to it that a quotient overflows.
Amount = Annotated[float, Field(ge=0, le=MAX_AMOUNT), AfterValidator(_check_not_tiny)]
Difference = Annotated[float, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
# What a 64-bit number holds, so that arithmetic with floats and arrays cannot overflow.
Count = Annotated[int, Field(ge=0, lt=2**63)]
Plain = str | Annotated[int, Field(ge=-(2**63), lt=2**63)] | Difference
