"""A claim, a claim refused, and what both are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from educe.data.errors import UserError
from educe.eval.analysis.conditions import Condition, item_scores
from educe.eval.analysis.formatting import format_count
from educe.eval.analysis.statistics.components import SeedVariance
from educe.eval.analysis.statistics.resample import Array, cluster_codes

SEEDS = "the seeds stand for other seeds"
ONE_SEED = "where one seed was run, nothing is said of other seeds"
Kind = Literal["threshold", "rare event", "first success", "ceiling", "inability", "robust"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that the data carry: one sentence, the numbers in it, and what must be true besides."""

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
    """A statement that the data do not carry, and why; `numbers` may say what would."""

    kind: Kind
    model: str
    task: str
    statement: str  # what would have been claimed
    reason: str
    numbers: Mapping[str, int | float]
    holds: ClassVar[bool] = False

    @property
    def sentence(self) -> str:
        """What is not claimed, and the reason."""
        return f"Not claimed: {self.statement}; {self.reason}."

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One way's scores, shape (seeds, items), with the items' clusters; an item whose cluster is None stands alone."""

    scores: Array
    clusters: tuple[str | None, ...]
    seed_variance: SeedVariance | None = None

    @property
    def items(self) -> Array:
        """Every item's mean over seeds."""
        return np.asarray(self.scores.mean(axis=0))

    @property
    def num_clusters(self) -> int:
        """Independent units: clusters, or items that stand alone."""
        return int(self.codes.max()) + 1

    @property
    def codes(self) -> NDArray[np.int64]:
        """Every item's cluster as a number."""
        return cluster_codes(self.clusters, self.scores.shape[1])

    @property
    def asked(self) -> str:
        """How much was asked, in words."""
        seeds, items = self.scores.shape
        clusters = f" in {self.num_clusters:,} clusters" if self.num_clusters < items else ""
        return f"{format_count(items, 'item')}{clusters}, {format_count(seeds, 'seed')}"


def sample_of(condition: Condition) -> Sample | str:
    """The scores of a way, or why nothing may be claimed from them."""
    if any(each.provenance.measured_on == "dev" for each in condition.measurements):
        return "it was scored on dev rows, on which settings are chosen"
    (scores,), clusters = item_scores(condition.measurements)
    sample = Sample(scores=scores, clusters=tuple(clusters), seed_variance=condition.seed_variance)
    if not np.isfinite(scores).all():
        return "a score is missing (NaN)"
    if scores.shape[1] < 2:
        return "one item says nothing of others"
    if sample.num_clusters < 2:
        return "all items stand in one cluster, which says nothing of others"
    return sample


def check_share(name: str, value: float) -> None:
    """UserError unless the value lies between 0 and 1."""
    if not 0 < value < 1:
        raise UserError(f"{name} = {value:g} is no share; give one between 0 and 1, as 0.05 for 5%")


def condition_label(condition: Condition) -> str:
    """A way with its budget, as "iid_sft with 64 labelled examples"."""
    if not condition.labelled_examples:
        return condition.name
    return f"{condition.name} with {format_count(condition.labelled_examples, 'labelled example')}"
