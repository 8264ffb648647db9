"""Self-consistency: several chains of thought are sampled and vote; where they disagree, a greedy one may answer."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.model.model import Model
from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver, fit_threshold, make_reasoning_prompt_fn
from educe.recipes.method import AfterShots, Elicited, Workload, check_dev


class SelfConsistency(AfterShots):
    """Let several sampled chains of thought vote.

    `samples` chains are sampled at `temperature`, after demonstrations as in chain_of_thought. Where a smaller share
    than the `threshold` agrees, one greedy chain answers; "fit" chooses the threshold on `dev_examples` dev rows, which
    are charged (uncertainty-routed chain of thought).
    """

    samples: int = Field(default=5, ge=2)
    temperature: float = Field(default=0.7, gt=0)
    threshold: Annotated[float, Field(ge=0, le=1)] | Literal["fit"] | None = None
    dev_examples: int = Field(default=0, ge=0)
    tokens: int = Field(default=96, ge=1)

    @property
    def reads_dev(self) -> bool:
        return self.threshold == "fit"

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        if self.reads_dev and not self.dev_examples:
            raise UserError("threshold: fit needs dev rows to be fitted on; set dev_examples")
        if self.dev_examples and not self.reads_dev:
            raise UserError(f"dev_examples = {self.dev_examples} would not be read; set threshold: fit, or drop it")
        check_dev(task, self.dev_examples)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(
            super().workload(task, examples),
            sampled_rows=examples + (self.samples + 1) * self.dev_examples,
            prompts_per_item=self.samples,
            generated_tokens=self.tokens,
        )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_fn, spend, details = make_reasoning_prompt_fn(
            model, task, shots, prompt_config=self.prompt_config, tokens=self.tokens
        )
        solver = ChainOfThoughtSolver(samples=self.samples, temperature=self.temperature, tokens=self.tokens, seed=seed)
        if self.threshold == "fit":
            dev = task.draw("dev", self.dev_examples, seed=seed)
            threshold, choice = fit_threshold(solver, model, task, prompt_fn, dev)
            solver, spend = replace(solver, threshold=threshold), spend + choice.search
            details |= Details(selection=choice.selection({"threshold": threshold}, dev_examples=len(dev)))
        else:
            solver = replace(solver, threshold=self.threshold)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=spend, details=details)
