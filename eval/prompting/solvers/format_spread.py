"""FormatSpread (Sclar et al. 2024): the best and the worst of many formats, found by Thompson sampling.

Half of a budget of answers searches for the best, half for the worst; both use all answers so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details, FormatExtremes, FormatScore
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.model.model import Model
from educe.eval.prompting.formats import DrawnFormat

PRIOR_B = 5.0  # of the Beta prior, as published


@dataclass(frozen=True, kw_only=True)
class FormatSpreadSolver:
    """Scores the prompt function that is passed in, then asks a `share` of all pairs of a format and an item.

    `batch` items are asked at a time. Recorded are the best and the worst format and the cost of the search, which is
    not in the cost of an answer. Their difference is the published spread; it is too large on average where few items
    were asked, so the number asked is recorded with it.
    """

    formats: tuple[DrawnFormat, ...]
    share: float = 0.25
    batch: int = 8
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        regular = self.solver(model, task, prompt_fn, items)
        search = _Search(self, model, task, items, prior_mean=regular.score)
        budget = max(2 * self.batch, round(self.share * len(self.formats) * len(items)))
        search.run(budget // 2, best=True)
        search.run(budget - budget // 2, best=False)
        return replace(regular, details=regular.details | Details(format_extremes=search.extremes()))


@dataclass
class _Search:
    """The number of items that every format was asked so far, and the sum of its scores."""

    settings: FormatSpreadSolver
    model: Model
    task: Task
    items: Sequence[Example]
    prior_mean: float
    flops: float = 0.0
    executed_flops: float = 0.0
    correct: list[float] = field(init=False)
    asked: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.correct = [0.0] * len(self.settings.formats)
        self.asked = [0] * len(self.settings.formats)
        self.rng = np.random.default_rng(self.settings.seed)
        self.order = self.rng.permutation(len(self.items))

    def run(self, budget: int, *, best: bool) -> None:
        """Ask the format whose draw is the highest (or lowest) until the budget is spent or all items were asked."""
        while budget > 0:
            unfinished = [place for place, asked in enumerate(self.asked) if asked < len(self.items)]
            if not unfinished:
                return
            draws = self.rng.beta(*self._posterior())
            place = max(unfinished, key=lambda each: draws[each] if best else -draws[each])
            budget -= self._ask(place, min(budget, self.settings.batch))

    def extremes(self) -> FormatExtremes:
        """The best and the worst format by posterior mean."""
        a, b = self._posterior()
        means = a / (a + b)
        seen = [place for place, asked in enumerate(self.asked) if asked]
        best, worst = max(seen, key=lambda place: means[place]), min(seen, key=lambda place: means[place])
        return FormatExtremes(
            best=self._score(best),
            worst=self._score(worst),
            spread=self.correct[best] / self.asked[best] - self.correct[worst] / self.asked[worst],
            formats_asked=len(seen),
            pairs_asked=sum(self.asked),
            flops=self.flops,
            executed_flops=self.executed_flops,
        )

    def _score(self, place: int) -> FormatScore:
        return FormatScore(
            format=self.settings.formats[place].name,
            accuracy=self.correct[place] / self.asked[place],
            asked=self.asked[place],
        )

    def _posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Parameters a and b of each format's Beta posterior; the prior has the regular format's accuracy as mean."""
        odds = self.prior_mean / max(1 - self.prior_mean, 1e-9)
        prior_a = min(max(1.1, PRIOR_B * odds), 100 * PRIOR_B)
        correct, asked = np.array(self.correct), np.array(self.asked)
        return prior_a + correct, PRIOR_B + asked - correct

    def _ask(self, place: int, count: int) -> int:
        """Ask the format its next `count` items; how many were left to ask."""
        start = self.asked[place]
        items = [self.items[index] for index in self.order[start : start + count]]
        output = self.settings.solver(self.model, self.task, self.settings.formats[place].prompt_fn, items)
        self.correct[place] += sum(outcome.score for outcome in output.outcomes)
        self.asked[place] += len(items)
        self.flops += output.search.search_flops
        self.executed_flops += output.search.executed_search_flops
        return len(items)
