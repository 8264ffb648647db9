"""Medprompt (Nori et al. 2023): nearest demonstrations with the model's own reasoning, and a vote over option orders."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from educe.data.task import Task, check_options
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.recipes.method import Elicited
from educe.recipes.prompting.nearest_shots import NearestShots
from educe.recipes.prompting.order_vote import check_listed, lettered

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class Medprompt(NearestShots):
    """What shows with all of it: the model reasons about a `pool` of labelled rows, and where it comes to the right
    answer its reasoning is kept; the nearest of these stand before each question, it reasons again, in `orders` orders
    of the options, and the majority answers. Without one right chain, the pool is shown with its answers alone.
    """

    shots: int = Field(default=5, ge=1)
    pool: int = Field(default=32, ge=1)
    by: Literal["words", "states"] = "states"
    orders: int = Field(default=5, ge=2)
    tokens: int = Field(default=96, ge=1)

    @property
    def prompt_config(self) -> PromptConfig:
        """By letter, if nothing else was asked for."""
        return lettered(super().prompt_config)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="shuffle", instead="self_consistency")

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Have the pool reasoned about, and set up what comes before and after each question."""
        from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver, write_chains
        from educe.eval.prompting.solvers.nearest_shots import NearestShotsSolver
        from educe.eval.prompting.solvers.option_order import OrderVoteSolver

        check_listed(model, task, self.prompt_config)
        pool = task.draw("train", examples, seed=seed)
        written = write_chains(
            model, task, make_prompt_fn(model, task, prompt_config=self.prompt_config), pool, tokens=self.tokens
        )
        kept = [row for row in pool if row.id in written.answers] or list(pool)
        prompt_fn, neighbours, reading = self.demonstrating(model, task, kept, written.answers)
        vote = OrderVoteSolver(orders=self.orders, seed=seed, solver=ChainOfThoughtSolver(tokens=self.tokens))
        return Elicited(
            model=model,
            prompt_fn=prompt_fn,
            solver=NearestShotsSolver(neighbours=neighbours, solver=vote),
            spend=written.spend + replace(reading, labelled_examples=0),
            metadata={"shots_that_reason": len(written.answers)},
        )

    @property
    def asks_per_item(self) -> float:
        """Every order."""
        return self.orders

    @property
    def tokens_written(self) -> int:
        """The chain, in every order."""
        return self.tokens

    def rows_sampled(self, examples: int) -> int:
        """The pool."""
        return examples
