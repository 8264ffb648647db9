"""A vote over option orders: each item is asked with its options in several orders, and the majority answers."""

from dataclasses import replace

from pydantic import Field

from educe.data.task import Task, check_options
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, answer_by_letter, check_options_listed, make_prompt_fn
from educe.eval.prompting.solvers.option_order import OrderVoteSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class OrderVote(AfterShots):
    """Ask with the options in several orders and let them vote.

    An item has at most as many `orders` as options. Each order's accuracy and how often each place was picked are
    recorded. `shots` random demonstrations or none come before.
    """

    orders: int = Field(default=4, ge=2)

    @property
    def prompt_config(self) -> PromptConfig:
        """By letter, unless the settings decide: options that are not listed have no order."""
        return answer_by_letter(super().prompt_config)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        check_options(task, to="put into another order")

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), prompts_per_item=self.orders)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        check_options_listed(model, task, self.prompt_config)
        shots = task.draw("train", examples, seed=seed)
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config),
            solver=OrderVoteSolver(orders=self.orders, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )
