"""Power by formula against the share of simulated studies in which the paired interval excludes no difference.

A row for each kind of study: how often `paired_difference` finds an effect of known size, what Miller's formula says
(`normal_power`), and what the interval itself can find (`interval_power`), which counts sampling noise at items twice,
because it might be a difference between seeds. The table is docs/statistics/power.csv.

python -m tests.benchmarks.power
"""

from collections.abc import Iterator

import numpy as np

from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.power import Noise, interval_power, normal_power
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks.tables import Row, write

STUDIES = 2_000
# Items, points, seeds of the first condition, items to a cluster.
ROWS = (
    *((items, points, 1, 1) for items in (60, 100, 300, 1000) for points in (0, 10)),
    *((items, points, seeds, 1) for seeds in (3, 5, 10) for items in (60, 100, 300) for points in (0, 10)),
    *((items, points, 1, 4) for items in (100, 300, 1000) for points in (0, 10)),
)


def main() -> None:
    """Simulate every kind of study."""
    write("power", _simulated())


def _simulated() -> Iterator[Row]:
    for items, points, seeds, cluster in ROWS:
        found, computed, stated = rejected(
            items=items, effect=points / 100, seeds=seeds, cluster=cluster, studies=STUDIES
        )
        yield {
            "items": items,
            "seeds": seeds,
            "cluster_size": cluster,
            "difference_points": points,
            "simulated_percent": f"{100 * found:.1f}",
            "miller_percent": f"{100 * computed:.1f}",
            "interval_power_percent": f"{100 * stated:.1f}",
        }


def rejected(*, items: int, effect: float, seeds: int, cluster: int, studies: int) -> tuple[float, float, float]:
    """The share of studies whose interval leaves out 0, and the two shares computed from the world's true variances."""
    rng = np.random.default_rng([items, round(1000 * effect), seeds, cluster])
    clusters = None if cluster == 1 else [str(item // cluster) for item in range(items)]
    seen = 0
    for _ in range(studies):
        first, second = _chances(rng, items // cluster, effect)
        # What items of a cluster share is their chance; which of them are right is independent.
        first, second = (np.repeat(side, cluster) for side in (first, second))
        ours, theirs = (rng.random((runs, items)) < side for side, runs in ((first, seeds), (second, 1)))
        gap = paired_difference(Side(scores=ours * 1.0, seeds=tuple(range(seeds))), Side.of(theirs), clusters)
        seen += gap.low > 0 or gap.high < 0
    first, second = _chances(np.random.default_rng(1), 1_000_000, effect)
    within = [float(np.mean(side * (1 - side))) for side in (first, second)]
    between = float(np.var(first - second))
    # Only what a cluster shares is multiplied by its size.
    noise = Noise(between=cluster * between, first=within[0], first_seeds=seeds, second=within[1])
    computed = normal_power(effect, noise.standard_error(items))
    return seen / studies, computed, interval_power(effect, items, noise)


def _chances(rng: np.random.Generator, count: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Chances to be right of two conditions, on items that differ in difficulty and in which condition suits them."""
    base = 0.15 + 0.55 * rng.random(count)
    suits = rng.uniform(-0.15, 0.15, count)
    return np.clip(base + effect + suits, 0, 1), np.clip(base, 0, 1)


if __name__ == "__main__":
    main()
