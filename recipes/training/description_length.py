"""One pass over the rows, each label charged before it is learned: the bits that a training set holds for a model."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Workload, check_dev
from educe.recipes.training.iid_sft import IidSft

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.sft import AnyRow, BeforeStep


class DescriptionLength(IidSft):
    """Description length of n labels (MDL), and its excess over the held-out loss at the end (EDL), in bits.

    A label's bits are those of one option among all where the task has options, else those of the answer's text and
    its stop token (recorded for both). The held-out loss is that of `floor_examples` dev rows, labelled in the same way
    and charged. EDL per example that falls with n reads as eliciting, one that rises as teaching; never decide on it
    alone.
    """

    once: ClassVar[bool] = True

    epochs: int = Field(default=1, ge=1, le=1)
    passes: int = Field(default=1, ge=1, le=1)
    floor_examples: int = Field(default=64, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more floor rows than there are, and what would take several passes or change the stream."""
        if beyond := [fix for name, fix in self.beyond_plain().items() if name != "random_labels"]:
            raise UserError(
                f"description_length reads its rows once, with the task's labels or random ones; {', '.join(beyond)}"
            )
        super().check(task, examples=examples)
        check_dev(task, self.floor_examples, setting="floor_examples")

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Fine-tune once through, then read the floor."""
        from educe.train.bits import encode_labelled, label_bits, option_bits, options_spend, prequential_bits
        from educe.train.encode import encode_rows
        from educe.train.frozen import frozen_maps_in

        elicited = super().__call__(model, task, examples=examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        held_out = self.rows(task, "dev", self.floor_examples, seed=0)  # one floor for all seeds
        precision = str(elicited.metadata["training_precision"])
        tuned = elicited.model
        text_floor, spend = label_bits(tuned, encode_rows(tuned, held_out, prompt_fn), precision=precision)
        text = prequential_bits(elicited.history)
        metadata = _lengths(text, text_floor, examples)
        if task.kind == "choice":
            metadata = {f"text_{name}": value for name, value in metadata.items()}
            floor_options = encode_labelled(tuned, held_out, prompt_fn)
            with frozen_maps_in(tuned, precision):
                floor = option_bits(tuned, list(floor_options.values()))
            read = encode_labelled(tuned, self.rows(task, "train", examples, seed=seed), prompt_fn)
            bits = math.fsum(step["option_bits"] for step in elicited.history)
            metadata |= _lengths(bits, math.fsum(floor) / len(floor), examples)
            spend += options_spend(tuned, [*read.values(), *floor_options.values()])
        metadata = {**elicited.metadata, **metadata, "floor_examples": self.floor_examples}
        return replace(elicited, spend=replace(elicited.spend + spend, bits=metadata["mdl_bits"]), metadata=metadata)

    def before_step(self, model: "Model", rows: Sequence[Example], prompt_fn: PromptFunction) -> "BeforeStep | None":
        """The bits of the batch's labels among their options."""
        from educe.train.bits import encode_labelled, option_bits

        if not rows[0].choices:
            return None
        labelled = encode_labelled(model, rows, prompt_fn)

        def note(tuned: "Model", batch: "Sequence[AnyRow]") -> dict[str, float]:
            return {"option_bits": math.fsum(option_bits(tuned, [labelled[row.id] for row in batch]))}

        return note

    def workload(self, task: Task, examples: int) -> Workload:
        return super().workload(task, examples) + Workload(scored_rows=self.floor_examples)


def _lengths(bits: float, floor: float, examples: int) -> dict[str, float]:
    return {"mdl_bits": bits, "edl_bits": bits - examples * floor, "floor_bits_per_example": floor}
