"""Chain of thought: the model reasons before it answers, after demonstrations of its own reasoning if there are any."""

from dataclasses import replace

from pydantic import Field

from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver, make_reasoning_prompt_fn
from educe.recipes.method import AfterShots, Elicited, Workload


class ChainOfThought(AfterShots):
    """Let the model reason before it answers.

    A chain has at most `tokens` tokens. The model first reasons about `shots` random demonstrations: its own chain is
    shown where it led to the correct answer, elsewhere the answer alone. Writing these chains is search.
    """

    tokens: int = Field(default=96, ge=1)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), sampled_rows=examples, generated_tokens=self.tokens)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_fn, spend, details = make_reasoning_prompt_fn(
            model, task, shots, prompt_config=self.prompt_config, tokens=self.tokens
        )
        solver = ChainOfThoughtSolver(tokens=self.tokens)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=spend, details=details)
