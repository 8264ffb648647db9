"""How often forecasts hold and how often they are refused, in worlds that the fitted forms describe and others.

A study has eight curves of one world. Budgets from 4 to 1,024 are measured, and 4 and 16 times as far is forecast.

python -m tests.benchmarks.forecasts
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from educe.eval.analysis.forecast import PREDICTORS, Forecast, NoForecast, Series, forecast, record_of
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row, write
from tests.benchmarks.worlds import Array

World = Callable[[np.random.Generator], Callable[[Array], Array]]
STUDIES, CURVES = 100, 8
BUDGETS = 4.0 ** np.arange(1, 8)
MEASURED = 5
ITEMS, SEEDS = 200, 3


def _ends(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.65, 0.97))


def _between(rng: np.random.Generator, first: float, last: float) -> float:
    """A budget, all logarithms equally likely."""
    return float(np.exp(rng.uniform(np.log(first), np.log(last))))


def fitted_forms(rng: np.random.Generator) -> Callable[[Array], Array]:
    """One of ten flat, four power laws, five logistic."""
    low, high = _ends(rng)
    kind = rng.choice(["flat", "power law", "logistic"], p=[0.1, 0.4, 0.5])
    if kind == "flat":
        return lambda x: np.full(len(x), low)
    if kind == "power law":
        rate = rng.uniform(0.15, 0.8)
        return lambda x: high - (high - low) * (x / 4) ** -rate
    center, width = np.log(_between(rng, 16, 512)), rng.uniform(0.4, 1.4)
    return lambda x: low + (high - low) * special.expit((np.log(x) - center) / width)


def jump(rng: np.random.Generator, first: float, last: float) -> Callable[[Array], Array]:
    low, high = _ends(rng)
    at = _between(rng, first, last)
    return lambda x: np.where(x < at, low, high)


def two_steps(rng: np.random.Generator, first: float, last: float) -> Callable[[Array], Array]:
    """The first step at a measured budget, the second between these budgets."""
    low, high = _ends(rng)
    one, two = _between(rng, 4, 256), _between(rng, first, last)
    return lambda x: low + (high - low) / 2 * ((x >= one).astype(float) + (x >= two))


def line(rng: np.random.Generator) -> Callable[[Array], Array]:
    low, high = _ends(rng)
    return lambda x: low + (high - low) * np.log(x / 4) / np.log(BUDGETS[-1] / 4)


def rise_and_fall(rng: np.random.Generator) -> Callable[[Array], Array]:
    low, high = _ends(rng)
    peak = np.log(_between(rng, 16, BUDGETS[-1]))
    return lambda x: low + (high - low) * np.exp(-(((np.log(x) - peak) / 2) ** 2))


def foot(rng: np.random.Generator) -> Callable[[Array], Array]:
    """A logistic rise whose middle lies beyond what is measured."""
    low, high = _ends(rng)
    center, width = np.log(_between(rng, 2_000, BUDGETS[-1])), rng.uniform(0.4, 1.4)
    return lambda x: low + (high - low) * special.expit((np.log(x) - center) / width)


LAST = float(BUDGETS[-1])
WORLDS: dict[str, World] = {
    "fitted forms": fitted_forms,
    "one step anywhere": lambda rng: jump(rng, 4, LAST),
    "late jump": lambda rng: jump(rng, 1_025, LAST),
    "two steps anywhere": lambda rng: two_steps(rng, 4, LAST),
    "second step beyond": lambda rng: two_steps(rng, 1_025, LAST),
    "linear": line,
    "foot": foot,
    "rise and fall": rise_and_fall,
    "falling": lambda rng: (lambda curve: lambda x: 1 - curve(x))(fitted_forms(rng)),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One curve's forecast, or its refusal, and the score that was measured there later."""

    made: Forecast | NoForecast
    seen: float
    by_predictor: dict[str, float]  # absolute errors


def simulate(world: World, *, studies: int = STUDIES, seed: int = 0) -> dict[float, list[Outcome]]:
    """Every curve of every study, by how many times as far it is forecast."""
    found: dict[float, list[Outcome]] = {}
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        every = [series_of_world(f"curve {i}", world(rng), rng) for i in range(CURVES)]
        for beyond, budget in enumerate(BUDGETS[MEASURED:], MEASURED):
            known = [series.first(MEASURED) for series in every]
            record = record_of(known, times_as_far=float(budget / BUDGETS[MEASURED - 1]))
            found.setdefault(record.times_as_far, []).extend(
                _outcome(forecast(base, record), base, float(budget), float(series.sides[beyond].scores.mean()))
                for base, series in zip(known, every, strict=True)
            )
    return found


def series_of_world(name: str, curve: Callable[[Array], Array], rng: np.random.Generator) -> Series:
    sides = worlds.right(rng, list(curve(BUDGETS)), num_items=ITEMS, num_seeds=SEEDS)
    return Series(name=name, budgets=list(BUDGETS), sides=sides)


def _outcome(made: Forecast | NoForecast, base: Series, budget: float, seen: float) -> Outcome:
    tried = {} if isinstance(made, NoForecast) else PREDICTORS
    errors = {name: abs(float(np.clip(predict(base, budget), 0, 1)) - seen) for name, predict in tried.items()}
    return Outcome(made=made, seen=seen, by_predictor=errors)


def rows() -> Iterator[Row]:
    """A row for each world and distance."""
    for name, world in WORLDS.items():
        for times_as_far, outcomes in simulate(world).items():
            yield {"curves": name, "times_as_far": f"{times_as_far:.0f}", **summary(outcomes)}


def summary(outcomes: list[Outcome]) -> Row:
    """Refusals, and of the others the errors, and of those with an interval how often it was to hold and did."""
    made = [(each, each.made) for each in outcomes if isinstance(each.made, Forecast)]
    bounded = [(each.seen, found) for each, found in made if found.low is not None and found.high is not None]
    held = [found.low <= seen <= found.high for seen, found in bounded]  # type: ignore[operator]
    errors = {"chosen": [abs(each.seen - found.score) for each, found in made]}
    errors |= {name: [each.by_predictor[name] for each, _ in made] for name in PREDICTORS}
    return {
        "refused_percent": f"{100 * (1 - len(made) / len(outcomes)):.0f}",
        "forecasts": len(made),
        "with_interval": len(bounded),
        "promised_percent": f"{100 * np.mean([found.level for _, found in bounded]):.0f}" if bounded else "",
        "covered_percent": f"{100 * np.mean(held):.0f}" if bounded else "",
        "width_points": f"{100 * np.mean([found.high - found.low for _, found in bounded]):.0f}" if bounded else "",  # type: ignore[operator]
        **{
            f"error_{name.replace(' ', '_')}_points": f"{100 * np.mean(each):.1f}" if each else ""
            for name, each in errors.items()
        },
    }


if __name__ == "__main__":
    write("forecasts", rows())
