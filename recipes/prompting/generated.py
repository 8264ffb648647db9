"""Answers that are written out, not picked by likelihood: greedily, or drawn at a temperature."""

from typing import TYPE_CHECKING

from pydantic import Field

from educe.data.task import Task
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited
from educe.recipes.prompting.order_vote import lettered

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class Generated(AfterShots):
    """What shows in what the model says, after `shots` random demonstrations or none.

    A multiple-choice question lists its options and counts as right where the text names the right one, by letter or by
    text; at most `tokens` tokens are written. At a `temperature` of 0 the likeliest token is taken each time.
    """

    temperature: float = Field(default=0.0, ge=0)
    tokens: int = Field(default=16, ge=1)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw the shots, if any; the answers are drawn with the seed, too."""
        from educe.eval.prompting.solvers.generation import GenerationSolver

        shots = task.draw("train", examples, seed=seed)
        prompt_config: PromptConfig = lettered(self.prompt_config) if task.kind == "choice" else self.prompt_config
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, shots=shots, prompt_config=prompt_config),
            solver=GenerationSolver(temperature=self.temperature, tokens=self.tokens, seed=seed),
            spend=Spend(labelled_examples=len(shots)),
        )

    @property
    def tokens_written(self) -> int:
        """The answer."""
        return self.tokens
