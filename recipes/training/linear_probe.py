"""A linear probe: which option is right, as far as it can be read from hidden states."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field

from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task, check_options
from educe.eval.details import Details
from educe.eval.measure import encode_items, measure
from educe.eval.measurement import Role
from educe.eval.model.encode import Branches
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.selection import choose
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, check_dev
from educe.train.changes.layers import check_layers
from educe.train.probe import Probe, accuracy, fit_probe, read_options


class LinearProbe(Method):
    """Logistic regression on the states of one layer after n labelled examples, options read one by one.

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

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        """Read the states and fit every layer; of layers that are equal on dev rows, the lowest is kept."""
        check_layers(model, [] if self.layer is None else [self.layer])
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        train = task.draw("train", examples, seed=seed)
        states = read_options(model, _encode(model, train, prompt_fn))
        right = [choice in each.accepted for each in train for choice in each.choices]
        layers = range(model.shape.layers) if self.layer is None else [self.layer]
        probes = [fit_probe(states.values, right, layer, strength=self.strength) for layer in layers]
        best = probes[0]
        details = Details(notes={"layer": best.layer})
        spend = Spend(
            labelled_examples=examples,
            train_flops=states.flops,
            executed_train_flops=states.executed_flops,
            trainable_parameters=model.shape.hidden + 1,
        )
        if len(probes) > 1:
            dev = task.draw("dev", self.dev_examples, seed=seed)
            encoded = _encode(model, dev, prompt_fn)
            read = read_options(model, encoded)
            answers = [each.answer_index for each in dev]

            def try_on_dev(probe: Probe) -> tuple[float, Spend]:
                return accuracy(probe, read.values, encoded, answers), Spend()

            best, choice = choose(probes, try_on_dev)
            details = Details(selection=choice.selection({"layer": best.layer}, dev_examples=len(dev)))
            spend += Spend(
                labelled_examples=len(dev), search_flops=read.flops, executed_search_flops=read.executed_flops
            )
        solver = partial(measure, score=best)
        return Elicited(model=model, prompt_fn=prompt_fn, solver=solver, spend=spend, details=details)

    @property
    def reads_dev(self) -> bool:
        return self.layer is None

    def workload(self, task: Task, examples: int) -> Workload:
        read = examples + (self.dev_examples if self.reads_dev else 0)
        return Workload(scored_rows=read, prompt_configs=(self.prompt_config,))


def _encode(model: Model, examples: Sequence[Example], prompt_fn: PromptFunction) -> list[Branches]:
    return encode_items(model, [prompt_fn(each) for each in examples], examples)
