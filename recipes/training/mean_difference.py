"""A steering vector without training: what demonstrations add to a layer's state on average, added to every prompt."""

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import measure
from educe.eval.measurement import Role
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.model.states import last_token_states
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.selection import choose
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, as_tuple, check_dev
from educe.train.attach import attach, load_snapshot, temporary_changes
from educe.train.changes.layers import check_layers
from educe.train.changes.vectors import SteeringVector

Layer = Annotated[int, Field(ge=0)]
Strength = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MeanDifference(Method):
    """The mean effect of `shots` demonstrations on a layer's state, added at every token of a prompt without shots.

    The vector is the mean, over n examples, of the state at the end of the prompt after shots (other examples of the
    n) minus the state of the prompt without; times `strength` it is added at `layer`, by default the middle one.
    Several layers or strengths are chosen among on `dev_examples` dev rows, which are charged. Function vectors (Todd
    et al. 2024) do the same with single heads.
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

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        """The shots of an example are those that follow it in the draw."""
        layers = (model.shape.layers // 2,) if self.layer is None else as_tuple(self.layer)
        check_layers(model, layers)
        drawn = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        shots_of = [(drawn * 2)[place + 1 : place + 1 + self.shots] for place in range(len(drawn))]
        after = [make_prompt_fn(model, task, shots=shots, prompt_config=self.prompt_config) for shots in shots_of]
        without = last_token_states(model, [encode_prompt(model, prompt_fn(each)) for each in drawn])
        with_shots = last_token_states(
            model, [encode_prompt(model, few_shot(each)) for each, few_shot in zip(drawn, after, strict=True)]
        )
        vectors = (with_shots.values - without.values).mean(dim=1)
        spend = Spend(
            labelled_examples=examples,
            train_flops=without.flops + with_shots.flops,
            executed_train_flops=without.executed_flops + with_shots.executed_flops,
            trainable_parameters=model.shape.hidden,
        )
        candidates = [(layer, strength) for layer in layers for strength in as_tuple(self.strength)]
        layer, strength = candidates[0]
        details = Details(notes={"layer": layer})
        if len(candidates) > 1:
            dev = task.draw("dev", self.dev_examples, seed=seed)

            def try_on_dev(candidate: tuple[int, float]) -> tuple[float, Spend]:
                layer, strength = candidate
                with temporary_changes(model):
                    answers = measure(_steered(model, layer, strength * vectors[layer]), task, prompt_fn, dev)
                return answers.score, answers.search

            (layer, strength), choice = choose(candidates, try_on_dev)
            chosen = {"layer": layer, "strength": strength}
            details = Details(selection=choice.selection(chosen, dev_examples=len(dev)))
            spend += Spend(labelled_examples=len(dev)) + choice.search
        steered = _steered(model, layer, strength * vectors[layer])
        return Elicited(model=steered, prompt_fn=prompt_fn, spend=spend, details=details)

    @property
    def num_candidates(self) -> int:
        """How many layers and strengths there are to choose from."""
        return len(as_tuple(self.strength)) * (1 if self.layer is None else len(as_tuple(self.layer)))

    @property
    def reads_dev(self) -> bool:
        return self.num_candidates > 1

    def workload(self, task: Task, examples: int) -> Workload:
        """Every example is read without and with shots, and every candidate answers all dev rows."""
        tried = self.num_candidates * self.dev_examples if self.reads_dev else 0
        return Workload(scored_rows=(2 + self.shots) * examples + tried, prompt_configs=(self.prompt_config,))


def _steered(model: Model, layer: int, vector: Tensor) -> Model:
    tuned = attach(model, SteeringVector(layer=layer), seed=0)
    (name,) = tuned.trained
    load_snapshot(tuned, {name: vector})
    return tuned
