"""What a study could see, before it runs: one paragraph per task for `educe plan`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from educe.data.errors import UserError
from educe.eval.analysis.statistics.power import (
    BETWEEN_ITEMS,
    BORROWED_DF,
    FIT_RESAMPLES,
    NUM_RESAMPLES,
    WITHIN_ITEM,
    Noise,
    bonferroni_level,
    bootstrap_end_error,
    half_width,
    items_needed,
    min_detectable_effect,
    seeds_needed,
    zero_events_bound,
)
from educe.recipes.runner.cell import Cell

LEVEL, POWER = 0.95, 0.8


def power_lines(cells: Sequence[Cell], *, effect: float) -> list[str]:
    """What the cells of each task could see, and what a difference of `effect` (a share) takes.

    UserError for an effect that is no share.
    """
    if not 0 < effect < 1:
        raise UserError(f"--effect {effect:g} is no difference of scores; give a share such as 0.03 for 3 points")
    tasks: dict[str, list[Cell]] = {}
    for cell in cells:
        tasks.setdefault(cell.task.name, []).append(cell)
    comparisons = _comparisons(cells)
    lines = [f"what this study could see ({POWER:.0%} power, {LEVEL:.0%} intervals):"]
    for task, members in tasks.items():
        lines += _lines(task, members, effect=effect, comparisons=comparisons)
    moved = [f"{bootstrap_end_error(LEVEL, count):.2f}" for count in (NUM_RESAMPLES, FIT_RESAMPLES)]
    resampled = (
        f"bootstrap intervals: {NUM_RESAMPLES:,} resamples, {FIT_RESAMPLES:,} for fitted curves; drawn anew, an end "
        f"moves by {moved[0]} and {moved[1]} standard errors"
    )
    return [*lines, resampled, _assumed(comparisons)]


def _lines(task: str, cells: Sequence[Cell], *, effect: float, comparisons: int) -> list[str]:
    items = len(cells[0].items)
    # Before anything is measured, items of a cluster may all be right or wrong together.
    clusters = Counter(item.cluster or item.id for item in cells[0].items)
    alike = sum(size**2 for size in clusters.values()) / items
    level = bonferroni_level(LEVEL, comparisons)
    seeds = len({cell.seed for cell in cells})
    one = Noise(first=WITHIN_ITEM, design_effect=alike)
    # Two seeds are judged with the help of the recipe's other budgets.
    budgets = max(Counter(recipe for recipe, _ in {(cell.recipe, cell.examples) for cell in cells}).values())
    planned = replace(one, first_seeds=seeds, borrowed=min(BORROWED_DF, budgets - 1) if seeds == 2 else 0)
    asked = f"{items:,} items" + (f" in {len(clusters):,} clusters" if len(clusters) < items else "")
    seen = _points(min_detectable_effect(items, planned, level=LEVEL, power=POWER))
    together = _points(min_detectable_effect(items, planned, level=level, power=POWER))
    corrected_seen = f", {together} if all {comparisons} comparisons are to hold together" if comparisons > 1 else ""
    needed = items_needed(effect, one, level=LEVEL, power=POWER)
    needed_all = items_needed(effect, one, level=level, power=POWER)
    corrected_needed = f" ({needed_all:,} for all comparisons together)" if comparisons > 1 else ""
    more = seeds_needed(effect, items, one, level=LEVEL, power=POWER)
    enough = f"{_many(more, 'seed')} with {items:,} items" if more else f"no number of seeds with {items:,} items"
    return [
        f"{task}: {asked}, {_many(seeds, 'seed')}",
        f"  smallest difference from plain prompting with {_many(seeds, 'seed')}: {seen}{corrected_seen}",
        f"  a score near 50%: known to +-{100 * half_width(items / alike, level=LEVEL):.1f} points",
        f"  to see {100 * effect:g} points: {_many(needed, 'item')} with 1 seed{corrected_needed}; {enough}",
        f"  an outcome that no item shows: rarer than {100 * zero_events_bound(len(clusters), level=LEVEL):.2g}%",
    ]


def _comparisons(cells: Sequence[Cell]) -> int:
    """How many the report will make: every way against plain prompting, and against the longest few-shot prompt."""
    conditions: dict[tuple[str, str], dict[tuple[str, int], str]] = {}
    for cell in cells:
        conditions.setdefault((cell.source.name, cell.task.name), {})[cell.recipe, cell.examples] = cell.method_name
    made = 0
    for methods in conditions.values():
        plain, prompted = ("zero_shot" in methods.values()), ("few_shot" in methods.values())
        others = len(methods) - plain
        made += others * plain + (others - 1) * prompted
    return max(1, made)


def _assumed(comparisons: int) -> str:
    share = BETWEEN_ITEMS + WITHIN_ITEM
    together = "; together: Holm, at its first and strictest step" if comparisons > 1 else ""
    return (
        f"assumed: items right or wrong, one run and plain prompting disagree on {share:.0%} of them (Miller 2024: "
        f"variance 1/9 between items, 1/6 within), clusters move as one{together}; seeds differ by luck at items only, "
        "which the interval cannot tell from luck of whole seeds: few seeds can see less than one, and one says "
        "nothing of others"
    )


def _points(effect: float) -> str:
    return f"{100 * effect:.1f} points" if effect < 1 else "none at all"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
