"""Answers as generated text, greedy or sampled, where most recipes pick an option by its likelihood."""

from dataclasses import replace

from pydantic import Field

from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import answer_by_letter, make_prompt_fn
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited, Workload


class Generated(AfterShots):
    """Generate the answer as text and read it.

    A multiple-choice question lists its options, and its answer is correct where the text names the correct option, by
    letter or by text. At most `tokens` tokens are generated, greedily or at a `temperature`, after `shots` random
    demonstrations or none.
    """

    temperature: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=16, ge=1)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), generated_tokens=self.tokens)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_config = answer_by_letter(self.prompt_config) if task.kind == "choice" else self.prompt_config
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=prompt_config),
            solver=GenerationSolver(temperature=self.temperature, tokens=self.tokens, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )
