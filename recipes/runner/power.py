"""The statistical power of a study before it runs: one paragraph per task for `educe plan`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from educe.data.errors import UserError
from educe.eval.analysis.fit import FIT_RESAMPLES
from educe.eval.analysis.primary import Known, Pair, family_sizes
from educe.eval.analysis.statistics.intervals import wilson
from educe.eval.analysis.statistics.multiple import bonferroni_level
from educe.eval.analysis.statistics.power import (
    BETWEEN_ITEMS,
    WITHIN_ITEM,
    Noise,
    bootstrap_end_error,
    items_needed,
    min_detectable_effect,
    seeds_needed,
    zero_events_bound,
)
from educe.eval.analysis.statistics.resample import NUM_RESAMPLES
from educe.recipes.runner.cell import Cell

LEVEL, POWER = 0.95, 0.8


def power_lines(cells: Sequence[Cell], *, effect: float, primary: Sequence[Pair] = ()) -> list[str]:
    """Statistical power per task: the minimum detectable effect, and what a difference of `effect` (a share) takes.

    `primary` are the comparisons that the study names. UserError for an effect that is no share.
    """
    if not 1e-6 <= effect < 1:
        raise UserError(f"--effect {effect:g} is not a difference of scores; give a share such as 0.03 for 3 points")
    tasks: dict[str, list[Cell]] = {}
    for cell in cells:
        tasks.setdefault(cell.task.name, []).append(cell)
    comparisons = _num_comparisons(cells, primary)
    named = f"{comparisons:,} {'primary ' if primary else ''}comparison{'' if comparisons == 1 else 's'}"
    lines = [f"statistical power of this study (power {POWER:.0%}, confidence level {LEVEL:.0%}):"]
    for task, members in tasks.items():
        lines += _lines(task, members, effect=effect, comparisons=comparisons, named=named)
    errors = [f"{bootstrap_end_error(LEVEL, count):.2f}" for count in (NUM_RESAMPLES, FIT_RESAMPLES)]
    bootstrap = (
        f"bootstrap: {NUM_RESAMPLES:,} resamples, and {FIT_RESAMPLES:,} for fitted curves; the Monte Carlo error of an "
        f"end of the interval is {errors[0]} and {errors[1]} standard errors of the estimate"
    )
    return [*lines, bootstrap, _assumptions(comparisons)]


def _lines(task: str, cells: Sequence[Cell], *, effect: float, comparisons: int, named: str) -> list[str]:
    items = len(cells[0].items)
    # Before anything is measured, items of a cluster may all be right or all be wrong.
    clusters = Counter(item.cluster or item.id for item in cells[0].items)
    design_effect = sum(size**2 for size in clusters.values()) / items
    level = bonferroni_level(LEVEL, comparisons)
    seeds = len({cell.seed for cell in cells})
    one_seed = Noise(first=WITHIN_ITEM, design_effect=design_effect)
    planned = replace(one_seed, first_seeds=seeds)
    detectable = _points(min_detectable_effect(items, planned, level=LEVEL, power=POWER))
    needed = _count(items_needed(effect, one_seed, level=LEVEL, power=POWER), "item")
    if comparisons > 1:
        together = _points(min_detectable_effect(items, planned, level=level, power=POWER))
        detectable += f"; {together} after correction for {named}"
        needed += f" ({items_needed(effect, one_seed, level=level, power=POWER):,} after correction)"
    more = seeds_needed(effect, items, one_seed, level=LEVEL, power=POWER)
    enough = f"{_count(more, 'seed')} with {items:,} items" if more else f"{items:,} items are too few with any seeds"
    _, high = wilson(0.5, items / design_effect, level=LEVEL)
    return [
        f"{task}: {items:,} items{f' in {len(clusters):,} clusters' if len(clusters) < items else ''}"
        f", {_count(seeds, 'seed')}",
        f"  minimum detectable effect against the zero-shot baseline: {detectable}",
        f"  interval of a score near 50%: +-{100 * (high - 0.5):.1f} points",
        f"  to detect {100 * effect:g} points: {needed} with 1 seed; {enough}",
        f"  upper bound on the rate of an outcome that is never observed: "
        f"{100 * zero_events_bound(len(clusters), level=LEVEL):.2g}%",
    ]


def _num_comparisons(cells: Sequence[Cell], primary: Sequence[Pair]) -> int:
    """How many the report corrects for: the primary ones, or all where the study names none."""
    listing: dict[tuple[str, str], set[Known]] = {}
    for cell in (cell for cell in cells if cell.method.analysed_as != "control"):
        known = Known(cell.method_name, cell.recipe, cell.examples)
        listing.setdefault((cell.task.name, cell.source.name), set()).add(known)
    sizes = family_sizes({key: frozenset(knowns) for key, knowns in listing.items()}, primary)
    return max(1, sizes["primary" if primary else "all"])


def _assumptions(comparisons: int) -> str:
    share = BETWEEN_ITEMS + WITHIN_ITEM
    holm = "; correction is Holm's at its first and strictest step" if comparisons > 1 else ""
    return (
        f"assumptions: an item is right or wrong; one run and the zero-shot baseline disagree on {share:.0%} of the "
        "items (Miller 2024: variance 1/9 between items, 1/6 within an item); items of a cluster are all right or all "
        f"wrong{holm}; seeds differ only by noise at single items. The interval cannot tell this noise from an effect "
        "of the whole seed: few seeds can detect less than one seed, and fewer than three say nothing about other seeds"
    )


def _points(effect: float) -> str:
    return f"{100 * effect:.1f} points" if effect < 1 else "none (more than 100 points)"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
