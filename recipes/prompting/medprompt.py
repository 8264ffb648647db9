"""Medprompt (Nori et al. 2023): nearest demonstrations with the model's own reasoning, and a vote over orders."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from educe.data.task import Task, check_options
from educe.eval.details import Details
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, answer_by_letter, check_options_listed, make_prompt_fn
from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver, write_chains
from educe.eval.prompting.solvers.nearest_shots import By, check_pool, make_nearest_shots
from educe.eval.prompting.solvers.option_order import OrderVoteSolver
from educe.recipes.method import Budget, Elicited, Method, Workload


class Medprompt(Method):
    """Combine nearest shots, reasoning and a vote over orders.

    The model reasons about a `pool` of labelled rows, and its reasoning is kept where it led to the correct answer. The
    nearest `shots` of these come before each question. The model then reasons in `orders` orders of the options, and
    the majority answers. Where no chain is correct, rows of the pool are shown with their answers alone.
    """

    budget: ClassVar[Budget] = "pool"

    shots: int = Field(default=5, ge=1)
    pool: int = Field(default=32, ge=1)
    by: By = "states"
    orders: int = Field(default=5, ge=2)
    tokens: int = Field(default=96, ge=1)

    @property
    def prompt_config(self) -> PromptConfig:
        """By letter, unless the settings decide how to answer."""
        return answer_by_letter(super().prompt_config)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_pool(shots=self.shots, pool=self.pool)
        check_options(task, to="shuffle", instead="self_consistency")

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(
            super().workload(task, examples),
            shots=self.shots,
            scored_rows=examples if self.by == "states" else 0,
            sampled_rows=examples,
            prompts_per_item=self.orders,
            generated_tokens=self.tokens,
        )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        config = self.prompt_config
        check_options_listed(model, task, config)
        pool = task.draw("train", examples, seed=seed)
        zero_shot = make_prompt_fn(model, task, prompt_config=config)
        written = write_chains(model, task, zero_shot, pool, tokens=self.tokens)
        kept = [row for row in pool if row.id in written.answers] or list(pool)
        vote = OrderVoteSolver(orders=self.orders, seed=seed, solver=ChainOfThoughtSolver(tokens=self.tokens))
        prompt_fn, solver, reading = make_nearest_shots(
            model, task, kept, shots=self.shots, by=self.by, prompt_config=config, answers=written.answers, solver=vote
        )
        details = Details(shots_that_reason=len(written.answers))
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=written.spend + reading, details=details)
