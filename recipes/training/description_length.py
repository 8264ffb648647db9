"""The bits that a training set holds for a model: each label is charged before the model learns from it."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.details import Details, LabelBits
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Workload, check_dev
from educe.recipes.training.settings import LoraSettings, Rate, SupervisedTraining, draw_labelled
from educe.train.bits import encode_labelled, label_bits, option_bits, options_spend, prequential_bits
from educe.train.encode import encode_rows
from educe.train.frozen import frozen_maps_in
from educe.train.sft import AnyRow, fine_tune


class DescriptionLength(LoraSettings, SupervisedTraining):
    """Description length of n labels (MDL), and its excess over the held-out loss at the end (EDL), in bits.

    A LoRA adapter reads every row once. A label's bits are those of one option among all where the task has options,
    else those of the answer's text and its stop token (recorded for both). The held-out loss is that of
    `floor_examples` dev rows, which are charged. Where EDL per example falls with n, training elicits; where it rises,
    training teaches; never decide on it alone. `random_labels` is the share of rows whose label is drawn at random.
    """

    learning_rate: Rate = 5e-4
    random_labels: float = Field(default=0.0, ge=0, le=1)
    floor_examples: int = Field(default=64, ge=1)

    def check(self, task: Task, *, examples: int) -> None:
        super().check(task, examples=examples)
        if self.random_labels and task.kind != "choice":
            raise UserError(f"task {task.name!r} has no choices to draw labels among; drop random_labels")
        check_dev(task, self.floor_examples, setting="floor_examples")

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        rows = draw_labelled(task, "train", examples, seed=seed, random_labels=self.random_labels)
        labelled = encode_labelled(model, rows, prompt_fn) if task.kind == "choice" else {}

        def bits_before_step(tuned: Model, batch: Sequence[AnyRow]) -> dict[str, float]:
            return {"option_bits": math.fsum(option_bits(tuned, [labelled[row.id] for row in batch]))}

        schedule = self.schedule(learning_rate=self.learning_rate, steps=self.num_steps(len(rows), epochs=1))
        tuned = fine_tune(
            model,
            encode_rows(model, rows, prompt_fn),
            trainable=self.lora,
            schedule=replace(schedule, once=True),
            seed=seed,
            before_step=bits_before_step if labelled else None,
        )
        # One floor for all seeds.
        held_out = draw_labelled(task, "dev", self.floor_examples, seed=0, random_labels=self.random_labels)
        assert tuned.details.training is not None
        precision = tuned.details.training.precision
        floor, spend = label_bits(tuned.model, encode_rows(tuned.model, held_out, prompt_fn), precision=precision)
        bits = self._lengths(prequential_bits(tuned.history), floor, examples)
        details = tuned.details | Details(label_bits=bits)
        if labelled:
            floor_options = encode_labelled(tuned.model, held_out, prompt_fn)
            with frozen_maps_in(tuned.model, precision):
                floors = option_bits(tuned.model, list(floor_options.values()))
            total = math.fsum(step["option_bits"] for step in tuned.history)
            details |= Details(text_bits=bits)
            bits = self._lengths(total, math.fsum(floors) / len(floors), examples)
            details |= Details(label_bits=bits)
            spend += options_spend(tuned.model, [*labelled.values(), *floor_options.values()])
        return Elicited(
            model=tuned.model,
            prompt_fn=prompt_fn,
            spend=replace(tuned.spend + spend, bits=bits.mdl_bits),
            history=tuned.history,
            details=details,
        )

    def _lengths(self, bits: float, floor: float, examples: int) -> LabelBits:
        return LabelBits(
            mdl_bits=bits,
            edl_bits=bits - examples * floor,
            floor_bits_per_example=floor,
            floor_examples=self.floor_examples,
        )

    def workload(self, task: Task, examples: int) -> Workload:
        rows = self.num_steps(examples, epochs=1) * min(self.batch_size, examples)
        return Workload(training_rows=rows, scored_rows=self.floor_examples, prompt_configs=(self.prompt_config,))
