"""How often intervals hold the truth and tests are wrong, in simulated studies: 5,000 a row.

`scores`: 95% intervals of one score; `exactly`: the same, summed instead of simulated; `curve`: of four scores, whose
seeds are judged together. `paired`: type I error at 5%; `tails`: type I error far below 5%; `holm`: family-wise error
rate of ten comparisons.
`budgets`: 95% intervals of the budget that reaches a score, on curves of every form (500 a row).

Each section writes its table into docs/statistics/, from which docs/statistics/draw.py draws the figures.

python -m tests.benchmarks.coverage [scores] [exactly] [curve] [paired] [tails] [holm] [budgets]
"""

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.statistics.components import (
    estimate_seed_variance,
    moderated_seed_variance,
    pooled_seed_variance,
)
from educe.eval.analysis.statistics.intervals import bootstrap_interval, pooled_interval
from educe.eval.analysis.statistics.mcnemar import mcnemar
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.paired import paired_difference
from tests.benchmarks import worlds
from tests.benchmarks.budgets import budgets
from tests.benchmarks.tables import Row, write

STUDIES = 5_000
SIZES = (30, 100, 300, 1_000)
SHARES = (0.02, 0.5, 0.9)
CLUSTER = 5
# Cluster size, seeds, how much seeds matter: as seeds do in practice, then not at all, then a lot.
DESIGNS = (
    (1, 1, 0.0),
    (CLUSTER, 1, 0.0),
    (1, 3, worlds.SEED),
    (CLUSTER, 3, worlds.SEED),
    (1, 3, 0.0),
    (CLUSTER, 3, 0.0),
    (1, 3, 0.05),
    (CLUSTER, 3, 0.05),
)


def scores() -> Iterator[Row]:
    """A row for each design, share and number of items: coverage of our interval, the exact one and the bootstrap."""
    for size, seeds, variance in DESIGNS:
        for share in SHARES:
            for n in SIZES:
                rng = np.random.default_rng(n)
                ours = plain_wilson = resampled = 0
                clusters = worlds.clusters_of(n, size)
                simple = size == seeds == 1
                for _ in range(STUDIES):
                    (matrix,) = worlds.right(
                        rng, [share], num_items=n, cluster_size=size, num_seeds=seeds, seed_variance=variance
                    )
                    interval = pooled_interval(matrix, clusters)
                    ours += interval.low <= share <= interval.high
                    if simple:
                        low, high = proportion_confint(int(matrix.sum()), n, method="beta")
                        plain_wilson += low <= share <= high
                    if seeds == 1:
                        interval = bootstrap_interval(matrix[0], clusters)
                        resampled += interval.low <= share <= interval.high
                yield {
                    "cluster_size": size,
                    "seeds": seeds,
                    "seed_variance": variance if seeds > 1 else "",
                    "accuracy": share,
                    "items": n,
                    "items_p_1_minus_p": f"{n * share * (1 - share):.1f}",
                    "wilson_percent": _percent(ours),
                    "clopper_pearson_percent": _percent(plain_wilson) if simple else "",
                    "bootstrap_percent": _percent(resampled) if seeds == 1 else "",
                }


def curve() -> Iterator[Row]:
    """A row for each design: a curve of four budgets, covered at each; two seeds are judged with the others' help.

    Seeds matter equally at all budgets, or less and less: the standard deviation of ability at the first and the last.
    """
    shares = (0.5, 0.7, 0.9, 0.95)
    for seeds in (2, 3):
        for first, last in ((0.0, 0.0), (0.1, 0.1), (0.22, 0.22), (0.2, 0.05), (0.4, 0.02)):
            for n in (100, 300, 1_000):
                rng = np.random.default_rng(n)
                covered = np.zeros(len(shares), dtype=int)
                variances = np.linspace(first, last, len(shares)) ** 2
                for _ in range(STUDIES // 2):
                    conditions = [
                        worlds.right(rng, [share], num_items=n, num_seeds=seeds, seed_variance=float(variance))[0]
                        for share, variance in zip(shares, variances, strict=True)
                    ]
                    own = [estimate_seed_variance([(condition, None)]) for condition in conditions]
                    for k, (condition, share) in enumerate(zip(conditions, shares, strict=True)):
                        spread = moderated_seed_variance(own[k], pooled_seed_variance(own[:k] + own[k + 1 :]))
                        interval = pooled_interval(condition, seed_variance=spread)
                        covered[k] += interval.low <= share <= interval.high
                for share, count in zip(shares, 2 * covered, strict=True):
                    yield {
                        "seeds": seeds,
                        "seed_sd_first_budget": first,
                        "seed_sd_last_budget": last,
                        "items": n,
                        "accuracy": share,
                        "covered_percent": _percent(count),
                    }


def paired() -> Iterator[Row]:
    """A row for each design: how often each test rejects two conditions that are equally good."""
    for size, seeds, variance in (*DESIGNS[:4], DESIGNS[6]):
        for share in SHARES:
            for n in SIZES:
                rng = np.random.default_rng(n)
                clusters = worlds.clusters_of(n, size)
                simple = size == seeds == 1
                rejected = np.zeros(2, dtype=int)
                discordant = 0.0
                for _ in range(STUDIES):
                    a, b = worlds.right(
                        rng, [share, share], num_items=n, cluster_size=size, num_seeds=seeds, seed_variance=variance
                    )
                    discordant += float(np.mean(a != b)) * n / STUDIES
                    tests = [paired_difference(a, b, clusters).p, 1.0]
                    if simple:
                        tests[1] = mcnemar(a[0], b[0]).mid_p
                    rejected += np.array([p is not None and p < 0.05 for p in tests])
                ours, mid = map(_percent, rejected)
                yield {
                    "cluster_size": size,
                    "seeds": seeds,
                    "seed_variance": variance if seeds > 1 else "",
                    "accuracy": share,
                    "items": n,
                    "discordant_items": f"{discordant:.0f}",
                    "paired_percent": ours,
                    "mcnemar_mid_p_percent": mid if simple else "",
                }


def tails() -> Iterator[Row]:
    """A row for each design: how often p of a true null is below levels that corrections for many comparisons ask for.

    The first condition has several seeds; the second has as many, or one run on which seeds have no influence.
    """
    levels = np.array([0.05, 0.01, 0.001, 0.0001])
    for seeds, others in ((3, 1), (3, 3), (5, 1), (2, 1)):
        for size, n in ((1, 100), (1, 300), (CLUSTER, 300)):
            for variance in (worlds.SEED, 0.05):
                rng = np.random.default_rng(n)
                clusters = worlds.clusters_of(n, size)
                below = np.zeros(len(levels))
                for _ in range(4 * STUDIES):
                    a, b = worlds.right(
                        rng,
                        [0.5, 0.5],
                        num_items=n,
                        cluster_size=size,
                        num_seeds=seeds,
                        seed_variance=(variance, variance if others > 1 else 0.0),
                    )
                    below += (paired_difference(a, b[:others], clusters).p or 0.0) < levels
                for level, count in zip(levels, below, strict=True):
                    yield {
                        "cluster_size": size,
                        "seeds": seeds,
                        "other_seeds": others,
                        "seed_variance": variance,
                        "items": n,
                        "level_percent": f"{100 * level:g}",
                        "rejected_percent": f"{100 * count / (4 * STUDIES):.3g}",
                    }


def family() -> Iterator[Row]:
    """A row for each size of test and share: how often Holm rejects any of ten true nulls against one baseline."""
    for n, share, seeds in ((100, 0.5, 1), (300, 0.5, 1), (300, 0.9, 1), (1_000, 0.5, 1), (300, 0.5, 3)):
        rng = np.random.default_rng(n)
        any_raw = any_holm = 0
        for _ in range(STUDIES):
            conditions = worlds.right(rng, [share] * 11, num_items=n, num_seeds=seeds)
            ps = np.array([paired_difference(condition, conditions[0]).p for condition in conditions[1:]])
            any_raw += bool((ps < 0.05).any())
            any_holm += bool((holm(ps) < 0.05).any())
        yield {
            "items": n,
            "accuracy": share,
            "seeds": seeds,
            "unadjusted_percent": _percent(any_raw),
            "holm_percent": _percent(any_holm),
        }


def wilson_exactly() -> Iterator[Row]:
    """Coverage of Wilson for independent items, summed over the binomial."""
    for share in SHARES:
        for n in SIZES:
            covered = 0.0
            for right in range(n + 1):
                interval = pooled_interval([[1.0] * right + [0.0] * (n - right)])
                covered += float(stats.binom.pmf(right, n, share)) * (interval.low <= share <= interval.high)
            yield {"accuracy": share, "items": n, "wilson_percent": f"{100 * covered:.2f}"}


def _percent(count: int) -> str:
    return f"{100 * count / STUDIES:.1f}"


# By the name of the section: the table that it writes, and how its rows are made.
SECTIONS: dict[str, tuple[str, Callable[[], Iterator[Row]]]] = {
    "scores": ("score_coverage", scores),
    "exactly": ("wilson_exact_coverage", wilson_exactly),
    "curve": ("curve_coverage", curve),
    "paired": ("paired_type_1_error", paired),
    "tails": ("small_p_values", tails),
    "holm": ("family_wise_error", family),
    "budgets": ("budget_coverage", budgets),
}


def main(names: Sequence[str]) -> None:
    """Simulate the named sections, or all."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.exit(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    for name in names or SECTIONS:
        table, rows = SECTIONS[name]
        write(table, rows())


if __name__ == "__main__":
    main(sys.argv[1:])
