"""A control that knows nothing beforehand: a linear scorer of n-grams, fitted to the rows that others train on."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from pydantic import model_validator

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import SolverOutput
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload
from educe.train.ngram_scorer import NgramScorer, fit_ngrams


class Ngrams(Method):
    """What n labelled examples teach by themselves: the model is neither read nor changed.

    Options are scored by character and word n-grams (train/ngram_features.py). Without options, the answers of the n
    examples are scored in their place, and the one that is picked is graded as text.
    """

    role: ClassVar[Role] = "control"
    budget: ClassVar[Budget] = "examples"

    @model_validator(mode="after")
    def _no_prompt(self) -> "Ngrams":
        if self.prompt_config != PromptConfig():
            raise UserError("ngrams prompts no model; drop template, format and the like")
        return self

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        scorer = fit_ngrams(task, task.draw("train", examples, seed=seed))
        spend = Spend(
            labelled_examples=examples,
            train_flops=scorer.fit_flops,
            executed_train_flops=scorer.fit_flops,
            search_flops=scorer.search_flops,
            executed_search_flops=scorer.search_flops,
            trainable_parameters=scorer.num_weights,
        )
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task),
            solver=partial(_answer, scorer),
            spend=spend,
            details=Details(notes={"strength": scorer.strength}),
        )

    def workload(self, task: Task, examples: int) -> Workload:
        """Nothing passes through the model."""
        return Workload(prompts_per_item=0)


def _answer(
    scorer: NgramScorer, model: Model, task: Task, prompt_fn: PromptFunction, items: Sequence[Example]
) -> SolverOutput:
    """Every item by the scorer alone."""
    answered = [scorer.outcome(task, item) for item in items]
    flops = sum(spent for _, spent in answered) / len(items)
    return SolverOutput(
        outcomes=tuple(outcome for outcome, _ in answered),
        metric="accuracy" if task.kind == "choice" else task.grader,
        flops_per_answer=flops,
        executed_flops_per_answer=flops,
        details=Details(first_prompt=""),
    )
