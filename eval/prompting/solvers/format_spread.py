"""FormatSpread (Sclar et al. 2024): the best and the worst of many formats, found by Thompson sampling.

Half of a budget of answers looks for the best, half for the worst; what one half asked, the other knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.model.model import Model
from educe.eval.prompting.solvers.format_grid import AskedFormat

PRIOR_B = 5.0  # of the Beta prior, as published


@dataclass(frozen=True, kw_only=True)
class FormatSpreadSolver:
    """`share` of all pairs of a format and an item is asked, `batch` items at a time; the regular format is the score.

    `Answers.about` holds the best and the worst format with what was seen of them, and what looking cost, which is no
    part of the price of an answer. Their distance is the published spread; it flatters itself where few items were
    asked, so the number asked stands beside it.
    """

    formats: tuple[AskedFormat, ...]
    share: float = 0.25
    batch: int = 8
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """Ask all items plainly, which is the score and the prior, then search with the rest of the budget."""
        regular = self.solver(model, task, prompt_fn, items)
        search = _Search(self, model, task, items, prior=regular.score)
        budget = max(2 * self.batch, round(self.share * len(self.formats) * len(items)))
        search.run(budget // 2, up=True)
        search.run(budget - budget // 2, up=False)
        return replace(regular, metadata=search.found())


@dataclass
class _Search:
    """What is known of every format so far."""

    settings: FormatSpreadSolver
    model: Model
    task: Task
    items: Sequence[Example]
    prior: float
    flops: float = 0.0
    executed_flops: float = 0.0
    right: list[float] = field(init=False)
    asked: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.right = [0.0] * len(self.settings.formats)
        self.asked = [0] * len(self.settings.formats)
        self.rng = np.random.default_rng(self.settings.seed)
        self.order = self.rng.permutation(len(self.items))

    def run(self, budget: int, *, up: bool) -> None:
        """Ask until the budget is spent or nothing is left to ask: each time the format whose draw is most extreme."""
        while budget > 0:
            open_ones = [place for place, asked in enumerate(self.asked) if asked < len(self.items)]
            if not open_ones:
                return
            draws = self.rng.beta(*self._posterior())
            place = max(open_ones, key=lambda each: draws[each] if up else -draws[each])
            budget -= self._ask(place, min(budget, self.settings.batch))

    def found(self) -> Mapping[str, Any]:
        """The best and the worst by posterior mean, as plain values."""
        ups, downs = self._posterior()
        means = ups / (ups + downs)
        seen = [place for place, asked in enumerate(self.asked) if asked]
        best, worst = max(seen, key=lambda place: means[place]), min(seen, key=lambda place: means[place])
        return {
            "pairs_asked": sum(self.asked),
            "formats_asked": len(seen),
            "best": self._said(best),
            "worst": self._said(worst),
            "spread": self.right[best] / self.asked[best] - self.right[worst] / self.asked[worst],
            "flops": self.flops,
            "executed_flops": self.executed_flops,
        }

    def _said(self, place: int) -> dict[str, Any]:
        return {
            "format": self.settings.formats[place].name,
            "accuracy": self.right[place] / self.asked[place],
            "asked": self.asked[place],
        }

    def _posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """The Beta distribution of every format's accuracy, from a prior about the regular format's."""
        odds = self.prior / max(1 - self.prior, 1e-9)
        prior_a = min(max(1.1, PRIOR_B * odds), 100 * PRIOR_B)
        right, asked = np.array(self.right), np.array(self.asked)
        return prior_a + right, PRIOR_B + asked - right

    def _ask(self, place: int, count: int) -> int:
        """The format's next items; how many."""
        start = self.asked[place]
        items = [self.items[index] for index in self.order[start : start + count]]
        answers = self.settings.solver(self.model, self.task, self.settings.formats[place].prompt_fn, items)
        self.right[place] += sum(outcome.score for outcome in answers.outcomes)
        self.asked[place] += len(items)
        self.flops += answers.search.search_flops
        self.executed_flops += answers.search.executed_search_flops
        return len(items)
