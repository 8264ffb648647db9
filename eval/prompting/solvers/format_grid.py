"""Items asked in many formats: a balanced share of all pairs, and how accuracy varies over the formats."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.formats.space import FormatSpace
from educe.data.task import Task
from educe.eval.measure import Solver, SolverOutput, measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.prompting.prompt_eval import Array, balanced_sample, estimate_spread
from educe.eval.prompting.prompts import PLAIN, PromptConfig, make_prompt_fn_in, style_of
from educe.eval.prompting.spread import format_sd

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, kw_only=True)
class AskedFormat:
    """A format by its name and its way to answer, and the prompter that asks in it."""

    name: str
    answer_by: str
    prompt_fn: PromptFunction


def draw_formats(
    model: Model,
    task: Task,
    count: int,
    *,
    seed: int,
    shots: Sequence[Example] = (),
    prompt_config: PromptConfig = PLAIN,
) -> tuple[AskedFormat, ...]:
    """So many formats of the task's space, or all where it holds fewer, drawn with the seed."""
    space = FormatSpace(task, style_of(prompt_config.template, kind=model.kind))
    count = min(count, len(space))
    return tuple(
        AskedFormat(
            name=named.name,
            answer_by=named.values["answer"],
            prompt_fn=make_prompt_fn_in(model, named.format, shots=shots, prompt_config=prompt_config),
        )
        for named in space.sample(count, seed=seed)
    )


@dataclass(frozen=True, kw_only=True)
class FormatGridSolver:
    """Each format is asked a balanced `share` of the items, or as many more as it takes for every item to meet two.

    An item's score is its mean over the formats that it met, and the price of an answer is that of one format.

    Works for any model, trained or not. `Answers.about` holds estimated accuracies of the formats on all items
    (eval.prompt_eval), their quantiles, and their standard deviation with its interval (eval.spread).
    """

    formats: tuple[AskedFormat, ...]
    share: float = 1.0
    seed: int = 0
    solver: Solver = measure

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """`ask` is not used: the formats ask. UserError where there are too few items to ask a share of."""
        count = len(items)
        if count < 2:
            raise UserError(f"{count} item is too few to see how formats differ on; give 2 or more test_items")
        # Turn after turn every format meets its next item, and windows of this many turns cover every item twice.
        least = max(2, 2 * math.ceil(count / len(self.formats)))
        budget = len(self.formats) * min(count, max(least, round(self.share * count)))
        pairs = balanced_sample(len(self.formats), count, budget, seed=self.seed)
        scores = np.full((len(self.formats), count), np.nan)
        flops = executed = 0.0
        metric = ""
        for place, asked in enumerate(self.formats):
            met = np.sort(pairs[pairs[:, 0] == place, 1])
            answers = self.solver(model, task, asked.prompt_fn, [items[index] for index in met])
            scores[place, met] = [outcome.score for outcome in answers.outcomes]
            flops, executed = flops + answers.search.search_flops, executed + answers.search.executed_search_flops
            metric = answers.metric
        return SolverOutput(
            outcomes=tuple(
                Outcome(id=item.id, cluster=item.cluster, score=float(np.nanmean(scores[:, index])), answer=item.answer)
                for index, item in enumerate(items)
            ),
            metric=f"{metric}, mean over {len(self.formats)} formats",
            flops_per_answer=flops / len(pairs),
            executed_flops_per_answer=executed / len(pairs),
            metadata={**self._seen(scores), "flops": flops, "executed_flops": executed},
        )

    def _seen(self, scores: Array) -> Mapping[str, Any]:
        """What the grid says of the formats, as plain values."""
        pairs = np.argwhere(~np.isnan(scores))
        right = scores[pairs[:, 0], pairs[:, 1]]
        size = {"num_formats": scores.shape[0], "num_items": scores.shape[1]}
        spread = estimate_spread(pairs, right, features=self._features(), **size)
        sd = format_sd(pairs, right, **size)
        return {
            "pairs_asked": len(pairs),
            "accuracies": {
                asked.name: round(float(accuracy), 4)
                for asked, accuracy in zip(self.formats, spread.accuracies, strict=True)
            },
            "quantiles": dict(zip(map(str, LEVELS), map(float, spread.quantile(LEVELS)), strict=True)),
            "sd": {"value": sd.sd, "low": sd.low, "high": sd.high, "interval": sd.kind},
        }

    def _features(self) -> Array:
        """A column for each way to answer, which formats have in common."""
        conditions = sorted({asked.answer_by for asked in self.formats})
        return np.array([[float(asked.answer_by == condition) for condition in conditions] for asked in self.formats])
