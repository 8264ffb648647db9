"""How often intervals hold the truth and tests are wrong, in simulated studies: 2,000 a row.

`scores`: 95% intervals of one score; `exactly`: the same, summed instead of simulated. `paired`: type I error at 5%;
`seeds`: the same and power, where conditions share seeds, beside a t test over the seeds' differences; `tails`: type I
error far below 5%; `holm`: family-wise error rate of ten comparisons.

Each section writes its table into docs/statistics/, from which docs/statistics/draw.py draws the figures.

python -m tests.benchmarks.coverage [scores] [exactly] [paired] [seeds] [tails] [holm]
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from educe.eval.analysis.statistics.intervals import bootstrap_interval, pooled_interval, score_interval
from educe.eval.analysis.statistics.mcnemar import mcnemar
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.paired import Difference, paired_difference
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, Sections, write_sections

STUDIES = 2_000
TAIL_STUDIES = 4_000
SIZES = (50, 300)
SHARES = (0.5, 0.95)
FEW = 10  # clusters of very unequal sizes


@dataclass(frozen=True, kw_only=True)
class Design:
    """How items are grouped, how many seeds there are and how they vary and go together."""

    clusters: str = "none"
    seeds: int = 1
    variance: float = worlds.SEED
    effects: worlds.Seeds = "normal"
    correlation: float = 0.0
    item_correlation: float = 1.0

    @property
    def columns(self) -> Row:
        return {"clusters": self.clusters, "seeds": self.seeds, "seed_variance": self.variance}

    def draw(self, rng: np.random.Generator, shares: Sequence[float], n: int) -> tuple[worlds.Study, list[str] | None]:
        """A study of these shares, and the clusters of its items."""
        unequal = self.clusters == "unequal"
        clusters = worlds.unequal_clusters(rng, n, FEW) if unequal else worlds.clusters_of(n, _size(self.clusters))
        study = worlds.study(
            rng,
            shares,
            num_items=n,
            clusters=clusters,
            num_seeds=self.seeds,
            seed_variance=self.variance,
            seed_correlation=self.correlation,
            seeds=self.effects,
            item_correlation=self.item_correlation,
        )
        return study, clusters


# As seeds vary in practice, then not at all, a lot, and so that one in five fails; two are not enough to tell.
SCORES = (
    Design(),
    Design(clusters="of 5"),
    Design(clusters="unequal"),
    Design(seeds=2),
    Design(seeds=3, variance=0.0),
    Design(seeds=3),
    Design(seeds=3, variance=0.05),
    Design(seeds=3, variance=0.2),
    Design(seeds=3, variance=0.05, effects="one in five fails"),
    Design(seeds=3, clusters="of 5"),
    Design(seeds=3, clusters="unequal"),
    Design(seeds=5, variance=0.05),
    Design(seeds=5, variance=0.05, effects="one in five fails"),
)
PAIRED = (
    Design(variance=0.0),
    Design(clusters="unequal", variance=0.0),
    *(
        Design(seeds=seeds, variance=variance, clusters=clusters)
        for seeds, variance, clusters in (
            (3, 0.01, "none"),
            (3, 0.01, "unequal"),
            (3, 0.05, "none"),
            (5, 0.01, "none"),
        )
    ),
)


def scores() -> Iterator[Row]:
    """A row for each design, share and number of items: coverage of our interval, the exact one and the bootstrap.

    `recipe_percent`: how often it holds the mean over all seeds, which is not what fewer than three seeds estimate.
    """
    for design in SCORES:
        simple = design.clusters == "none" and design.seeds == 1
        for share in SHARES:
            for n in SIZES:
                rng = np.random.default_rng(n)
                ours = recipe = exact = resampled = 0
                for _ in range(STUDIES):
                    study, clusters = design.draw(rng, [share], n)
                    (side,), truth = study.sides, float(study.truth[0])
                    interval = pooled_interval(side, clusters)
                    ours += interval.low <= truth <= interval.high
                    recipe += interval.low <= share <= interval.high
                    if simple:
                        low, high = proportion_confint(int(side.scores.sum()), n, method="beta")
                        exact += low <= truth <= high
                    if design.seeds == 1:
                        interval = bootstrap_interval(side.scores[0], clusters)
                        resampled += interval.low <= truth <= interval.high
                yield {
                    **design.columns,
                    "seed_effects": design.effects,
                    "accuracy": share,
                    "items": n,
                    "wilson_percent": _percent(ours),
                    "recipe_percent": _percent(recipe) if design.effects == "normal" else "",
                    "clopper_pearson_percent": _percent(exact) if simple else "",
                    "bootstrap_percent": _percent(resampled) if design.seeds == 1 else "",
                }


def paired() -> Iterator[Row]:
    """A row for each design: how often each test rejects two conditions that are equally good."""
    for design in PAIRED:
        simple = design.clusters == "none" and design.seeds == 1
        for share in SHARES:
            for n in SIZES:
                rng = np.random.default_rng(n)
                ours = mid = 0
                discordant = 0.0
                for _ in range(STUDIES):
                    study, clusters = design.draw(rng, [share, share], n)
                    a, b = study.sides
                    discordant += float(np.mean(a.scores != b.scores)) * n / STUDIES
                    ours += _rejected(paired_difference(a, b, clusters))
                    mid += simple and mcnemar(a.scores[0], b.scores[0]).mid_p < 0.05
                yield {
                    **design.columns,
                    "accuracy": share,
                    "items": n,
                    "discordant_items": f"{discordant:.0f}",
                    "paired_percent": _percent(ours),
                    "mcnemar_mid_p_percent": _percent(mid) if simple else "",
                }


def seeds() -> Iterator[Row]:
    """A row for each design of two trained conditions with the same seeds, 300 items: no difference and 8 points.

    What is hard for one condition is mostly hard for the other (correlation 0.8).

    Beside the interval: a t test over the seeds' differences (items as fixed), and the interval without the pairing.
    """
    for number in (3, 5):
        for variance in (worlds.SEED, 0.05):
            for correlation in (0.0, 0.3, 0.8):
                design = Design(seeds=number, variance=variance, correlation=correlation, item_correlation=0.8)
                for points in (0, 8):
                    rng = np.random.default_rng(number)
                    ours = by_seed = unpaired = 0
                    for _ in range(STUDIES):
                        study, _ = design.draw(rng, [0.5 + points / 100, 0.5], 300)
                        a, b = study.sides
                        ours += _rejected(paired_difference(a, b))
                        other = Side(scores=b.scores, seeds=tuple(range(number, 2 * number)))
                        unpaired += _rejected(paired_difference(a, other))
                        means = a.scores.mean(axis=1) - b.scores.mean(axis=1)
                        half = stats.t.ppf(0.975, number - 1) * means.std(ddof=1) / number**0.5
                        by_seed += bool(abs(means.mean()) > half)
                    yield {
                        "seeds": number,
                        "seed_variance": variance,
                        "seed_correlation": correlation,
                        "difference_points": points,
                        "paired_percent": _percent(ours),
                        "t_test_over_seeds_percent": _percent(by_seed),
                        "unpaired_seeds_percent": _percent(unpaired),
                    }


def tails() -> Iterator[Row]:
    """A row for each design: how often p of a true null is below levels that corrections for many comparisons ask for.

    300 items. The second condition has the same seeds, or one run on which seeds have no influence.
    """
    levels = np.array([0.05, 0.01, 0.001])
    for number, others, correlation in ((3, 1, 0.0), (3, 3, 0.0), (3, 3, 0.8), (5, 1, 0.0), (5, 5, 0.8)):
        for variance in (worlds.SEED, 0.05):
            rng = np.random.default_rng(number)
            below = np.zeros(len(levels))
            for _ in range(TAIL_STUDIES):
                a, b = worlds.study(
                    rng,
                    [0.5, 0.5],
                    num_items=300,
                    num_seeds=number,
                    seed_variance=(variance, variance if others > 1 else 0.0),
                    seed_correlation=correlation,
                ).sides
                below += (paired_difference(a, b if others > 1 else b.scores[0]).p or 0.0) < levels
            for level, count in zip(levels, below, strict=True):
                yield {
                    "seeds": number,
                    "other_seeds": others,
                    "seed_correlation": correlation,
                    "seed_variance": variance,
                    "level_percent": f"{100 * level:g}",
                    "rejected_percent": f"{100 * count / TAIL_STUDIES:.3g}",
                }


def family() -> Iterator[Row]:
    """A row for each size of test and share: how often Holm rejects any of ten true nulls against one baseline."""
    for n, share, number, correlation in (
        (100, 0.5, 1, 0.0),
        (300, 0.9, 1, 0.0),
        (300, 0.5, 3, 0.0),
        (300, 0.5, 5, 0.8),
    ):
        rng = np.random.default_rng(n)
        design = Design(seeds=number, variance=worlds.SEED if number > 1 else 0.0, correlation=correlation)
        any_raw = any_holm = 0
        for _ in range(STUDIES):
            first, *others = design.draw(rng, [share] * 11, n)[0].sides
            ps = np.array([paired_difference(each, first).p for each in others])
            any_raw += bool((ps < 0.05).any())
            any_holm += bool((holm(ps) < 0.05).any())
        yield {
            "items": n,
            "accuracy": share,
            "seeds": number,
            "seed_correlation": correlation,
            "unadjusted_percent": _percent(any_raw),
            "holm_percent": _percent(any_holm),
        }


def wilson_exactly() -> Iterator[Row]:
    """Coverage of Wilson for independent items, summed over the binomial."""
    for share in SHARES:
        for n in SIZES:
            covered = 0.0
            for right in range(n + 1):
                interval = score_interval([1.0] * right + [0.0] * (n - right))
                covered += float(stats.binom.pmf(right, n, share)) * (interval.low <= share <= interval.high)
            yield {"accuracy": share, "items": n, "wilson_percent": f"{100 * covered:.2f}"}


def _rejected(found: Difference) -> bool:
    return (found.p or 0.0) < 0.05


def _size(clusters: str) -> int:
    return 5 if clusters == "of 5" else 1


def _percent(count: int) -> str:
    return f"{100 * count / STUDIES:.1f}"


SECTIONS: Sections = {
    "scores": ("score_coverage", scores),
    "exactly": ("wilson_exact_coverage", wilson_exactly),
    "paired": ("paired_type_1_error", paired),
    "seeds": ("paired_seeds", seeds),
    "tails": ("small_p_values", tails),
    "holm": ("family_wise_error", family),
}


if __name__ == "__main__":
    write_sections(SECTIONS, sys.argv[1:])
