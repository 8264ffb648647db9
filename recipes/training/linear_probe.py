"""A linear probe on hidden states: what a model holds inside, whether or not it would say so."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.example import Example
from educe.data.formats.render import PromptFunction, option_texts
from educe.data.task import Task, check_options
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, check_dev

if TYPE_CHECKING:
    from educe.eval.model.encode import Branches
    from educe.eval.model.model import Model


class LinearProbe(Method):
    """How much of the answer can be read off one layer after n labelled examples, options read one by one.

    Without `layer`, the layer is chosen on `dev_examples` dev rows, which are charged. `strength` is the inverse of the
    regularisation. The model does not change; the logistic regression's own FLOPs are too few to count.
    """

    role: ClassVar[Role] = "probe"
    budget: ClassVar[Budget] = "examples"

    layer: int | None = None
    dev_examples: int = Field(default=32, ge=1)
    strength: float = Field(default=0.01, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses tasks without options and more dev rows than there are."""
        super().check(task, examples=examples)
        check_options(task, to="probe")
        if self.layer is None:
            check_dev(task, self.dev_examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Read the states, fit every layer, keep the one that is best on dev rows (the lowest of equals)."""
        from educe.eval.measure import measure
        from educe.train.changes.layers import check_layers
        from educe.train.probe import accuracy, fit_probe, read_options

        check_layers(model, [] if self.layer is None else [self.layer])
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        train = task.draw("train", examples, seed=seed)
        encoded = _encode(model, train, prompt_fn)
        states = read_options(model, encoded)
        right = [place == each.answer_index for each in train for place in range(len(each.choices))]
        layers = range(model.shape.layers)
        if self.layer is not None:
            layers = range(self.layer, self.layer + 1)
        probes = [fit_probe(states.values, right, layer, strength=self.strength) for layer in layers]
        spend = Spend(
            labelled_examples=examples,
            train_flops=states.flops,
            executed_train_flops=states.executed_flops,
            trainable_parameters=model.shape.hidden + 1,
        )
        if len(probes) == 1:
            return Elicited(
                model=model,
                prompt_fn=prompt_fn,
                solver=partial(measure, score=probes[0]),
                spend=spend,
                metadata={"layer": probes[0].layer},
            )
        dev = task.draw("dev", self.dev_examples, seed=seed)
        asked = _encode(model, dev, prompt_fn)
        seen = read_options(model, asked)
        answers = [each.answer_index for each in dev]
        scores = [accuracy(probe, seen.values, asked, answers) for probe in probes]
        best = scores.index(max(scores))
        spend += Spend(labelled_examples=len(dev), search_flops=seen.flops, executed_search_flops=seen.executed_flops)
        metadata = {"layer": probes[best].layer, "dev_score": f"{scores[best]:.4f}", "dev_examples": len(dev)}
        return Elicited(
            model=model,
            prompt_fn=prompt_fn,
            solver=partial(measure, score=probes[best]),
            spend=spend,
            metadata=metadata,
        )

    @property
    def reads_dev(self) -> bool:
        """Unless the layer is given."""
        return self.layer is None

    def workload(self, task: Task, examples: int) -> Workload:
        read = examples + (self.dev_examples if self.reads_dev else 0)
        return Workload(scored_rows=read, prompt_configs=(self.prompt_config,))


def _encode(model: "Model", examples: tuple[Example, ...], prompt_fn: PromptFunction) -> "list[Branches]":
    from educe.eval.model.encode import encode_options

    prompts = [prompt_fn(each) for each in examples]
    return [
        encode_options(model, prompt, option_texts(each, prompt.format))
        for each, prompt in zip(examples, prompts, strict=True)
    ]
