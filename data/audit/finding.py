"""Finding: one thing that an audit of a task found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found, as a sentence for people and as plain numbers; `serious` where scores are worth less for it.

    The numbers of a baseline are `score`, `low` and `high` (Wilson 95%), `chance` (None for generation), `n` and `p`:
    the probability of so many right answers or more by chance, exact binomial.
    """

    kind: str
    serious: bool
    sentence: str
    numbers: Mapping[str, Any]
