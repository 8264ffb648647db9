"""Calibration of options: what an option is likely anyway, without the question, is taken out of its score.

Contextual calibration (Zhao et al. 2021) divides by the mean share that an option gets after questions without content;
domain-conditional PMI (Holtzman et al. 2021) by its likelihood where no question stands at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from educe.data.example import Example, Message
from educe.data.formats.render import Prompt, PromptFunction
from educe.data.task import Task, check_options
from educe.eval.measure import SolverOutput, choice_outcome, encode_items
from educe.eval.model.model import Model
from educe.eval.model.score import score_options

By = Literal["context", "pmi"]
WITHOUT_CONTENT = ("N/A", "[MASK]", "...")


@dataclass(frozen=True, kw_only=True)
class CalibratedSolver:
    """Options are compared by log-likelihood less what they have without the question."""

    by: By = "context"

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        """Asks every item, and its options without content; all of it is the price of an answer."""
        check_options(task, to="calibrate")
        encoded = encode_items(model, [prompt_fn(item) for item in items], items)
        asked = score_options(model, encoded)
        without = [[emptied(prompt_fn, item, text) for item in items] for text in self._questions()]
        alone = [score_options(model, encode_items(model, prompts, items)) for prompts in without]
        outcomes = []
        for place, (item, branches) in enumerate(zip(items, encoded, strict=True)):
            prior = self._prior([scores.loglikelihoods[place] for scores in alone])
            likelihoods = asked.loglikelihoods[place]
            compared = [likelihood - held for likelihood, held in zip(likelihoods, prior, strict=True)]
            outcomes.append(choice_outcome(item, branches, likelihoods, compared))
        count = len(items)
        return SolverOutput(
            outcomes=tuple(outcomes),
            metric=f"accuracy (calibrated by {self.by})",
            flops_per_answer=(asked.flops + sum(each.flops for each in alone)) / count,
            executed_flops_per_answer=(asked.executed_flops + sum(each.executed_flops for each in alone)) / count,
        )

    def _questions(self) -> tuple[str, ...]:
        return WITHOUT_CONTENT if self.by == "context" else ("",)

    def _prior(self, likelihoods: Sequence[tuple[float, ...]]) -> list[float]:
        """What each option has without content, in nats: the log of its mean share, or its log-likelihood."""
        if self.by == "pmi":
            return list(likelihoods[0])
        values = np.array(likelihoods)
        shares = np.exp(values - np.logaddexp.reduce(values, axis=1, keepdims=True))
        return [float(share) for share in np.log(shares.mean(axis=0))]


def emptied(prompt_fn: PromptFunction, item: Example, text: str) -> Prompt:
    """The item's prompt with another question, or none; its options stay listed where they were."""
    marker = WITHOUT_CONTENT[0]
    prompt = prompt_fn(replace(item, question=marker))
    last = prompt.messages[-1]
    content = text + last.content.removeprefix(marker)
    return replace(prompt, messages=(*prompt.messages[:-1], Message(role="user", content=content)))
