"""Tree of thought: lines of reasoning are proposed, judged by the model itself, and the best are continued."""

from dataclasses import replace

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.prompting.solvers.tree_of_thought import TreeOfThoughtSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class TreeOfThought(AfterShots):
    """Search over lines of reasoning that the model judges.

    At each of `steps` lines, every kept branch gets `proposals` lines of at most `tokens` tokens, sampled at
    `temperature`, and the best `beam` branches are kept. For tasks that are answered by generation; `shots` random
    demonstrations or none come before.
    """

    steps: int = Field(default=3, ge=1)
    proposals: int = Field(default=3, ge=1)
    beam: int = Field(default=2, ge=1)
    tokens: int = Field(default=32, ge=1)
    temperature: float = Field(default=0.7, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        if task.kind != "generation":
            raise UserError(f"task {task.name!r} is multiple choice; use chain_of_thought or self_consistency")
        if self.beam > self.proposals:
            raise UserError(
                f"beam = {self.beam} exceeds the {self.proposals} proposals of the first step; give more proposals"
            )

    def workload(self, task: Task, examples: int) -> Workload:
        tokens = self.steps * self.beam * self.proposals * self.tokens
        return replace(super().workload(task, examples), generated_tokens=tokens)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        solver = TreeOfThoughtSolver(
            steps=self.steps,
            proposals=self.proposals,
            beam=self.beam,
            tokens=self.tokens,
            temperature=self.temperature,
            seed=seed,
        )
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=Spend(labelled_examples=len(shots)))
