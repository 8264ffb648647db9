"""How often intervals hold the truth and tests are wrong, in simulated studies: 5,000 a row.

`scores`: 95% intervals of one score; `exactly`: the same without the luck of simulation; `curve`: of four scores,
whose seeds are judged together. `paired`: how often a true null is rejected at 5%; `tails`: how often far below 5%;
`holm`: how often any of ten is.
`budgets`: 95% intervals of the budget that reaches a score, on curves of every form (500 a row).

python -m tests.benchmarks.coverage [scores] [exactly] [curve] [paired] [tails] [holm] [budgets]
"""

import sys
from collections.abc import Sequence

import numpy as np
from scipy import stats

from educe.eval.analysis.statistics.components import (
    estimate_seed_variance,
    moderated_seed_variance,
    pooled_seed_variance,
)
from educe.eval.analysis.statistics.intervals import bootstrap_interval, exact, pooled_interval
from educe.eval.analysis.statistics.mcnemar import mcnemar
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.paired import bootstrap_difference, paired_difference
from tests.benchmarks import worlds
from tests.benchmarks.budgets import budgets

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


def scores() -> None:
    """A row for each design, share and number of items: coverage of our interval, the exact one and the bootstrap."""
    print("| items | seeds | variance of seeds | share | n | n p (1 − p) | covered | exact | bootstrap |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
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
                        low, high = exact(int(matrix.sum()), n)
                        plain_wilson += low <= share <= high
                    if seeds == 1:
                        interval = bootstrap_interval(matrix[0], clusters)
                        resampled += interval.low <= share <= interval.high
                print(
                    f"| {_items(size)} | {seeds} | {variance if seeds > 1 else '–'} | {share} | {n} |"
                    f" {n * share * (1 - share):.1f} | {_percent(ours)} | {_percent(plain_wilson) if simple else '–'} |"
                    f" {_percent(resampled) if seeds == 1 else '–'} |",
                    flush=True,
                )


def curve() -> None:
    """A row for each design: a curve of four budgets, covered at each; two seeds are judged with the others' help.

    Seeds matter equally at all budgets, or less and less: the standard deviation of ability at the first and the last.
    """
    shares = (0.5, 0.7, 0.9, 0.95)
    print(f"| seeds | sd of seeds' ability | n | {' | '.join(f'covered at {share}' for share in shares)} |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
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
                said = f"{first}" if first == last else f"{first} to {last}"
                print(f"| {seeds} | {said} | {n} | {' | '.join(map(_percent, 2 * covered))} |", flush=True)


def paired() -> None:
    """A row for each design: how often each test rejects two ways that are equally good."""
    print("| items | seeds | variance of seeds | share | n | pairs that disagree | paired | mid-p | bootstrap |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for size, seeds, variance in (*DESIGNS[:4], DESIGNS[6]):
        for share in SHARES:
            for n in SIZES:
                rng = np.random.default_rng(n)
                clusters = worlds.clusters_of(n, size)
                simple = size == seeds == 1
                rejected = np.zeros(3, dtype=int)
                discordant = 0.0
                for _ in range(STUDIES):
                    a, b = worlds.right(
                        rng, [share, share], num_items=n, cluster_size=size, num_seeds=seeds, seed_variance=variance
                    )
                    discordant += float(np.mean(a != b)) * n / STUDIES
                    tests = [paired_difference(a, b, clusters).p, 1.0, bootstrap_difference(a, b, clusters).p]
                    if simple:
                        tests[1] = mcnemar(a[0], b[0]).mid_p
                    rejected += np.array([p is not None and p < 0.05 for p in tests])
                ours, mid, resampled = map(_percent, rejected)
                print(
                    f"| {_items(size)} | {seeds} | {variance if seeds > 1 else '–'} | {share} | {n} |"
                    f" {discordant:.0f} | {ours} | {mid if simple else '–'} | {resampled} |",
                    flush=True,
                )


def tails() -> None:
    """A row for each design: how often p of a true null is below levels that corrections for many comparisons ask for.

    The first way has several seeds; the second as many, or one run on which seeds have no influence.
    """
    levels = np.array([0.05, 0.01, 0.001, 0.0001])
    print(f"| items | seeds | variance of seeds | n | {' | '.join(f'p < {level:g}' for level in levels)} |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
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
                found = " | ".join(f"{100 * share:.3g}%" for share in below / (4 * STUDIES))
                print(f"| {_items(size)} | {seeds} against {others} | {variance} | {n} | {found} |", flush=True)


def family() -> None:
    """A row for each size of test and share: how often Holm rejects any of ten true nulls against one plain prompt."""
    print("| n | share | seeds | rejected any, unadjusted | rejected any, Holm |")
    print("| --- | --- | --- | --- | --- |")
    for n, share, seeds in ((100, 0.5, 1), (300, 0.5, 1), (300, 0.9, 1), (1_000, 0.5, 1), (300, 0.5, 3)):
        rng = np.random.default_rng(n)
        any_raw = any_holm = 0
        for _ in range(STUDIES):
            conditions = worlds.right(rng, [share] * 11, num_items=n, num_seeds=seeds)
            ps = np.array([paired_difference(condition, conditions[0]).p for condition in conditions[1:]])
            any_raw += bool((ps < 0.05).any())
            any_holm += bool((holm(ps) < 0.05).any())
        print(f"| {n} | {share} | {seeds} | {_percent(any_raw)} | {_percent(any_holm)} |", flush=True)


def wilson_exactly() -> None:
    """Coverage of Wilson for items that stand alone, summed over the binomial: no luck of the draw."""
    print("| share | n | covered, exactly |")
    print("| --- | --- | --- |")
    for share in SHARES:
        for n in SIZES:
            covered = 0.0
            for right in range(n + 1):
                interval = pooled_interval([[1.0] * right + [0.0] * (n - right)])
                covered += float(stats.binom.pmf(right, n, share)) * (interval.low <= share <= interval.high)
            print(f"| {share} | {n} | {100 * covered:.2f}% |")


def _items(size: int) -> str:
    return "alone" if size == 1 else f"in clusters of {size}"


def _percent(count: int) -> str:
    return f"{100 * count / STUDIES:.1f}%"


SECTIONS = {
    "scores": scores,
    "exactly": wilson_exactly,
    "curve": curve,
    "paired": paired,
    "tails": tails,
    "holm": family,
    "budgets": budgets,
}


def main(names: Sequence[str]) -> None:
    """The named sections, or all, as Markdown."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        sys.exit(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    for name in names or SECTIONS:
        print(f"\n### {name}\n", flush=True)
        SECTIONS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
