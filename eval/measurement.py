"""Measurement: one score with everything that a reader needs to trust it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config
from pydantic_core.core_schema import CoreSchema, is_instance_schema

from educe.eval.details import Details
from educe.eval.ranges import Count, Difference, Share
from educe.eval.spend import Spend

# What a recipe is in an analysis: the zero-shot baseline, random demonstrations (the prompt to beat), a search for the
# best prompt, anything else that trains nothing, a change of the model, a classifier on its states, a measure of how
# formats and framing differ, or a control that learns from the same rows and knows nothing beforehand.
Role = Literal["zero_shot", "few_shot", "prompt_search", "prompting", "training", "probe", "sensitivity", "control"]
# Texts of a canary (eval/model/canary.py).
NUM_CANARY = 8


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
    answer_index: int | None = None  # None where options have no likelihoods
    text: str | None = None


@dataclass(frozen=True, eq=False)
class Ragged:
    """A column of tuples of numbers: those of row i are values[starts[i] : starts[i + 1]]."""

    values: NDArray[Any]
    starts: NDArray[Any]  # (rows + 1,)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int | float]], dtype: type = np.float64) -> "Ragged":
        flat: NDArray[Any] = np.array([number for row in rows for number in row], dtype=dtype)
        return cls(values=flat, starts=np.cumsum([0, *map(len, rows)]))

    @property
    def sizes(self) -> NDArray[np.int64]:
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


# How the values of all items become a column, for each field of Outcome.
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


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of all test items, kept as columns, because a study has millions of them.

    Iterating gives Outcome values, which are made when they are read; arithmetic over all items reads the columns.
    `columns` has one for each of Outcome's fields. Cells of one task may share columns, so they are never written to.
    ValueError where a column is missing.
    """

    columns: Mapping[str, Column]

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        """Columns are stored beside a measurement's JSON, which pydantic reads: here they are taken as they are."""
        return is_instance_schema(cls)

    def __post_init__(self) -> None:
        for name in COLUMNS:
            if name not in self.columns:
                raise ValueError(f"outcomes without a column {name!r}")

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Outcomes":
        rows = list(outcomes)
        return cls({name: column([getattr(row, name) for row in rows]) for name, column in COLUMNS.items()})

    @property
    def ids(self) -> tuple[str, ...]:
        return self._plain("id")

    @property
    def clusters(self) -> tuple[str | None, ...]:
        """What each item shares with others, None where it shares nothing."""
        return self._plain("cluster")

    @property
    def scores(self) -> NDArray[np.float64]:
        return np.asarray(self.columns["score"])

    @property
    def margins(self) -> NDArray[np.float64]:
        """Every item's margin in nats, NaN where there is none."""
        return np.asarray(self.columns["margin"])

    @property
    def loglikelihoods(self) -> Ragged:
        """Every item's log-likelihoods in nats, one per option, none where options were not scored."""
        column = self.columns["loglikelihoods"]
        assert isinstance(column, Ragged)
        return column

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Outcome]:
        rows = zip(*map(self.values, self.columns), strict=True)
        return (Outcome(**dict(zip(self.columns, row, strict=True))) for row in rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcomes) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.ids)

    def values(self, name: str) -> Sequence[Any]:
        """One field of every outcome, as Outcome has it."""
        column = self.columns[name]
        if isinstance(column, Ragged):
            flat = column.values.tolist()
            return [tuple(flat[start:end]) for start, end in pairwise(column.starts.tolist())]
        if name == "margin":
            return [None if value != value else value for value in self.margins.tolist()]
        return column if isinstance(column, tuple) else column.tolist()

    def _plain(self, name: str) -> tuple[Any, ...]:
        column = self.columns[name]
        assert isinstance(column, tuple), name
        return column


@dataclass(frozen=True, kw_only=True)
class GitState:
    """The revision of the code, and whether it had uncommitted changes (None where that is not known)."""

    revision: str
    dirty: bool | None


@dataclass(frozen=True, kw_only=True)
class Precision:
    """The dtype of the weights, of the layers (4 bits where they are quantized), and of training if there was any."""

    weights: str
    layers: str
    training: str | None = None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a result was made with and from, for the record."""

    cell: str  # hash of the full specification: the same cell gives the same result, but for rounding
    cohort: tuple[str, ...] = ()  # folders of the cells that trained in the same passes, none where it was alone
    versions: Mapping[str, str]  # by library
    git: GitState
    machine: str
    threads: Count
    device: str
    attention: str  # the kernel that reads prompts, as attention.py names it
    precision: Precision
    model_identity: str  # as far as it is known before loading
    model_fingerprint: str
    model_revision: str
    model_kind: str
    whole_commit: bool | None = None  # of a hub model: whether it was compared with the hub's list of files
    model_canary: tuple[Difference, ...] = ()  # log-likelihoods of NUM_CANARY texts, when it was loaded
    task_fingerprint: str
    task_version: Count
    measured_on: Literal["test", "dev"] = "test"
    first_prompt: str = ""  # as the model saw it


@dataclass(frozen=True, kw_only=True)
class OrganismRecord:
    """The model of a result where it is an organism: its kind, what it hides and on which task, and its certificate.

    `hides` is the truth that an elicitor is judged by. `floor` and `ceiling` are the certificate's scores, locked and
    unlocked. `base` names the model that it is made of, whose provenance has the `base_identity`. `base_task` is the
    task that its own is made of: another one where its answers are permuted. `rows_read` are the ids of the task's rows
    that the recipe read, with those of its cohort; none of them trained the organism, and none is scored.
    """

    kind: str
    hides: bool
    task: str
    base: str
    base_identity: str
    base_task: str
    certificate: str  # its sha256
    floor: Share
    ceiling: Share
    rows_read: tuple[str, ...]


def cell_name(model: str, task: str, recipe: str, *, examples: int, seed: int) -> str:
    """A cell in one line, for people."""
    return f"{model} {task} {recipe} n={examples} seed={seed}"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One cell's result: a score over the test items with its interval, chance, spend and every item's outcome."""

    study: str
    model: str
    task: str
    recipe: str  # the name with its settings, for people; `settings` is for programs
    method: str  # the recipe's name alone: zero_shot, few_shot, iid_sft ...
    settings: Mapping[str, Any]
    role: Role
    budget_setting: str | None = None  # the setting that is the budget, such as the shots of a prompt
    size_settings: tuple[str, ...] = ()  # those that decide how many parameters train
    examples: Count  # labelled examples allowed: training rows, or shots for a prompt
    seed: Count
    metric: str
    score: Share
    low: Share
    high: Share
    interval: str  # kind and level, for example "Wilson 95%"
    n: Count
    chance: Share | None
    spend: Spend
    outcomes: Outcomes
    training: tuple[Mapping[str, Count | Difference], ...] = ()  # one row per step: step, loss, learning_rate
    details: Details = field(default_factory=Details)
    organism: OrganismRecord | None = None
    provenance: Provenance

    @property
    def cell_name(self) -> str:
        """The cell in one line."""
        return cell_name(self.model, self.task, self.recipe, examples=self.examples, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A cell that gave no score, and why. Its score is missing, never zero.

    `corrupt` says that its files are not what a run wrote: whether it gave a score is not known. `control` says that
    its recipe is a control.
    """

    study: str
    model: str
    task: str
    recipe: str
    method: str
    examples: int
    seed: int
    reason: str
    corrupt: bool = False
    control: bool = False

    @property
    def cell_name(self) -> str:
        """The cell in one line."""
        return cell_name(self.model, self.task, self.recipe, examples=self.examples, seed=self.seed)
