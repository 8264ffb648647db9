"""Tree of thought: lines of reasoning are proposed, judged by the subject itself, and the best are gone on with.

accelerate launch --config_file accelerate_config.yaml -m recipes.tree_of_thought \
    --subject gemma-3-270m --task arithmetic
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.errors import UserError
from data.task import Task
from eval.ask import prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class TreeOfThought(AfterShots):
    """What shows after `steps` lines of reasoning, of which `beam` are kept out of `proposals` for each; for tasks that
    are answered in words of one's own. Lines are drawn at `temperature`, of at most `tokens` tokens.
    """

    steps: int = Field(default=3, ge=1)
    proposals: int = Field(default=3, ge=1)
    beam: int = Field(default=2, ge=1)
    tokens: int = Field(default=32, ge=1)
    temperature: float = Field(default=0.7, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses multiple choice, and a beam wider than its first step."""
        super().check(task, examples=examples)
        if task.kind != "generation":
            raise UserError(f"task {task.name!r} is multiple choice; use chain_of_thought or self_consistency")
        if self.beam > self.proposals:
            raise UserError(f"beam = {self.beam} keeps more than the {self.proposals} proposals of the first step")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; the tree is the price of an answer."""
        from eval.answering.thought_tree import ThoughtTree

        shots = task.draw("train", examples, seed=seed)
        tree = ThoughtTree(
            steps=self.steps,
            proposals=self.proposals,
            beam=self.beam,
            tokens=self.tokens,
            temperature=self.temperature,
            seed=seed,
        )
        ask = prompter(subject, task, shots=shots, asking=self.asking)
        return Elicited(subject=subject, ask=ask, answer=tree, spend=Spend(labelled_examples=len(shots)))

    @property
    def tokens_written(self) -> int:
        """Every proposal."""
        return self.steps * self.beam * self.proposals * self.tokens


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("tree_of_thought")
