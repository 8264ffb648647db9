"""The logit lens: options are scored from the states of earlier layers, before later ones may turn the answer down."""

from functools import partial
from typing import ClassVar

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task, check_options
from educe.eval.measure import measure
from educe.eval.model.lens import lens_scores
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Method
from educe.train.changes.layers import check_layers


class LogitLens(Method):
    """Answer as zero-shot does, by log-likelihoods as they would be if the net ended after an earlier layer.

    After `layer`; without one, by the mean over the layers from half of the depth to the last but one. No label is read
    to choose it.
    """

    seeded: ClassVar[bool] = False

    layer: int | None = Field(default=None, ge=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a task without options."""
        super().check(task, examples=examples)
        check_options(task, to="read from earlier layers")

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        """UserError for a layer that the model lacks, and for a model of one or two."""
        depth = model.shape.layers
        layers = range(depth // 2, depth - 1) if self.layer is None else [self.layer]
        check_layers(model, layers)
        if not layers:
            raise UserError(
                f"model {model.name!r} has {depth} layers and none between half of them and the last; set layer, as in "
                "layer: 0"
            )
        return Elicited(
            model=model,
            prompt_fn=make_prompt_fn(model, task, prompt_config=self.prompt_config),
            solver=partial(measure, score=partial(lens_scores, layers=tuple(layers))),
        )
