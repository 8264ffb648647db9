"""Chain of thought: the subject reasons before it answers, after demonstrations of its own reasoning if wanted.

accelerate launch --config_file accelerate_config.yaml -m recipes.chain_of_thought \
    --subject gemma-3-270m --task arithmetic
"""

from typing import TYPE_CHECKING

from pydantic import Field

from data.task import Task
from eval.ask import Prompter, prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class ChainOfThought(AfterShots):
    """What shows when the subject may think for up to `tokens` tokens first.

    `shots` demonstrations are drawn, and the subject reasons about each: where it came to the right answer its own
    chain is shown, elsewhere the answer alone. Writing them is search.
    """

    tokens: int = Field(default=96, ge=1)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Have the shots reasoned about, and think before every answer."""
        from eval.answering.chains import Chains

        ask, spend, about = self.reasoning(subject, task, examples, seed)
        return Elicited(subject=subject, ask=ask, answer=Chains(tokens=self.tokens), spend=spend, about=about)

    def reasoning(
        self, subject: "Subject", task: Task, examples: int, seed: int
    ) -> tuple[Prompter, Spend, dict[str, int]]:
        """How to ask after demonstrations that reason; what they cost and how many of them do."""
        from eval.answering.chains import write_chains

        plain = prompter(subject, task, asking=self.asking)
        if not examples:
            return plain, Spend(), {}
        shots = task.draw("train", examples, seed=seed)
        written = write_chains(subject, task, plain, shots, tokens=self.tokens)
        ask = prompter(subject, task, shots=shots, asking=self.asking, answers=written.answers)
        return ask, written.spend, {"shots_that_reason": len(written.answers)}

    @property
    def tokens_written(self) -> int:
        """The chain."""
        return self.tokens

    def rows_sampled(self, examples: int) -> int:
        """Every shot."""
        return examples


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("chain_of_thought")
