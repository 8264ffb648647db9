"""Medprompt (Nori et al. 2023): nearest demonstrations with the subject's own reasoning, and a vote over option orders.

accelerate launch --config_file accelerate_config.yaml -m recipes.medprompt --subject gemma-3-270m --task capitals
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from data.task import Task, check_options
from eval.ask import Asking, prompter
from recipes.method import Elicited
from recipes.nearest_shots import NearestShots
from recipes.order_vote import check_listed, lettered

if TYPE_CHECKING:
    from eval.subject import Subject


class Medprompt(NearestShots):
    """What shows with all of it: the subject reasons about a `pool` of labelled rows, and where it comes to the right
    answer its reasoning is kept; the nearest of these stand before each question, it reasons again, in `orders` orders
    of the options, and the majority answers. Without one right chain, the pool is shown with its answers alone.
    """

    shots: int = Field(default=5, ge=1)
    pool: int = Field(default=32, ge=1)
    by: Literal["words", "states"] = "states"
    orders: int = Field(default=5, ge=2)
    tokens: int = Field(default=96, ge=1)

    @property
    def asking(self) -> Asking:
        """By letter, if nothing else was asked for."""
        return lettered(super().asking)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options."""
        super().check(task, examples=examples)
        check_options(task, to="shuffle", instead="self_consistency")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Have the pool reasoned about, and set up what comes before and after each question."""
        from eval.answering.chains import Chains, write_chains
        from eval.answering.neighbours import AfterFinding
        from eval.answering.option_order import OrderVote

        check_listed(subject, task, self.asking)
        pool = task.draw("train", examples, seed=seed)
        written = write_chains(subject, task, prompter(subject, task, asking=self.asking), pool, tokens=self.tokens)
        kept = [row for row in pool if row.id in written.answers] or list(pool)
        ask, neighbours, reading = self.demonstrating(subject, task, kept, written.answers)
        vote = OrderVote(orders=self.orders, seed=seed, answer=Chains(tokens=self.tokens))
        return Elicited(
            subject=subject,
            ask=ask,
            answer=AfterFinding(neighbours=neighbours, answer=vote),
            spend=written.spend + replace(reading, labelled_examples=0),
            about={"shots_that_reason": len(written.answers)},
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


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("medprompt")
