"""A vote over option orders: each item is asked with its options in several orders, and the majority answers."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task, check_options
from educe.eval.prompting.prompts import PromptConfig, chosen_format, make_prompt_fn, style_of
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class OrderVote(AfterShots):
    """What shows when `orders` orders of the options vote, after `shots` shots; by letter if nothing else is asked for.

    An item has at most as many orders as options. The result records each order's accuracy and how often each place was
    picked.
    """

    orders: int = Field(default=4, ge=2)

    @property
    def prompt_config(self) -> PromptConfig:
        """By letter, if nothing else was asked for: options that are not listed have no order."""
        return lettered(super().prompt_config)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="put into another order")

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots; every answer costs all orders."""
        from educe.eval.prompting.solvers.option_order import OrderVoteSolver

        shots = task.draw("train", examples, seed=seed)
        check_listed(model, task, self.prompt_config)
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config),
            solver=OrderVoteSolver(orders=self.orders, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

    @property
    def asks_per_item(self) -> float:
        """Every order."""
        return self.orders


def check_listed(model: "Model", task: Task, prompt_config: PromptConfig) -> None:
    """UserError where the format does not list the options."""
    if not chosen_format(task, prompt_config, style=style_of(prompt_config.template, kind=model.kind)).shows_choices:
        raise UserError("options that are not listed have no order; use answer_as: letter, or a format that lists them")


def lettered(prompt_config: PromptConfig) -> PromptConfig:
    """Answers by letter, unless it is said otherwise how to answer."""
    return (
        prompt_config if prompt_config.format or prompt_config.answer_as else replace(prompt_config, answer_as="letter")
    )
