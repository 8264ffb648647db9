"""One pass over the rows, each label charged before it is learned: the bits that a training set holds for a subject.

accelerate launch --config_file accelerate_config.yaml -m recipes.one_pass \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from data.errors import UserError
from data.task import Task
from eval.ask import prompter
from recipes.iid_sft import IidSft
from recipes.method import Elicited

if TYPE_CHECKING:
    from eval.subject import Subject


class OnePass(IidSft):
    """Description length of n labels (MDL), and its excess over the held-out loss at the end (EDL), in bits.

    The held-out loss is that of `floor_examples` dev rows, labelled in the same way and charged. The mask is the answer
    and its stop token; the schedule that of the recipe. EDL per example that falls with n reads as eliciting, one that
    rises as teaching; never decide on it alone.
    """

    once: ClassVar[bool] = True

    epochs: int = Field(default=1, ge=1, le=1)
    passes: int = Field(default=1, ge=1, le=1)
    floor_examples: int = Field(default=64, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more floor rows than there are, and what would take several passes or change the stream."""
        if beyond := [fix for name, fix in self.beyond_plain().items() if name != "random_labels"]:
            raise UserError(f"one_pass reads its rows once, with the task's labels or random ones; {', '.join(beyond)}")
        super().check(task, examples=examples)
        held = len(task.rows["dev"])
        if self.floor_examples > held:
            raise UserError(f"task {task.name!r} holds {held} dev rows; set floor_examples to at most {held}")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Fine-tune once through, then read the floor."""
        from train.bits import label_bits, prequential_bits
        from train.encode import encode_rows

        elicited = super().__call__(subject, task, examples=examples, seed=seed)
        ask = prompter(subject, task, template=self.template, answer_as=self.answer_as)
        held_out = self.rows(task, "dev", self.floor_examples, seed=0)  # one floor for all seeds
        floor, read = label_bits(
            elicited.subject,
            encode_rows(elicited.subject, held_out, ask),
            precision=str(elicited.about["training_precision"]),
        )
        bits = prequential_bits(elicited.history)
        about = {
            **elicited.about,
            "mdl_bits": bits,
            "edl_bits": bits - examples * floor,
            "floor_bits_per_example": floor,
            "floor_examples": self.floor_examples,
        }
        return replace(elicited, spend=replace(elicited.spend + read, bits=bits), about=about)

    def rows_asked(self, examples: int) -> int:
        """The floor."""
        return self.floor_examples


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("one_pass")
