"""A claim, a claim refused, and the statement and sample that both are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from educe.data.errors import UserError
from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.resample import Array, cluster_codes
from educe.eval.analysis.statistics.variance import Side

SEEDS = "the seeds are a random sample of seeds"
ONE_SEED = "conditions with one seed say nothing about other seeds"
SETTINGS = "other settings of the recipe may elicit more: the claim is about these settings"
Kind = Literal["threshold", "rare event", "first success", "ceiling", "inability", "robust"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that the data support: one sentence, the numbers in it, and what it assumes."""

    kind: Kind
    model: str
    task: str
    sentence: str
    numbers: Mapping[str, int | float]
    assumptions: tuple[str, ...]
    holds: ClassVar[bool] = True

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A statement that the data do not support, and why; `numbers` may say what would."""

    kind: Kind
    model: str
    task: str
    statement: str
    reason: str
    numbers: Mapping[str, int | float]
    holds: ClassVar[bool] = False

    @property
    def sentence(self) -> str:
        """The statement and the reason for the refusal."""
        return f"Not claimed: {self.statement}; {self.reason}."

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement before it is tested: it becomes a claim or is refused."""

    kind: Kind
    model: str
    task: str
    text: str

    def claim(self, sentence: str, assumptions: tuple[str, ...], **numbers: int | float) -> Claim:
        """The claim with this sentence."""
        return Claim(
            kind=self.kind,
            model=self.model,
            task=self.task,
            sentence=sentence,
            numbers=numbers,
            assumptions=assumptions,
        )

    def refuse(self, reason: str, **numbers: int | float) -> Refused:
        """The refusal for this reason."""
        return Refused(
            kind=self.kind, model=self.model, task=self.task, statement=self.text, reason=reason, numbers=numbers
        )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A condition's runs with the items' clusters, None for an item without one."""

    side: Side
    clusters: tuple[str | None, ...]

    @property
    def scores(self) -> Array:
        """Shape (seeds, items)."""
        return self.side.scores

    @property
    def items(self) -> Array:
        """Every item's mean over seeds."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def num_clusters(self) -> int:
        """Independent units: clusters, and items without one."""
        return int(self.codes.max()) + 1

    @property
    def codes(self) -> NDArray[np.int64]:
        """Every item's cluster as a number."""
        return cluster_codes(self.clusters, self.scores.shape[1])

    @property
    def size(self) -> str:
        """The numbers of items, clusters and seeds, as text."""
        seeds, items = self.scores.shape
        clusters = f" in {self.num_clusters:,} clusters" if self.num_clusters < items else ""
        return f"{format_count(items, 'item')}{clusters}, {format_count(seeds, 'seed')}"

    @property
    def seeds_assumption(self) -> str:
        """What a claim about this sample assumes of seeds."""
        return ONE_SEED if len(self.scores) == 1 else SEEDS


def sample_of(condition: Condition) -> Sample | str:
    """The scores of a condition, or why no claim can be made from them."""
    if any(each.provenance.measured_on == "dev" for each in condition.measurements):
        return "it was scored on dev rows, on which settings are chosen"
    if any(not np.isfinite(each.outcomes.scores).all() for each in condition.measurements):
        return "a score is missing (NaN)"
    (side,), clusters = sides_of(condition.measurements)
    sample = Sample(side=side, clusters=tuple(clusters))
    if condition.n < 2:
        return "the sampling error of one item is not known"
    if sample.num_clusters < 2:
        return "all items are in one cluster, so their sampling error is not known"
    return sample


def check_share(name: str, value: float) -> None:
    """UserError unless the value lies between 0 and 1."""
    if not 0 < value < 1:
        raise UserError(f"{name} = {value:g} is not between 0 and 1; give a share, as 0.05 for 5%")


def condition_label(condition: Condition) -> str:
    """A condition with its budget, as "iid_sft with 64 labelled examples"."""
    if not condition.labelled_examples:
        return condition.name
    return f"{condition.name} with {format_count(condition.labelled_examples, 'labelled example')}"
