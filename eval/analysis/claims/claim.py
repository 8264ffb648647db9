"""A claim, a statement refused, and a statement that was tested and waits for the study's correction.

A claim about a recipe counts runs, because nothing is known of how other seeds would do: it holds in each of the runs
that were measured, and says which share of other seeds it leaves open. A mean over seeds would need to know that no
seed is far from the others, which five runs cannot show (Bahadur & Savage 1956: no test of a mean holds for every
distribution).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from educe.data.errors import UserError
from educe.eval.analysis.claims.runs import RunDifference
from educe.eval.analysis.conditions import Condition, sides_of
from educe.eval.analysis.formatting import format_count, format_p_value, format_percent
from educe.eval.analysis.statistics.resample import cluster_codes

ITEMS = "the test items are a random sample of the questions of interest, in independent clusters"
SEEDS = "the seeds are a random sample of seeds"
SETTINGS = "other settings of the recipe may elicit more: the claim is about these settings"
Kind = Literal["gain", "capability", "ceiling", "robust", "inability", "threshold", "rare event", "first success"]
Cause = Literal["not supported", "too few runs", "no positive control", "not measured", "unusable data"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement that the data support: one sentence, the numbers in it, and what it assumes.

    `control` is the condition that shows that the recipe can lift something, where the statement names one.
    """

    kind: Kind
    model: str
    task: str
    sentence: str
    numbers: Mapping[str, int | float]
    assumptions: tuple[str, ...]
    about: tuple[Condition, ...]
    control: Condition | None = None
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
    cause: Cause
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
    """A statement before it is tested, about some conditions of one model and task."""

    kind: Kind
    about: tuple[Condition, ...]
    text: str

    def refuse(
        self, reason: str, cause: Cause = "not supported", numbers: Mapping[str, int | float] | None = None
    ) -> Refused:
        """The refusal for this reason."""
        model, task = self.about[0].model, self.about[0].task
        return Refused(
            kind=self.kind,
            model=model,
            task=task,
            statement=self.text,
            reason=reason,
            cause=cause,
            numbers=numbers or {},
        )


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A statement with its p value, the claim's sentence without the confidence, and the reason if it is refused.

    Where the statement is an interval, `p` is None and `interval` gives the sentence and its ends at a level.
    `compared` are the differences that it is about, and `control` is the claim's.
    """

    statement: Statement
    p: float | None
    sentence: str
    reason: str
    numbers: Mapping[str, int | float]
    assumptions: tuple[str, ...]
    interval: Callable[[float], tuple[str, Mapping[str, float]]] | None = None
    compared: Sequence[RunDifference] = ()
    control: Condition | None = None

    def resolve(self, adjusted: float, *, alpha: float, statements: int) -> Claim | Refused:
        """The claim where the adjusted p value is at most `alpha`, else the refusal."""
        numbers = {**self.numbers, "p": adjusted, "statements": statements}
        corrected = f", corrected for {statements} statements" if statements > 1 else ""
        if adjusted > alpha:
            return self.statement.refuse(f"{self.reason} ({format_p_value(adjusted)}{corrected})", numbers=numbers)
        return self._claim(f"{self.sentence} ({format_p_value(adjusted)}{corrected}; {self._size}).", numbers)

    def at_level(self, level: float, *, statements: int) -> Claim:
        """The claim of an interval at this level."""
        assert self.interval is not None
        sentence, ends = self.interval(level)
        numbers = {**self.numbers, **ends, "level": level, "statements": statements}
        return self._claim(f"{sentence} ({self._size}).", numbers)

    def _claim(self, sentence: str, numbers: Mapping[str, int | float]) -> Claim:
        first = self.statement.about[0]
        open_to = left_open(self.statement.about)
        return Claim(
            kind=self.statement.kind,
            model=first.model,
            task=first.task,
            sentence=f"{sentence}{open_to}",
            numbers=numbers,
            assumptions=(ITEMS, *self.assumptions, *((SEEDS,) if open_to else ())),
            about=self.statement.about,
            control=self.control,
        )

    @property
    def _size(self) -> str:
        """The fewest items that any of its numbers is from."""
        runs = [each.outcomes.clusters for each in self.statement.about[0].measurements]
        clusters = min([each.clusters for each in self.compared] or runs, key=len)
        num_clusters = int(cluster_codes(tuple(clusters), len(clusters)).max()) + 1
        within = f" in {num_clusters:,} clusters" if num_clusters < len(clusters) else ""
        return f"{format_count(len(clusters), 'item')}{within}"


def num_runs(about: tuple[Condition, ...]) -> int | None:
    """The runs of the condition that has fewest; None where the seed changes nothing in any."""
    return min((each.num_seeds for each in about if each.seeds), default=None)


def in_each_run(about: tuple[Condition, ...]) -> str:
    """For which runs a statement is made, as text to follow it."""
    runs = num_runs(about)
    return "" if runs is None else " in its one run" if runs == 1 else f" in each of {runs} runs"


def left_open(about: tuple[Condition, ...]) -> str:
    """The share of other seeds for which the statement may fail, at 95% for this statement alone.

    Where a share q of seeds fail, none of k runs does with probability (1 - q)^k (Clopper & Pearson 1934).
    """
    runs = num_runs(about)
    if runs is None:
        return ""
    if runs == 1:
        return " One run says nothing about other seeds."
    # Rounded up, so that no less is left open than there is.
    return f" Up to {np.ceil(100 * (1 - 0.05 ** (1 / runs))):.0f}% of other seeds may do otherwise."


def unusable(about: tuple[Condition, ...]) -> str | None:
    """Why no claim can be made from the scores of these conditions, or None."""
    for condition in about:
        if any(each.provenance.measured_on == "dev" for each in condition.measurements):
            return "it was scored on dev rows, on which settings are chosen"
        if any(not np.isfinite(each.outcomes.scores).all() for each in condition.measurements):
            return "a score is missing (NaN)"
        if condition.n < 2:
            return "the sampling error of one item is not known"
        _, clusters = sides_of(condition.measurements)
        if int(cluster_codes(tuple(clusters), len(clusters)).max()) == 0:
            return "all items are in one cluster, so their sampling error is not known"
    return None


def check_share(name: str, value: float) -> None:
    """UserError unless the value lies between 0 and 1."""
    if not 0 < value < 1:
        raise UserError(f"{name} = {value:g} is not between 0 and 1; give a share, as 0.05 for 5%")


def condition_label(condition: Condition) -> str:
    """A condition with its budget, as "iid_sft with 64 labelled examples"."""
    if not condition.labelled_examples:
        return condition.name
    return f"{condition.name} with {format_count(condition.labelled_examples, 'labelled example')}"


def where(condition: Condition) -> str:
    """The model and task of a condition."""
    return f"{condition.model} on {condition.task}"


def range_of(shares: list[float], *, signed: bool = False) -> str:
    """The smallest and the largest of some shares, in percent or, signed, in points."""
    low, high = (f"{100 * each:+.1f}" if signed else format_percent(each) for each in (min(shares), max(shares)))
    return (low if low == high else f"{low} to {high}") + (" points" if signed else "")
