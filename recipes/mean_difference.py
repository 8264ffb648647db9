"""A steering vector without training: what demonstrations add to a layer's state, on average, added to plain prompts.

accelerate launch --config_file accelerate_config.yaml -m recipes.mean_difference \
    --subject gemma-3-270m --task word_sentiment --examples 32 --seed 0
"""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from data.errors import UserError
from data.task import Task
from eval.ask import prompter
from eval.spend import Spend
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.subject import Subject


class MeanDifference(Method):
    """How much shows when a layer is told what `shots` demonstrations would have told it.

    The vector is the mean, over n examples, of the state at the end of the prompt after shots (other examples of the
    n) minus the state of the plain prompt; times `strength` it is added to every token at `layer`, by default the
    middle one. Function vectors (Todd et al. 2024) are the like, from single heads.
    """

    trains: ClassVar[bool] = True
    sized: ClassVar[bool] = True

    shots: int = Field(default=4, ge=1)
    layer: int | None = None
    strength: float = Field(default=1.0, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses so few examples that a question would be among its own shots."""
        super().check(task, examples=examples)
        if examples <= self.shots:
            raise UserError(
                f"mean_difference: {examples} examples hold no question beside {self.shots} shots; "
                f"give at least {self.shots + 1}"
            )

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Read every example plainly and after the shots that follow it in the draw, and attach the mean difference."""
        from eval.encode import encode_prompt
        from eval.states import last_states
        from train.attach import attach, load_snapshot
        from train.changes.layers import check_layers
        from train.changes.vectors import SteeringVector

        check_layers(subject, [] if self.layer is None else [self.layer])
        drawn = task.draw("train", examples, seed=seed)
        ask = prompter(subject, task, template=self.template, answer_as=self.answer_as)
        around = [(drawn * 2)[place + 1 : place + 1 + self.shots] for place in range(len(drawn))]
        after = [
            prompter(subject, task, shots=shots, template=self.template, answer_as=self.answer_as) for shots in around
        ]
        plain = last_states(subject, [encode_prompt(subject, ask(each)) for each in drawn])
        shown = last_states(
            subject, [encode_prompt(subject, asked(each)) for each, asked in zip(drawn, after, strict=True)]
        )
        tuned = attach(subject, SteeringVector(layer=self.layer), seed=seed)
        (name,) = tuned.trained
        layer = int(name.rpartition(".")[2])
        load_snapshot(tuned, {name: self.strength * (shown.values[layer] - plain.values[layer]).mean(dim=0)})
        spend = Spend(
            labelled_examples=examples,
            train_flops=plain.flops + shown.flops,
            executed_train_flops=plain.executed_flops + shown.executed_flops,
            trainable_parameters=subject.shape.hidden,
        )
        return Elicited(subject=tuned, ask=ask, spend=spend, about={"layer": layer})


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("mean_difference")
