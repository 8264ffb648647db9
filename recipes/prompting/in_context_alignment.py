"""In-context alignment (Lin et al. 2023): a constant prompt shows how an assistant answers, in place of training."""

from dataclasses import replace
from typing import TYPE_CHECKING

from educe.data.instructions.alignment_examples import EXCHANGES, PREAMBLE
from educe.data.task import Task
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from educe.eval.model.model import Model


class InContextAlignment(AfterShots):
    """What shows after the same few exchanges whatever the task, and after `shots` random demonstrations or none.

    The exchanges are charged as instructions, not as labels: they say nothing of the task.
    """

    @property
    def prompt_config(self) -> PromptConfig:
        """With the preamble before any system message of one's own."""
        prompt_config = super().prompt_config
        return replace(prompt_config, system="\n".join(filter(None, [PREAMBLE, prompt_config.system])))

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Put the exchanges first."""
        shots = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=(*EXCHANGES, *shots), prompt_config=self.prompt_config)
        spend = Spend(labelled_examples=len(shots), instructions=len(EXCHANGES))
        return Elicited(model=model, prompt_fn=prompt_fn, spend=spend)
