"""Coverage of the interval for the spread over formats, on simulated worlds whose spread is known.

A row for each world: how often the 95% interval holds the true standard deviation, and what share of it the estimate
has on average. The table is docs/statistics/format_spread.csv.

python -m tests.benchmarks.format_spread
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from educe.eval.prompting.prompt_eval import balanced_sample
from educe.eval.prompting.spread import Array, format_sd
from tests.benchmarks.tables import Row, write

STUDIES = 400
ITEM_SD, PAIR_SD = 3.6, 1.8  # in logits: how items differ, and how a format suits an item
DRAWS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, count: rng.standard_normal(count),
    "two groups": lambda rng, count: rng.choice([-0.95, 0.95], count) + 0.3 * rng.standard_normal(count),
    "heavy tails": lambda rng, count: rng.standard_t(5, count) / (5 / 3) ** 0.5,
}
GRIDS = ((100, 100, 0.05), (24, 100, 0.1), (24, 100, 0.4), (24, 100, 1.0), (100, 150, 0.1), (12, 60, 0.5))
SPREADS = (0.0, 0.9, 2.4)


def main() -> None:
    """Simulate every world."""
    write("format_spread", _simulated())


def _simulated() -> Iterator[Row]:
    for shape, draw in DRAWS.items():
        for spread in SPREADS if shape == "normal" else SPREADS[1:]:
            truth = _truth(draw, spread)
            for formats, items, share in GRIDS:
                found = [_study(draw, spread, formats, items, share, seed) for seed in range(STUDIES)]
                covered = np.mean([low <= truth <= high for _, low, high in found])
                ratio = f"{np.mean([sd for sd, _, _ in found]) / truth:.2f}" if truth else ""
                yield {
                    "formats_differ": shape,
                    "formats": formats,
                    "items": items,
                    "share_asked": f"{share:g}",
                    "true_sd_points": f"{100 * truth:.1f}",
                    "estimate_over_truth": ratio,
                    "covered_percent": f"{100 * covered:.1f}",
                }


def _logits(rng: np.random.Generator, ability: Array, items: int) -> Array:
    noise = ITEM_SD * rng.standard_normal(items) + PAIR_SD * rng.standard_normal((len(ability), items))
    return np.asarray(1.5 + ability[:, None] + noise)


def _truth(draw: Callable[[np.random.Generator, int], Array], spread: float) -> float:
    """The standard deviation over many formats, each asked many items."""
    rng = np.random.default_rng(9)
    ability = spread * draw(rng, 2000)
    chances = [special.expit(_logits(rng, ability[k : k + 1], 4000)).mean() for k in range(len(ability))]
    return float(np.std(chances)) if spread else 0.0


def _study(
    draw: Callable[[np.random.Generator, int], Array], spread: float, formats: int, items: int, share: float, seed: int
) -> tuple[float, float, float]:
    rng = np.random.default_rng(seed)
    logits = _logits(rng, spread * draw(rng, formats), items)
    right = (rng.random(logits.shape) < special.expit(logits)) * 1.0
    pairs = balanced_sample(formats, items, max(2 * formats, round(share * right.size)), seed=seed)
    found = format_sd(pairs, right[pairs[:, 0], pairs[:, 1]], num_formats=formats, num_items=items)
    return found.sd, found.low, found.high


if __name__ == "__main__":
    main()
