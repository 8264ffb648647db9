"""In-context alignment (Lin et al. 2023): a constant prompt shows how an assistant answers, in place of training.

accelerate launch --config_file accelerate_config.yaml -m recipes.in_context_alignment \
    --subject gemma-3-270m --task capitals
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from data.alignment_examples import EXCHANGES, PREAMBLE
from data.task import Task
from eval.ask import Asking, prompter
from eval.spend import Spend
from recipes.method import AfterShots, Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class InContextAlignment(AfterShots):
    """What shows after the same few exchanges whatever the task, and after `shots` random demonstrations or none.

    The exchanges are charged as instructions, not as labels: they say nothing of the task.
    """

    @property
    def asking(self) -> Asking:
        """With the preamble before any system message of one's own."""
        asking = super().asking
        return replace(asking, system="\n".join(filter(None, [PREAMBLE, asking.system])))

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Put the exchanges first."""
        shots = task.draw("train", examples, seed=seed)
        ask = prompter(subject, task, shots=(*EXCHANGES, *shots), asking=self.asking)
        spend = Spend(labelled_examples=len(shots), instructions=len(EXCHANGES))
        return Elicited(subject=subject, ask=ask, spend=spend)


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("in_context_alignment")
