"""What was measured of prompts: spread over formats, extremes, the order of options, and the best prompt found."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from educe.eval.analysis.conditions import Compare, Condition, compare, compare_ratio, ordered, plain_prompting
from educe.eval.analysis.statistics.paired import Difference
from educe.eval.analysis.statistics.ratios import RandomEffectsRatio, Ratio, pool_ratios
from educe.eval.details import FormatExtremes


@dataclass(frozen=True, kw_only=True)
class FormatSpread:
    """How one condition's accuracy varies over formats: quantiles, and the standard deviation with its interval."""

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
class OrderEffect:
    """What the order of options does: shares of picks by place, and of items whose answer changes."""

    condition: Condition
    lowest: float  # accuracy in the worst order
    highest: float
    picked: tuple[float, ...]
    right: tuple[float, ...]
    changed: float


@dataclass(frozen=True, kw_only=True)
class BestPrompt:
    """The prompt found by a search, against zero-shot on one model and task."""

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
    """One model's ratio over its tasks, and how many tasks had no known ratio."""

    model: str
    pooled: RandomEffectsRatio
    left_out: int


def accuracies_of(condition: Condition) -> list[dict[str, float]]:
    """Every seed's accuracy by format or order of options; empty where one seed has none."""
    found = [each.details.formats or each.details.option_orders for each in condition.measurements]
    known = [dict(each.accuracies) for each in found if each is not None]
    return known if len(known) == len(found) else []


def format_spreads(conditions: Sequence[Condition]) -> list[FormatSpread]:
    """Every condition whose spread over formats was measured, means over seeds."""
    spreads = []
    for condition in ordered(conditions):
        found = [each.details.formats for each in condition.measurements]
        known = [each for each in found if each is not None and each.sd is not None and each.quantiles]
        if len(known) < len(found):
            continue
        averaged = f", ends averaged over {len(known)} seeds" if len(known) > 1 else ""
        spreads.append(
            FormatSpread(
                condition=condition,
                num_formats=len({name for each in known for name in each.accuracies}),
                low5=fmean(each.quantiles["0.05"] for each in known),
                median=fmean(each.quantiles["0.5"] for each in known),
                high95=fmean(each.quantiles["0.95"] for each in known),
                sd=fmean(each.sd or 0.0 for each in known),
                sd_low=fmean(each.sd_low or 0.0 for each in known),
                sd_high=fmean(each.sd_high or 0.0 for each in known),
                interval=known[0].sd_interval + averaged,
            )
        )
    return spreads


def format_extremes(conditions: Sequence[Condition]) -> list[tuple[Condition, FormatExtremes]]:
    """Every best and worst format that was searched for, seed by seed."""
    found = [
        (condition, each.details.format_extremes)
        for condition in ordered(conditions)
        for each in condition.measurements
    ]
    return [(condition, extremes) for condition, extremes in found if extremes is not None]


def order_effects(conditions: Sequence[Condition]) -> list[OrderEffect]:
    """Every condition that was asked with its options in several orders, means over seeds."""
    effects = []
    for condition in ordered(conditions):
        found = [each.details.option_orders for each in condition.measurements]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            continue
        places = sorted({place for each in known for place in each.picked_places}, key=int)
        effects.append(
            OrderEffect(
                condition=condition,
                lowest=fmean(min(each.accuracies.values()) for each in known),
                highest=fmean(max(each.accuracies.values()) for each in known),
                picked=tuple(fmean(each.picked_places.get(place, 0.0) for each in known) for place in places),
                right=tuple(fmean(each.right_places.get(place, 0.0) for each in known) for place in places),
                changed=fmean(each.changed_share for each in known),
            )
        )
    return effects


def best_prompts(pairs: Sequence[Sequence[Condition]], gains: Compare = compare) -> list[BestPrompt]:
    """The searched prompt against zero-shot wherever both were measured; `pairs` are conditions by task and model."""
    found = []
    for conditions in pairs:
        plain = plain_prompting(conditions)
        found += [
            BestPrompt(condition=each, plain=plain, gain=gains(each, plain), ratio=compare_ratio(each, plain))
            for each in conditions
            if each.role == "prompt_search" and plain is not None
        ]
    return found


def pooled_ratios(best: Sequence[BestPrompt]) -> list[PooledRatio]:
    """Each model's ratios pooled over its tasks, whose items differ; models share theirs.

    Where one task has several searches, the one with the most search FLOPs is taken.
    """
    found = []
    for model in sorted({each.condition.model for each in best}):
        largest: dict[str, BestPrompt] = {}
        for each in best:
            known = largest.get(each.condition.task)
            if each.condition.model == model and (known is None or each.search_flops > known.search_flops):
                largest[each.condition.task] = each
        ratios = [each.ratio for each in largest.values() if each.ratio is not None]
        pooled = pool_ratios(ratios)
        if pooled is not None:
            found.append(PooledRatio(model=model, pooled=pooled, left_out=len(largest) - pooled.count))
    return found
