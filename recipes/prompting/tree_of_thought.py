"""Tree of thought: lines of reasoning are proposed, judged by the model itself, and the best are gone on with."""

from typing import TYPE_CHECKING

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model


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

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; the tree is the price of an answer."""
        from educe.eval.prompting.solvers.tree_of_thought import TreeOfThoughtSolver

        shots = task.draw("train", examples, seed=seed)
        tree = TreeOfThoughtSolver(
            steps=self.steps,
            proposals=self.proposals,
            beam=self.beam,
            tokens=self.tokens,
            temperature=self.temperature,
            seed=seed,
        )
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=tree, spend=Spend(labelled_examples=len(shots)))

    @property
    def tokens_written(self) -> int:
        """Every proposal."""
        return self.steps * self.beam * self.proposals * self.tokens
