"""Calibration of options: the score that an option has without the question is subtracted.

Contextual calibration (Zhao et al. 2021) divides by an option's mean probability after content-free questions;
domain-conditional PMI (Holtzman et al. 2021) divides by its likelihood without any question.
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
CONTENT_FREE = ("N/A", "[MASK]", "...")


@dataclass(frozen=True, kw_only=True)
class CalibratedSolver:
    """Picks by log-likelihood less what each option has without the question; all prompts are the cost of an answer."""

    by: By = "context"

    def __call__(self, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]) -> SolverOutput:
        check_options(task, to="calibrate")
        encoded = encode_items(model, [prompt_fn(item) for item in items], items)
        scored = score_options(model, encoded)
        questions = CONTENT_FREE if self.by == "context" else ("",)
        baselines = [
            score_options(
                model, encode_items(model, [replace_question(prompt_fn, item, text) for item in items], items)
            )
            for text in questions
        ]
        outcomes = []
        for place, (item, branches) in enumerate(zip(items, encoded, strict=True)):
            prior = self._prior([scores.loglikelihoods[place] for scores in baselines])
            loglikelihoods = scored.loglikelihoods[place]
            compared = [own - without for own, without in zip(loglikelihoods, prior, strict=True)]
            outcomes.append(choice_outcome(item, branches, loglikelihoods, compared))
        count = len(items)
        return SolverOutput(
            outcomes=tuple(outcomes),
            metric=f"accuracy (calibrated by {self.by})",
            flops_per_answer=(scored.flops + sum(each.flops for each in baselines)) / count,
            executed_flops_per_answer=(scored.executed_flops + sum(each.executed_flops for each in baselines)) / count,
        )

    def _prior(self, loglikelihoods: Sequence[tuple[float, ...]]) -> list[float]:
        """Each option's value without content, in nats: the log of its mean probability, or its log-likelihood."""
        if self.by == "pmi":
            return list(loglikelihoods[0])
        values = np.array(loglikelihoods)
        shares = np.exp(values - np.logaddexp.reduce(values, axis=1, keepdims=True))
        return [float(share) for share in np.log(shares.mean(axis=0))]


def replace_question(prompt_fn: PromptFunction, item: Example, text: str) -> Prompt:
    """The item's prompt with another question, or none; its options are listed as before."""
    marker = CONTENT_FREE[0]
    prompt = prompt_fn(replace(item, question=marker))
    last = prompt.messages[-1]
    content = text + last.content.removeprefix(marker)
    return replace(prompt, messages=(*prompt.messages[:-1], Message(role="user", content=content)))
