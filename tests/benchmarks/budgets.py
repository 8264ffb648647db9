"""How often the bracket of the first measured budget that reaches a score holds it, on curves of any shape.

None of the worlds is used by the method. Steps lie at every place between two budgets, where a fitted form invents the
place; others rise twice, late, along a line or not at all, or fall.

python -m tests.benchmarks.budgets
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from educe.eval.analysis.crossing import crossing
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, write
from tests.benchmarks.worlds import Array

World = Callable[[Array], Array]
STUDIES = 1_000
BUDGETS = 4.0 ** np.arange(1, 6)
FINE = np.geomspace(BUDGETS[0], BUDGETS[-1], 4_001)
# A score low, halfway and high on the rise.
PLACES = (0.1, 0.5, 0.9)
# Of the root of the ratio of two budgets: just above a budget, in the middle, just below the next.
BETWEEN = (0.05, 0.5, 0.95)


def step(place: float, low: float = 0.49, high: float = 0.86) -> World:
    """From low to high at 4 to the power `place`."""
    return lambda x: np.where(np.log(x) / np.log(4) < place, low, high)


def _narrow(x: Array) -> Array:
    return np.asarray(0.3 + 0.5 * special.expit((np.log(x) - np.log(100)) / 0.02))


WORLDS: dict[str, World] = {
    **{f"step at {first + part:.2f} of 4^x": step(first + part) for first in (1, 2, 3, 4) for part in BETWEEN},
    "logistic, tiny width": _narrow,
    "two steps": lambda x: np.where(x < 30, 0.4, np.where(x < 700, 0.6, 0.85)),
    "late jump": lambda x: np.where(x < 900, 0.3, 0.7),
    "linear": lambda x: 0.3 + 0.1 * np.log(x / 4) / np.log(4),
    "power law": lambda x: 0.92 - 0.45 * (x / 4) ** -0.5,
    "logistic, wide": lambda x: 0.3 + 0.5 * special.expit((np.log(x) - np.log(100)) / 1.3),
    "falling": lambda x: 0.8 - 0.1 * np.log(x / 4) / np.log(4),
    "up and down": lambda x: 0.3 + 0.5 * np.exp(-(((np.log(x) - np.log(64)) / 1.5) ** 2)),
    "flat": lambda x: np.full(len(x), 0.6),
}


def scores_of(world: World) -> list[float]:
    """Scores on the rise; of a flat curve its own score and one just above, of a falling one also on the way down."""
    true = world(FINE)
    low, high = float(true.min()), float(true.max())
    if low == high:
        return [low - 1e-9, low + 1e-9]
    return [low + place * (high - low) for place in PLACES]


def coverage(world: World, *, studies: int, num_seeds: int) -> dict[float, float]:
    """The share of studies whose bracket holds the first measured budget with each score, by score; 300 items."""
    true = world(BUDGETS)
    found = dict.fromkeys(scores_of(world), 0)
    for study in range(studies):
        rng = np.random.default_rng(study)
        sides = worlds.right(rng, list(world(BUDGETS)), num_items=300, num_seeds=num_seeds)
        for score in found:
            when = float(BUDGETS[np.argmax(true >= score)]) if true.max() >= score else np.inf
            reached = crossing(list(BUDGETS), sides, score)
            found[score] += reached.low < when <= (np.inf if reached.high is None else reached.high)
    return {score: count / studies for score, count in found.items()}


def rows() -> Iterator[Row]:
    """A row for each world, score and number of seeds."""
    for name, world in WORLDS.items():
        for seeds in (1, 3):
            for score, covered in coverage(world, studies=STUDIES, num_seeds=seeds).items():
                yield {"curve": name, "seeds": seeds, "score_percent": f"{100 * score:.1f}",
                       "covered_percent": f"{100 * covered:.1f}"}  # fmt: skip


if __name__ == "__main__":
    write("budget_coverage", rows())
