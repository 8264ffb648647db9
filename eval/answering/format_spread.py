"""FormatSpread (Sclar et al. 2024): the best and the worst of many formats, found by Thompson sampling.

Half of a budget of answers looks for the best, half for the worst; what one half asked, the other knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from data.example import Example
from data.task import Task
from eval.answering.format_grid import AskedFormat
from eval.ask import Prompter
from eval.measure import Answerer, Answers, measure
from eval.subject import Subject

PRIOR_B = 5.0  # of the Beta prior, as published


@dataclass(frozen=True, kw_only=True)
class FormatSpread:
    """`share` of all pairs of a format and an item is asked, `batch` items at a time; the regular format is the score.

    `Answers.about` holds the best and the worst format with what was seen of them, and what looking cost, which is no
    part of the price of an answer. Their distance is the published spread; it flatters itself where few items were
    asked, so the number asked stands beside it.
    """

    formats: tuple[AskedFormat, ...]
    share: float = 0.25
    batch: int = 8
    seed: int = 0
    answer: Answerer = measure

    def __call__(self, subject: Subject, task: Task, ask: Prompter, items: Sequence[Example]) -> Answers:
        """Ask all items plainly, which is the score and the prior, then search with the rest of the budget."""
        regular = self.answer(subject, task, ask, items)
        search = _Search(self, subject, task, items, prior=regular.score)
        budget = max(2 * self.batch, round(self.share * len(self.formats) * len(items)))
        search.run(budget // 2, up=True)
        search.run(budget - budget // 2, up=False)
        return replace(regular, about=search.found())


@dataclass
class _Search:
    """What is known of every format so far."""

    settings: FormatSpread
    subject: Subject
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
        answers = self.settings.answer(self.subject, self.task, self.settings.formats[place].ask, items)
        self.right[place] += sum(outcome.score for outcome in answers.outcomes)
        self.asked[place] += len(items)
        self.flops += answers.search.search_flops
        self.executed_flops += answers.search.executed_search_flops
        return len(items)
