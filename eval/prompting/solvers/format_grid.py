"""Items asked in many formats: a balanced share of all pairs, and how accuracy varies over the formats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details, FormatAccuracies
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.prompting.formats import DrawnFormat
from educe.eval.prompting.prompt_eval import Array, balanced_sample, estimate_accuracies
from educe.eval.prompting.spread import format_sd

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, kw_only=True)
class FormatGridSolver:
    """Each format is asked a balanced `share` of the items, or more, so that every item is asked in two formats.

    An item's score is its mean over the formats that it was asked in, and the cost of an answer is that of one format.
    Recorded are the estimated accuracies of the formats on all items (prompt_eval.py), their quantiles, and their
    standard deviation with its interval (spread.py). The prompt function that is passed in is not used: each format has
    its own. UserError for fewer than two items.
    """

    formats: tuple[DrawnFormat, ...]
    share: float = 1.0
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        count = len(items)
        if count < 2:
            raise UserError(f"{count} item is too few to compare formats; give 2 or more test_items")
        # In every round each format takes its next item, and windows of this many rounds cover every item twice.
        min_rounds = max(2, 2 * math.ceil(count / len(self.formats)))
        budget = len(self.formats) * min(count, max(min_rounds, round(self.share * count)))
        pairs = balanced_sample(len(self.formats), count, budget, seed=self.seed)
        scores = np.full((len(self.formats), count), np.nan)
        flops = executed = 0.0
        metric = ""
        for index, form in enumerate(self.formats):
            asked = np.sort(pairs[pairs[:, 0] == index, 1])
            output = self.solver(model, task, form.prompt_fn, [items[place] for place in asked])
            scores[index, asked] = [outcome.score for outcome in output.outcomes]
            flops, executed = flops + output.search.search_flops, executed + output.search.executed_search_flops
            metric = output.metric
        return SolverOutput(
            outcomes=tuple(
                Outcome(id=item.id, cluster=item.cluster, score=float(np.nanmean(scores[:, place])), answer=item.answer)
                for place, item in enumerate(items)
            ),
            metric=f"{metric}, mean over {len(self.formats)} formats",
            flops_per_answer=flops / len(pairs),
            executed_flops_per_answer=executed / len(pairs),
            details=Details(formats=self._accuracies(scores, flops=flops, executed_flops=executed)),
        )

    def _accuracies(self, scores: Array, *, flops: float, executed_flops: float) -> FormatAccuracies:
        """Estimates from a grid (formats, items) of scores, NaN where a pair was not asked."""
        pairs = np.argwhere(~np.isnan(scores))
        observed = scores[pairs[:, 0], pairs[:, 1]]
        size = {"num_formats": scores.shape[0], "num_items": scores.shape[1]}
        accuracies = estimate_accuracies(pairs, observed, features=self._features(), **size)
        sd = format_sd(pairs, observed, **size)
        return FormatAccuracies(
            accuracies={
                form.name: round(float(accuracy), 4) for form, accuracy in zip(self.formats, accuracies, strict=True)
            },
            pairs_asked=len(pairs),
            quantiles=dict(zip(map(str, LEVELS), map(float, np.quantile(accuracies, LEVELS)), strict=True)),
            sd=sd.sd,
            sd_low=sd.low,
            sd_high=sd.high,
            sd_interval=sd.kind,
            flops=flops,
            executed_flops=executed_flops,
        )

    def _features(self) -> Array:
        """A column for each kind of answer (text, letter ...), which formats have in common."""
        kinds = sorted({form.answer_by for form in self.formats})
        return np.array([[float(form.answer_by == kind) for kind in kinds] for form in self.formats])
