"""Measurement: one score with everything that a reader needs to trust it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from itertools import pairwise
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from educe.eval.details import Details
from educe.eval.spend import Spend

# What a recipe is in an analysis: the zero-shot baseline, random demonstrations (the prompt to beat), a search for the
# best prompt, any other prompt, a change of the model, a classifier on its states, or a measure of how formats differ.
Role = Literal["zero_shot", "few_shot", "prompt_search", "prompting", "training", "probe", "sensitivity"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened on one test item.

    For multiple choice: every option's log-likelihood in nats (as scored, before any normalisation) and its number of
    tokens, which of them is the right one, the option picked, and the margin in nats (of the quantity compared) between
    the best option and the next (near ties are where precision can move a score). For generation: the text.
    """

    id: str
    score: float
    cluster: str | None = None
    answer: str
    picked: str | None = None
    margin: float | None = None
    loglikelihoods: tuple[float, ...] = ()
    option_tokens: tuple[int, ...] = ()
    answer_index: int | None = None  # None where options have no likelihoods, or were scored before this was kept
    text: str | None = None


@dataclass(frozen=True, eq=False)
class Ragged:
    """A column of tuples of numbers: those of row i are values[starts[i] : starts[i + 1]]."""

    values: NDArray[Any]
    starts: NDArray[Any]  # (rows + 1,)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int | float]], dtype: type = np.float64) -> "Ragged":
        """The column of these rows of numbers."""
        flat: NDArray[Any] = np.array([number for row in rows for number in row], dtype=dtype)
        return cls(values=flat, starts=np.cumsum([0, *map(len, rows)]))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many numbers every row has."""
        return np.diff(self.starts).astype(np.int64)

    def padded(self, fill: float) -> NDArray[np.float64]:
        """A matrix (rows, numbers of the longest row); shorter rows end in `fill`."""
        sizes = self.sizes
        matrix = np.full((len(sizes), int(sizes.max(initial=0))), fill)
        matrix[np.arange(matrix.shape[1]) < sizes[:, None]] = self.values[self.starts[0] : self.starts[-1]]
        return matrix


# One value per item: Python values, numbers (NaN for None), or several numbers each.
Column = tuple[Any, ...] | NDArray[Any] | Ragged


def _numbers(values: Sequence[float | None]) -> Column:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _ragged(dtype: type) -> Callable[[Sequence[tuple[Any, ...]]], Column]:
    return lambda values: Ragged.of(values, dtype)


# How each field of Outcome is held: from the values of all items to a column.
COLUMNS: dict[str, Callable[[Sequence[Any]], Column]] = {
    "id": tuple,
    "score": _numbers,
    "cluster": tuple,
    "answer": tuple,
    "picked": tuple,
    "margin": _numbers,
    "loglikelihoods": _ragged(np.float64),
    "option_tokens": _ragged(np.int64),
    "answer_index": tuple,
    "text": tuple,
}

_DEFAULTS = {each.name: each.default for each in fields(Outcome) if each.default is not MISSING}


@dataclass(frozen=True, eq=False)
class Outcomes(Sequence[Outcome]):
    """The outcomes of all test items, held as columns, because a study has millions of them.

    A sequence of Outcome values, which are made as they are asked for; arithmetic over all items reads the columns.
    `columns` has them by the names of Outcome's fields; one that is not there is that field's default throughout.
    Cells of one task may share columns, so they are never written to. ValueError where a field without a default has
    no column.
    """

    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        for name in COLUMNS:
            if name not in self.columns and name not in _DEFAULTS:
                raise ValueError(f"outcomes without a column {name!r}")

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Outcomes":
        """The columns of these outcomes."""
        rows = list(outcomes)
        return cls({name: column([getattr(row, name) for row in rows]) for name, column in COLUMNS.items()})

    @property
    def ids(self) -> tuple[str, ...]:
        """Every item's id."""
        return self._plain("id")

    @property
    def clusters(self) -> tuple[str | None, ...]:
        """What each item shares with others, None where it stands alone."""
        return self._plain("cluster")

    @property
    def scores(self) -> NDArray[np.float64]:
        """Every item's score."""
        return np.asarray(self._column("score"))

    @property
    def margins(self) -> NDArray[np.float64]:
        """Every item's margin in nats, NaN where there is none."""
        return np.asarray(self._column("margin"))

    @property
    def loglikelihoods(self) -> Ragged:
        """Every item's log-likelihoods in nats, one per option, none where options were not scored."""
        column = self._column("loglikelihoods")
        assert isinstance(column, Ragged)
        return column

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Outcome]:
        rows = zip(*map(self.values, self.columns), strict=True)
        return (Outcome(**dict(zip(self.columns, row, strict=True))) for row in rows)

    @overload
    def __getitem__(self, place: int) -> Outcome: ...
    @overload
    def __getitem__(self, place: slice) -> "Outcomes": ...
    def __getitem__(self, place: int | slice) -> "Outcome | Outcomes":
        return Outcomes.of(tuple(self)[place]) if isinstance(place, slice) else tuple(self)[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcomes) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.ids)

    def values(self, name: str) -> Sequence[Any]:
        """One field of every outcome, as Outcome has it."""
        column = self._column(name)
        if isinstance(column, Ragged):
            flat = column.values.tolist()
            return [tuple(flat[start:end]) for start, end in pairwise(column.starts.tolist())]
        if name == "margin":
            return [None if value != value else value for value in self.margins.tolist()]
        return column if isinstance(column, tuple) else column.tolist()

    def _column(self, name: str) -> Column:
        held = self.columns.get(name)
        return COLUMNS[name]([_DEFAULTS[name]] * len(self)) if held is None else held

    def _plain(self, name: str) -> tuple[Any, ...]:
        column = self._column(name)
        assert isinstance(column, tuple), name
        return column


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One cell's result: a score over the test items with its interval, chance, spend and every item's outcome."""

    study: str
    model: str
    task: str
    recipe: str  # the name with its settings, for people; `settings` is for programs
    method: str  # the bare recipe name: zero_shot, few_shot, iid_sft ...
    settings: Mapping[str, Any]
    role: Role
    budget_setting: str | None = None  # the setting that is the budget, such as the shots of a prompt
    size_settings: tuple[str, ...] = ()  # those that decide how many parameters train
    examples: int  # labelled examples allowed: training rows, or shots for a prompt
    seed: int
    metric: str
    score: float
    low: float
    high: float
    interval: str  # kind and level, for example "Wilson 95%"
    n: int
    chance: float | None
    spend: Spend
    outcomes: Outcomes
    training: tuple[Mapping[str, int | float], ...] = ()  # one row per step: step, loss, learning_rate
    details: Details = field(default_factory=Details)
    provenance: Mapping[str, Any] = field(default_factory=dict)
