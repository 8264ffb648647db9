"""How often the interval of the budget that reaches a score holds the truth, on curves of every form."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from educe.eval.analysis.fit import fit_scores
from tests.benchmarks import worlds
from tests.benchmarks.tables import Row
from tests.benchmarks.worlds import Array

STUDIES = 500
# Halfway scores and a late one: where on the rise the budget lies decides how well it is known.
PLACES = (0.3, 0.5, 0.8)
TRUTHS: dict[str, Callable[[Array], Array]] = {
    "flat": lambda x: np.full(len(x), 0.6),
    "power law, fast": lambda x: 0.92 - 0.45 * (x / 4) ** -0.5,
    "power law, slow": lambda x: 0.95 - 0.45 * (x / 4) ** -0.2,
    "logistic, narrow": lambda x: 0.5 + 0.4 * special.expit((np.log(x) - np.log(64)) / 0.6),
    "logistic, wide": lambda x: 0.3 + 0.5 * special.expit((np.log(x) - np.log(100)) / 1.3),
}
BUDGETS = {5: 4.0 ** np.arange(1, 6), 9: 2.0 ** np.arange(2, 11)}
# Items, seeds, variance of seeds; one seed without an effect, so that its curve is the truth.
DESIGNS = ((200, 3, worlds.SEED), (200, 1, 0.0), (500, 3, 0.03))


def budgets() -> Iterator[Row]:
    """A row for each truth and design. A flat curve at the score itself reaches it at once, a hair below it never."""
    for name, truth in TRUTHS.items():
        for measured in BUDGETS.values():
            for n, seeds, variance in DESIGNS:
                found, covered = _row(truth, measured, n, seeds, variance)
                kind = name.partition(",")[0]
                places = ("reached", "never") if name == "flat" else PLACES
                for place, each in zip(places, covered, strict=True):
                    yield {
                        "curve": name,
                        "budgets": len(measured),
                        "items": n,
                        "seeds": seeds,
                        "seed_variance": variance if seeds > 1 else "",
                        "form_found_percent": f"{100 * found.count(kind) / STUDIES:.0f}",
                        "place_on_rise": place,
                        "covered_percent": f"{100 * each:.1f}",
                    }


def _row(
    truth: Callable[[Array], Array], measured: Array, n: int, seeds: int, variance: float
) -> tuple[list[str], Array]:
    fine = np.geomspace(measured[0], measured[-1], 4_000)
    true = truth(fine)
    rise = true[-1] - true[0]
    scores = [true[0] - 1e-9, true[0] + 1e-9] if rise == 0 else [true[0] + place * rise for place in PLACES]
    covered, found = np.zeros(len(scores)), []
    for study in range(STUDIES):
        rng = np.random.default_rng(study)
        made = worlds.study(rng, list(truth(measured)), num_items=n, num_seeds=seeds, seed_variance=variance)
        fitted = fit_scores(list(measured), made.sides)
        assert fitted is not None
        found.append(fitted.form)
        for i, score in enumerate(scores):
            reached = fitted.budget_to_reach(score)
            when = fine[np.argmax(true >= score)] if true[-1] >= score else np.inf
            low, high = (np.inf if end is None else end for end in (reached.low, reached.high))
            covered[i] += low * 0.99 <= when <= high * 1.01  # the fit is drawn at 200 budgets, about 3% apart
    return found, covered / STUDIES
