"""A linear probe on hidden states: what a subject holds inside, whether or not it would say so.

accelerate launch --config_file accelerate_config.yaml -m recipes.linear_probe \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from data.example import Example
from data.render import option_texts
from data.task import Task, check_options
from eval.ask import Prompter, prompter
from eval.spend import Spend
from recipes.method import Elicited, Method, check_dev

if TYPE_CHECKING:
    from eval.encode import Branches
    from eval.subject import Subject


class LinearProbe(Method):
    """How much of the answer can be read off one layer after n labelled examples, options read one by one.

    Without `layer`, the layer is chosen on `dev_examples` dev rows, which are charged. `strength` is the inverse of the
    regularisation. The subject does not change; the logistic regression's own FLOPs are too few to count.
    """

    sized: ClassVar[bool] = True

    layer: int | None = None
    dev_examples: int = Field(default=32, ge=1)
    strength: float = Field(default=0.01, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options and more dev rows than there are."""
        super().check(task, examples=examples)
        check_options(task, to="probe")
        if self.layer is None:
            check_dev(task, self.dev_examples)

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Read the states, fit every layer, keep the one that is best on dev rows (the lowest of equals)."""
        from eval.measure import measure
        from train.changes.layers import check_layers
        from train.probe import accuracy, fit_probe, read_options

        check_layers(subject, [] if self.layer is None else [self.layer])
        ask = prompter(subject, task, asking=self.asking)
        train = task.draw("train", examples, seed=seed)
        encoded = _encode(subject, train, ask)
        states = read_options(subject, encoded)
        right = [place == each.answer_index for each in train for place in range(len(each.choices))]
        layers = range(subject.shape.layers)
        if self.layer is not None:
            layers = range(self.layer, self.layer + 1)
        probes = [fit_probe(states.values, right, layer, strength=self.strength) for layer in layers]
        spend = Spend(
            labelled_examples=examples,
            train_flops=states.flops,
            executed_train_flops=states.executed_flops,
            trainable_parameters=subject.shape.hidden + 1,
        )
        if len(probes) == 1:
            return Elicited(
                subject=subject,
                ask=ask,
                answer=partial(measure, score=probes[0]),
                spend=spend,
                about={"layer": probes[0].layer},
            )
        dev = task.draw("dev", self.dev_examples, seed=seed)
        asked = _encode(subject, dev, ask)
        seen = read_options(subject, asked)
        answers = [each.answer_index for each in dev]
        scores = [accuracy(probe, seen.values, asked, answers) for probe in probes]
        best = scores.index(max(scores))
        spend += Spend(labelled_examples=len(dev), search_flops=seen.flops, executed_search_flops=seen.executed_flops)
        about = {"layer": probes[best].layer, "dev_score": f"{scores[best]:.4f}", "dev_examples": len(dev)}
        return Elicited(subject=subject, ask=ask, answer=partial(measure, score=probes[best]), spend=spend, about=about)

    @property
    def reads_dev(self) -> bool:
        """Unless the layer is given."""
        return self.layer is None

    def rows_asked(self, examples: int) -> int:
        """Every example and dev row is read."""
        return examples + (self.dev_examples if self.reads_dev else 0)


def _encode(subject: "Subject", examples: tuple[Example, ...], ask: Prompter) -> "list[Branches]":
    from eval.encode import encode_options

    prompts = [ask(each) for each in examples]
    return [
        encode_options(subject, prompt, option_texts(each, prompt.format))
        for each, prompt in zip(examples, prompts, strict=True)
    ]


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("linear_probe")
