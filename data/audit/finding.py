"""Finding: one thing that an audit of a task found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding, as a sentence and as numbers; `serious` where it makes scores less meaningful.

    The numbers of a baseline are `score`, `low` and `high` (Wilson 95%), `chance` (None for generation), `n` and `p`:
    the probability that chance gives as many right answers or more, exact binomial.
    """

    kind: str
    serious: bool
    sentence: str
    numbers: Mapping[str, Any]
