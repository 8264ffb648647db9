"""Chain of thought: the model reasons before it answers, after demonstrations of its own reasoning if wanted."""

from typing import TYPE_CHECKING

from pydantic import Field

from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class ChainOfThought(AfterShots):
    """What shows when the model may think for up to `tokens` tokens first.

    `shots` demonstrations are drawn, and the model reasons about each: where it came to the right answer its own
    chain is shown, elsewhere the answer alone. Writing them is search.
    """

    tokens: int = Field(default=96, ge=1)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Have the shots reasoned about, and think before every answer."""
        from educe.eval.prompting.solvers.chain_of_thought import ChainOfThoughtSolver

        prompt_fn, spend, metadata = self.reasoning(model, task, examples, seed)
        return Elicited(
            model=model,
            prompt_fn=prompt_fn,
            solver=ChainOfThoughtSolver(tokens=self.tokens),
            spend=spend,
            metadata=metadata,
        )

    def reasoning(
        self, model: "Model", task: Task, examples: int, seed: int
    ) -> tuple[PromptFunction, Spend, dict[str, int]]:
        """How to ask after demonstrations that reason; what they cost and how many of them do."""
        from educe.eval.prompting.solvers.chain_of_thought import write_chains

        plain = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        if not examples:
            return plain, Spend(), {}
        shots = task.draw("train", examples, seed=seed)
        written = write_chains(model, task, plain, shots, tokens=self.tokens)
        prompt_fn = make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config, answers=written.answers)
        return prompt_fn, written.spend, {"shots_that_reason": len(written.answers)}

    @property
    def tokens_written(self) -> int:
        """The chain."""
        return self.tokens

    def rows_sampled(self, examples: int) -> int:
        """Every shot."""
        return examples
