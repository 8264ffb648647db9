"""A steering vector without training: what demonstrations add to a layer's state, on average, added to plain prompts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, as_tuple, check_dev

if TYPE_CHECKING:
    from torch import Tensor

    from educe.eval.model.model import Model


Layer = Annotated[int, Field(ge=0)]
Strength = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MeanDifference(Method):
    """How much shows when a layer is told what `shots` demonstrations would have told it.

    The vector is the mean, over n examples, of the state at the end of the prompt after shots (other examples of the
    n) minus the state of the plain prompt; times `strength` it is added to every token at `layer`, by default the
    middle one. Several layers or strengths are chosen among on `dev_examples` dev rows, which are charged. Function
    vectors (Todd et al. 2024) are the like, from single heads.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"

    shots: int = Field(default=4, ge=1)
    layer: Layer | Annotated[tuple[Layer, ...], Field(min_length=1)] | None = None
    strength: Strength | Annotated[tuple[Strength, ...], Field(min_length=1)] = 1.0
    dev_examples: int = Field(default=0, ge=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses so few examples that a question would be its own shot, and a choice without dev rows."""
        super().check(task, examples=examples)
        if examples <= self.shots:
            raise UserError(
                f"mean_difference: {examples} examples hold no question beside {self.shots} shots; "
                f"give at least {self.shots + 1}"
            )
        if self.reads_dev != bool(self.dev_examples):
            fix = "set dev_examples" if self.reads_dev else "give several layer or strength, or drop dev_examples"
            raise UserError(
                f"mean_difference: {self.num_candidates} to choose from and {self.dev_examples} dev rows; {fix}"
            )
        check_dev(task, self.dev_examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Read every example plainly and after the shots that follow it in the draw, and attach the mean difference."""
        from educe.eval.model.encode import encode_prompt
        from educe.eval.model.states import last_token_states
        from educe.train.changes.layers import check_layers

        layers = (model.shape.layers // 2,) if self.layer is None else as_tuple(self.layer)
        check_layers(model, layers)
        drawn = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        around = [(drawn * 2)[place + 1 : place + 1 + self.shots] for place in range(len(drawn))]
        after = [make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config) for shots in around]
        plain = last_token_states(model, [encode_prompt(model, prompt_fn(each)) for each in drawn])
        shown = last_token_states(
            model, [encode_prompt(model, asked(each)) for each, asked in zip(drawn, after, strict=True)]
        )
        vectors = (shown.values - plain.values).mean(dim=1)
        spend = Spend(
            labelled_examples=examples,
            train_flops=plain.flops + shown.flops,
            executed_train_flops=plain.executed_flops + shown.executed_flops,
            trainable_parameters=model.shape.hidden,
        )
        pushes = [(layer, strength) for layer in layers for strength in as_tuple(self.strength)]
        if len(pushes) == 1:
            ((layer, strength),) = pushes
            return Elicited(
                model=_pushed(model, layer, strength * vectors[layer]),
                prompt_fn=prompt_fn,
                spend=spend,
                metadata={"layer": layer},
            )
        dev = task.draw("dev", self.dev_examples, seed=seed)
        scores: list[float] = []
        search = Spend(labelled_examples=len(dev))
        for layer, strength in pushes:
            score, cost = _score(model, layer, strength * vectors[layer], task, prompt_fn, dev)
            scores.append(score)
            search += cost
        best = scores.index(max(scores))
        layer, strength = pushes[best]
        metadata = {"layer": layer, "strength": strength, "dev_score": f"{scores[best]:.4f}", "dev_examples": len(dev)}
        pushed = _pushed(model, layer, strength * vectors[layer])
        return Elicited(model=pushed, prompt_fn=prompt_fn, spend=spend + search, metadata=metadata)

    @property
    def num_candidates(self) -> int:
        """How many pushes there are to choose from."""
        return len(as_tuple(self.strength)) * (1 if self.layer is None else len(as_tuple(self.layer)))

    @property
    def reads_dev(self) -> bool:
        """With several layers or strengths."""
        return self.num_candidates > 1

    def workload(self, task: Task, examples: int) -> Workload:
        """Every example is read without and with shots, and every candidate answers all dev rows."""
        tried = self.num_candidates * self.dev_examples if self.reads_dev else 0
        return Workload(scored_rows=(2 + self.shots) * examples + tried, prompt_configs=(self.prompt_config,))


def _pushed(model: "Model", layer: int, vector: "Tensor") -> "Model":
    from educe.train.attach import attach, load_snapshot
    from educe.train.changes.vectors import SteeringVector

    tuned = attach(model, SteeringVector(layer=layer), seed=0)
    (name,) = tuned.trained
    load_snapshot(tuned, {name: vector})
    return tuned


def _score(
    model: "Model", layer: int, vector: "Tensor", task: Task, prompt_fn: PromptFunction, dev: Sequence[Example]
) -> tuple[float, Spend]:
    """The share of dev rows that a push gets right, and what asking them cost."""
    from educe.eval.measure import measure
    from educe.train.attach import temporary_changes

    with temporary_changes(model):
        answers = measure(_pushed(model, layer, vector), task, prompt_fn, dev)
    return answers.score, answers.search
