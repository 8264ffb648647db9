"""A vote over option orders: each item is asked with its options in several orders, and the majority answers.

accelerate launch --config_file accelerate_config.yaml -m recipes.order_vote --subject gemma-3-270m --task capitals
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from data.errors import UserError
from data.task import Task, check_options
from eval.ask import Asking, chosen_format, prompter, style_of
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class OrderVoting(AfterShots):
    """What shows when `orders` orders of the options vote, after `shots` shots; by letter if nothing else is asked for.

    An item has at most as many orders as options. The result records each order's accuracy and how often each place was
    picked.
    """

    orders: int = Field(default=4, ge=2)

    @property
    def asking(self) -> Asking:
        """By letter, if nothing else was asked for: options that are not listed have no order."""
        return lettered(super().asking)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="put into another order")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots; every answer costs all orders."""
        from eval.answering.option_order import OrderVote

        shots = task.draw("train", examples, seed=seed)
        check_listed(subject, task, self.asking)
        return Elicited(
            subject=subject,
            ask=prompter(subject, task, shots=shots, asking=self.asking),
            answer=OrderVote(orders=self.orders, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

    @property
    def asks_per_item(self) -> float:
        """Every order."""
        return self.orders


def check_listed(subject: "Subject", task: Task, asking: Asking) -> None:
    """UserError where the format does not list the options."""
    if not chosen_format(task, asking, style=style_of(asking.template, kind=subject.kind)).shows_choices:
        raise UserError("options that are not listed have no order; use answer_as: letter, or a format that lists them")


def lettered(asking: Asking) -> Asking:
    """Answers by letter, unless it is said otherwise how to answer."""
    return asking if asking.format or asking.answer_as else replace(asking, answer_as="letter")


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("order_vote")
