"""How forecasts of held-out budgets do on simulated curves, beside the last point and a straight line.

Curves of every form with random ceilings, rises and rates, budgets from 4 to 4,096: the four smallest are fitted, the
two after them forecast (4 and 16 times as far as the largest fitted).

python -m tests.benchmarks.forecasts
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from educe.eval.analysis.forecast import Trial, forecast_scores, records
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, write
from tests.benchmarks.worlds import Array

CURVES = 200
BUDGETS = 4.0 ** np.arange(1, 7)
FITTED = 4


def random_curve(rng: np.random.Generator) -> tuple[str, Callable[[Array], Array]]:
    """A form and its curve: of ten, one flat, four power laws and five logistic."""
    low, high = rng.uniform(0.25, 0.6), rng.uniform(0.65, 0.97)
    kind = rng.choice(["flat", "power law", "logistic"], p=[0.1, 0.4, 0.5])
    if kind == "flat":
        return "flat", lambda x: np.full(len(x), low)
    if kind == "power law":
        rate = rng.uniform(0.15, 0.8)
        return "power law", lambda x: high - (high - low) * (x / 4) ** -rate
    center, width = np.log(rng.uniform(16, 512)), rng.uniform(0.4, 1.4)
    return "logistic", lambda x: low + (high - low) * special.expit((np.log(x) - center) / width)


def simulate(num_curves: int = CURVES, seed: int = 0) -> list[Trial]:
    """Two trials a curve; 200 items, three seeds."""
    made = []
    for number in range(num_curves):
        rng = np.random.default_rng([seed, number])
        kind, curve = random_curve(rng)
        conditions = worlds.right(rng, list(curve(BUDGETS)), num_items=200, num_seeds=3)
        for held_out in range(FITTED, len(BUDGETS)):
            budget = float(BUDGETS[held_out])
            made.append(
                Trial(
                    curve=kind,
                    fitted_to=FITTED,
                    budget=budget,
                    seen=float(conditions[held_out].scores.mean()),
                    forecasts=forecast_scores(list(BUDGETS[:FITTED]), conditions[:FITTED], at=budget),
                )
            )
    return made


def main() -> None:
    """Write docs/statistics/forecasts.csv."""
    write("forecasts", _records())


def _records() -> Iterator[Row]:
    """A row for each method, over all trials, and over those of each form and distance."""
    made = simulate()
    groups: dict[tuple[str, str], list[Trial]] = {("all", ""): made}
    for each in made:
        groups.setdefault((each.curve, f"{each.budget / BUDGETS[FITTED - 1]:.0f}"), []).append(each)
    for (curve, times_as_far), group in sorted(groups.items()):
        for record in records(group):
            yield {
                "curve": curve,
                "times_as_far": times_as_far,
                "method": record.method,
                "trials": record.num_trials,
                "mean_error_points": f"{100 * record.mean_error:.1f}",
                "covered_percent": f"{100 * record.covered:.0f}",
                "crps_points": f"{100 * record.crps:.1f}",
            }


if __name__ == "__main__":
    main()
