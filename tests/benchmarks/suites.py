"""How often the intervals of a suite's report hold, in simulated studies: means over tasks, and gains of the best.

`means`: scores and gains over zero-shot as means over a fixed list of tasks, 1,000 studies a row. `best`: the gain of
the recipe that scored best, over zero-shot and above its control, as measured and corrected, 600 studies a row.

Each section writes its table into docs/statistics/.

python -m tests.benchmarks.suites [means] [best]
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from educe.eval.analysis.statistics.fixed_tasks import mean_over_tasks, task_difference, task_score
from educe.eval.analysis.statistics.paired import paired_difference
from educe.eval.analysis.statistics.picked import picked_gain
from educe.eval.analysis.statistics.variance import Side
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, Sections, write_sections

STUDIES = 1_000
BEST_STUDIES = 600
SIZES = (20, 200)  # items of a task, drawn between these
SHARES = {"20 to 98%": (0.2, 0.98), "93 to 99.5%": (0.93, 0.995)}
# Seeds, the variance of their effects, its correlation over tasks, and how they are distributed.
SEEDS: tuple[tuple[int, float, float, worlds.Seeds], ...] = (
    (1, 0.0, 0.0, "normal"),
    (3, 0.0, 0.0, "normal"),
    (3, 0.01, 0.0, "normal"),
    (3, 0.01, 0.3, "normal"),
    (3, 0.01, 1.0, "normal"),
    (3, 0.05, 0.3, "normal"),
    (3, 0.05, 0.3, "one in five fails"),
    (5, 0.01, 0.3, "normal"),
    (5, 0.05, 0.3, "one in five fails"),
)
# Of six recipes, beside controls at 40% and zero-shot at 45%.
RIVALS = {"equal": [0.6] * 6, "sd of 4 points": [0.55, 0.58, 0.6, 0.62, 0.64, 0.66]}


def held(
    *,
    tasks: int,
    seeds: int,
    variance: float,
    correlation: float,
    studies: int,
    effects: worlds.Seeds = "normal",
    shares: tuple[float, float] = (0.2, 0.98),
    gain: bool = False,
) -> float:
    """The percent of studies in which the interval of the mean score or gain holds the true one.

    The tasks of a study are the conditions of a simulated one whose items have nothing in common. A gain is over as
    many more conditions, up to 20 points worse, in which seeds change nothing.
    """
    rng, covered = np.random.default_rng(tasks), 0
    for _ in range(studies):
        levels = rng.uniform(*shares, tasks)
        below = np.maximum(levels - rng.uniform(0, 0.2, tasks), 0.02)
        study = worlds.study(
            rng,
            [*levels, *below],
            num_items=SIZES[1],
            num_seeds=seeds,
            seed_variance=[variance] * tasks + [0.0] * tasks,
            seed_correlation=correlation,
            seeds=effects,
            item_correlation=0.0,
        )
        values = []
        for place, size in enumerate(rng.integers(*SIZES, tasks)):
            mine = study.sides[place]
            side = Side(scores=mine.scores[:, :size], seeds=mine.seeds if seeds > 1 else ())
            plain = Side(scores=study.sides[tasks + place].scores[:1, :size])
            values.append(task_difference(side, plain) if gain else task_score(side))
        found = mean_over_tasks(values)
        truth = study.truth[:tasks] - (study.truth[tasks:] if gain else 0.0)
        covered += found.low <= float(truth.mean()) <= found.high
    return 100 * covered / studies


def means() -> Iterator[Row]:
    """A row for each number of tasks, range of their scores, and kind of seeds."""
    for tasks in (3, 25):
        for name, shares in SHARES.items():
            for seeds, variance, correlation, effects in SEEDS:
                percent = [
                    held(
                        tasks=tasks, seeds=seeds, variance=variance, correlation=correlation, studies=STUDIES,
                        effects=effects, shares=shares, gain=gain,
                    )
                    for gain in (False, True)
                ]  # fmt: skip
                yield {
                    "tasks": tasks,
                    "scores": name,
                    "seeds": seeds,
                    "seed_variance": variance,
                    "correlation_over_tasks": correlation,
                    "seed_effects": effects,
                    "score_held_percent": f"{percent[0]:.1f}",
                    "gain_held_percent": f"{percent[1]:.1f}",
                }


def best() -> Iterator[Row]:
    """A row for each world and side: bias and coverage of the gain as measured and corrected."""
    for seeds, variance in ((1, 0.0), (3, 0.01), (5, 0.03)):
        for name, shares in RIVALS.items():
            for n in (100, 300):
                yield from _gains(seeds, variance, name, shares, n)


def _gains(seeds: int, variance: float, name: str, shares: Sequence[float], n: int) -> Iterator[Row]:
    count, rng = len(shares), np.random.default_rng(n)
    against = {"zero-shot": [2 * count] * count, "control": [count + place for place in range(count)]}
    found: dict[str, list[tuple[float, float, bool, bool]]] = {side: [] for side in against}
    for _ in range(BEST_STUDIES):
        levels = [*shares, *([0.4] * count), 0.45]
        study = worlds.study(
            rng, levels, num_items=n, num_seeds=seeds, seed_variance=[variance] * 2 * count + [0.0],
            seed_correlation=0.5, item_correlation=0.7,
        )  # fmt: skip
        sides = [side if seeds > 1 else Side(scores=side.scores) for side in study.sides]
        sides[-1] = Side(scores=sides[-1].scores[:1])
        winner = int(np.argmax([side.scores.mean() for side in sides[:count]]))
        for side, others in against.items():
            truth = levels[winner] - levels[others[winner]]
            raw = paired_difference(sides[winner], sides[others[winner]])
            corrected = picked_gain(sides, range(count), others)
            assert corrected is not None
            found[side].append(
                (
                    raw.difference - truth,
                    corrected.value - truth,
                    raw.low <= truth <= raw.high,
                    corrected.low <= truth <= corrected.high,
                )
            )
    for side, each in found.items():
        raw_bias, bias, raw_held, kept = np.mean(each, axis=0)
        yield {
            "seeds": seeds,
            "seed_variance": variance,
            "recipes": name,
            "items": n,
            "against": side,
            "measured_bias_points": f"{100 * raw_bias:.1f}",
            "corrected_bias_points": f"{100 * bias:.1f}",
            "measured_held_percent": f"{100 * raw_held:.1f}",
            "corrected_held_percent": f"{100 * kept:.1f}",
        }


SECTIONS: Sections = {
    "means": ("task_mean_coverage", means),
    "best": ("best_gain_coverage", best),
}


if __name__ == "__main__":
    write_sections(SECTIONS, sys.argv[1:])
