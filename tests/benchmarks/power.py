"""Power by formula against the share of simulated studies in which the paired interval excludes no difference.

A row for each kind of study: how often `paired_difference` finds an effect of known size, what `power_of` says, and
what is left of that where the interval takes luck that falls on each item anew for luck of the whole seed: it then
counts the variance within an item three times, once by drawing items and twice by drawing seeds of drawn items.

python -m tests.benchmarks.power
"""

from dataclasses import replace
from statistics import NormalDist

import numpy as np

from eval.stats.paired import paired_difference
from eval.stats.power import Noise, power_of, standard_error_of

STUDIES = 1000
# Items, points, seeds of the first way, items to a cluster.
ROWS = (
    *((items, points, 1, 1) for items in (60, 100, 300, 1000) for points in (0, 5, 10, 15)),
    *((items, points, 3, 1) for items in (60, 100, 300) for points in (0, 5, 10, 15)),
    *((items, points, 1, 4) for items in (100, 300, 1000) for points in (0, 5, 10, 15)),
)


def main() -> None:
    """One line for each kind of study, as Markdown."""
    print("| items | seeds | cluster | true difference | seen | computed | computed for this interval |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for items, points, seeds, cluster in ROWS:
        found, computed, stated = rejected(
            items=items, effect=points / 100, seeds=seeds, cluster=cluster, studies=STUDIES
        )
        print(
            f"| {items} | {seeds} | {cluster} | {points} points | {100 * found:.1f}% | {100 * computed:.1f}% |"
            f" {100 * stated:.1f}% |",
            flush=True,
        )


def rejected(*, items: int, effect: float, seeds: int, cluster: int, studies: int) -> tuple[float, float, float]:
    """The share of studies whose interval leaves out 0, and the two computed from the world's true variances."""
    rng = np.random.default_rng([items, round(1000 * effect), seeds, cluster])
    clusters = None if cluster == 1 else [str(item // cluster) for item in range(items)]
    seen = 0
    for _ in range(studies):
        first, second = _chances(rng, items // cluster, effect)
        # What items of a cluster share is their chance; which of them are right is luck of their own.
        first, second = (np.repeat(side, cluster) for side in (first, second))
        ours, theirs = (rng.random((runs, items)) < side for side, runs in ((first, seeds), (second, 1)))
        gap = paired_difference(ours * 1.0, theirs * 1.0, clusters)
        seen += gap.low > 0 or gap.high < 0
    first, second = _chances(np.random.default_rng(1), 1_000_000, effect)
    within = [float(np.mean(side * (1 - side))) for side in (first, second)]
    between = float(np.var(first - second))
    # Only what a cluster shares is multiplied by its size.
    noise = Noise(between=cluster * between, first=within[0], first_seeds=seeds, second=within[1])
    true = standard_error_of(items, noise)
    if seeds == 1:
        return seen / studies, power_of(effect, true), power_of(effect, true)
    taken = standard_error_of(items, replace(noise, first=3 * within[0]))
    # The estimate varies by the true error while the interval is as wide as the one taken for it.
    stretched = 2 * NormalDist().cdf(NormalDist().inv_cdf(0.975) * taken / true) - 1
    return seen / studies, power_of(effect, true), power_of(effect, true, level=stretched)


def _chances(rng: np.random.Generator, count: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Chances to be right of two ways on items that differ in difficulty and in which way suits them."""
    base = 0.15 + 0.55 * rng.random(count)
    suits = rng.uniform(-0.15, 0.15, count)
    return np.clip(base + effect + suits, 0, 1), np.clip(base, 0, 1)


if __name__ == "__main__":
    main()
