"""What the report says of prompts: how formats differ, what the best prompt gains, and how dev rows flatter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from educe.eval.analysis.conditions import Condition, compare, compare_ratio, plain_prompting
from educe.eval.analysis.statistics.independent import ScoreInterval, independent_difference
from educe.eval.analysis.statistics.intervals import wilson
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.statistics.ratios import RandomEffectsRatio, Ratio, pool_ratios
from educe.eval.report.text import Compare


@dataclass(frozen=True, kw_only=True)
class FormatsSeen:
    """How one way's accuracy varies over formats: quantiles, and the standard deviation with its interval."""

    condition: Condition
    num_formats: int
    low5: float
    median: float
    high95: float
    sd: float
    sd_low: float
    sd_high: float
    interval: str


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """The best and the worst format that a search over formats found, of one seed."""

    condition: Condition
    best: Mapping[str, Any]
    worst: Mapping[str, Any]
    spread: float
    formats_asked: int


@dataclass(frozen=True, kw_only=True)
class OrdersSeen:
    """What the order of options does to one way: shares of picks by place, and of items whose answer changes."""

    condition: Condition
    lowest: float  # accuracy in the worst order
    highest: float
    picked: tuple[float, ...]
    right: tuple[float, ...]
    changed: float


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A way that something was chosen for on dev rows: what it scored there, and what on the test rows."""

    condition: Condition
    dev_score: float
    dev_score_of_all: float | None  # mean over everything that was tried, where it was recorded
    dev_examples: float
    tried: float | None
    candidates: float | None
    chosen: str

    @property
    def optimism(self) -> Difference:
        """The dev score less the test score: other items, so as a difference of independent shares (Newcombe 1998)."""
        dev_low, dev_high = wilson(self.dev_score, self.dev_examples)
        return independent_difference(
            ScoreInterval(score=self.dev_score, low=dev_low, high=dev_high),
            ScoreInterval(score=self.condition.score, low=self.condition.low, high=self.condition.high),
            n=round(self.dev_examples),
        )


@dataclass(frozen=True, kw_only=True)
class Best:
    """The searched prompt against plain prompting on one model and task."""

    condition: Condition
    plain: Condition
    gain: Difference
    ratio: Ratio | None

    @property
    def search_flops(self) -> float:
        """Useful FLOPs of the search, mean over seeds."""
        return self.condition.mean(lambda each: each.spend.search_flops)


@dataclass(frozen=True, kw_only=True)
class PooledRatio:
    """One model's ratio over its tasks, and how many tasks had none that is known."""

    model: str
    pooled: RandomEffectsRatio
    left_out: int


def answered(condition: Condition, name: str) -> list[Any]:
    """What the way's seeds recorded under a name while answering; empty where one of them did not."""
    records = [each.provenance.answered for each in condition.measurements]
    return [record[name] for record in records] if all(name in record for record in records) else []


def formats_seen(conditions: Sequence[Condition]) -> list[FormatsSeen]:
    """Every way whose spread over formats was measured, means over seeds."""
    found = []
    for condition in sorted(
        conditions, key=lambda condition: (condition.task, condition.model, condition.examples, condition.recipe)
    ):
        sds, quantiles = answered(condition, "sd"), answered(condition, "quantiles")
        if not sds or not quantiles:
            continue
        found.append(
            FormatsSeen(
                condition=condition,
                num_formats=len({name for each in answered(condition, "accuracies") for name in each}),
                low5=_mean([each["0.05"] for each in quantiles]),
                median=_mean([each["0.5"] for each in quantiles]),
                high95=_mean([each["0.95"] for each in quantiles]),
                sd=_mean([each["value"] for each in sds]),
                sd_low=_mean([each["low"] for each in sds]),
                sd_high=_mean([each["high"] for each in sds]),
                interval=str(sds[0]["interval"]) + (f", ends averaged over {len(sds)} seeds" if len(sds) > 1 else ""),
            )
        )
    return found


def extremes(conditions: Sequence[Condition]) -> list[Extremes]:
    """Every best and worst format that was searched for, seed by seed."""
    return [
        Extremes(
            condition=condition,
            best=record["best"],
            worst=record["worst"],
            spread=record["spread"],
            formats_asked=record["formats_asked"],
        )
        for condition in sorted(
            conditions, key=lambda condition: (condition.task, condition.model, condition.examples, condition.recipe)
        )
        for record in (each.provenance.answered for each in condition.measurements)
        if "best" in record
    ]


def orders_seen(conditions: Sequence[Condition]) -> list[OrdersSeen]:
    """Every way that was asked with its options in several orders, means over seeds."""
    found = []
    for condition in sorted(
        conditions, key=lambda condition: (condition.task, condition.model, condition.examples, condition.recipe)
    ):
        picks, rights = answered(condition, "picked_places"), answered(condition, "right_places")
        orders = answered(condition, "accuracies")
        if not picks:
            continue
        places = sorted({place for each in picks for place in each}, key=int)
        found.append(
            OrdersSeen(
                condition=condition,
                lowest=_mean([min(each.values()) for each in orders]),
                highest=_mean([max(each.values()) for each in orders]),
                picked=tuple(_mean([each.get(place, 0.0) for each in picks]) for place in places),
                right=tuple(_mean([each.get(place, 0.0) for each in rights]) for place in places),
                changed=_mean(answered(condition, "changed_by_order")),
            )
        )
    return found


def chosen_on_dev(conditions: Sequence[Condition]) -> list[Chosen]:
    """Every way with a recorded dev score, means over seeds."""
    found = []
    for condition in sorted(
        conditions, key=lambda condition: (condition.task, condition.model, condition.recipe, condition.examples)
    ):
        records = [each.provenance.elicited for each in condition.measurements]
        if not all("dev_score" in record for record in records):
            continue

        def mean(name: str, records: list[Any] = records) -> float | None:
            return _mean([float(each[name]) for each in records]) if all(name in each for each in records) else None

        names = dict.fromkeys(str(record["chosen"]) for record in records if "chosen" in record)
        found.append(
            Chosen(
                condition=condition,
                dev_score=mean("dev_score") or 0.0,
                dev_score_of_all=mean("dev_score_of_all"),
                dev_examples=mean("dev_examples") or 0.0,
                tried=mean("candidates_tried" if "candidates_tried" in records[0] else "candidates"),
                candidates=mean("candidates"),
                chosen=" / ".join(names),
            )
        )
    return found


def best_prompts(pairs: Sequence[Sequence[Condition]], gains: Compare = compare) -> list[Best]:
    """The searched prompt against plain prompting wherever both were measured; `pairs` are ways by task and model."""
    found = []
    for conditions in pairs:
        plain = plain_prompting(conditions)
        found += [
            Best(condition=condition, plain=plain, gain=gains(condition, plain), ratio=compare_ratio(condition, plain))
            for condition in conditions
            if condition.role == "prompt_search" and plain is not None
        ]
    return found


def pooled_ratios(best: Sequence[Best]) -> list[PooledRatio]:
    """Each model's ratios over its tasks as one; tasks have items of their own, models share theirs.

    Of several searches on one task, the one that spent the most.
    """
    found = []
    for model in sorted({each.condition.model for each in best}):
        largest: dict[str, Best] = {}
        for each in best:
            held = largest.get(each.condition.task)
            if each.condition.model == model and (held is None or each.search_flops > held.search_flops):
                largest[each.condition.task] = each
        mine = [each.ratio for each in largest.values()]
        pooled = pool_ratios([ratio for ratio in mine if ratio is not None])
        if pooled is not None:
            found.append(PooledRatio(model=model, pooled=pooled, left_out=len(mine) - pooled.count))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
