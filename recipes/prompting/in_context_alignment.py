"""In-context alignment (Lin et al. 2023): a constant prompt shows how an assistant answers, without training."""

from dataclasses import replace

from educe.data.instructions.alignment_examples import EXCHANGES, PREAMBLE
from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import PromptConfig, make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import AfterShots, Elicited


class InContextAlignment(AfterShots):
    """Show how an assistant answers, whatever the task.

    The same few exchanges open every prompt; `shots` random demonstrations or none follow. The exchanges are charged as
    instructions, not as labels: they contain nothing of the task.
    """

    @property
    def prompt_config(self) -> PromptConfig:
        """With the preamble before the user's own system message."""
        prompt_config = super().prompt_config
        return replace(prompt_config, system="\n".join(filter(None, [PREAMBLE, prompt_config.system])))

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        shots = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, shots=(*EXCHANGES, *shots), prompt_config=self.prompt_config)
        spend = Spend(labelled_examples=len(shots), instructions=len(EXCHANGES))
        return Elicited(model=model, prompt_fn=prompt_fn, spend=spend)
