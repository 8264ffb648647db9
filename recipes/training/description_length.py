"""The bits that a training set holds for a model: each label is charged before the model learns from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.resolve import resolve
from educe.data.task import Task
from educe.eval.analysis.statistics.variance import Side, mean_variance
from educe.eval.details import Details, LabelBits
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Workload, check_dev
from educe.recipes.training.settings import Epochs, LoraSettings, Rate, SupervisedTraining, draw_labelled
from educe.train.attach import snapshot, temporary_changes
from educe.train.bits import LabelledOptions, encode_labelled, label_bits, option_bits, options_spend, prequential_bits
from educe.train.encode import TrainingRow, encode_rows
from educe.train.frozen import frozen_maps_in
from educe.train.sft import AnyRow, Tuned, fine_tune

FORM_STEPS = 8  # after which an answer costs little more than its label (docs/log.md)
# Short answers, and few options, so that a format that lists them has a label for each.
FORM_TASKS = ("first_names", "word_sentiment", "plurals", "arithmetic")


@dataclass(frozen=True, kw_only=True)
class _Start:
    """The model with what its adapters begin with, and what bringing it there cost."""

    model: Model
    spend: Spend
    details: Details


class DescriptionLength(LoraSettings, SupervisedTraining):
    """Description length of n labels (MDL), and its excess over the loss of a converged model (EDL), in bits.

    First a LoRA adapter learns the form of an answer from `form_rows` rows of another task: of `form_tasks`, the first
    of the same kind that is another one. From there it reads each of the n rows once at a constant `learning_rate`, in
    batches of `batch_size`. A label's bits are those of one option among all where the task has options, else those of
    the answer's text and its stop token (recorded for both). From the same start an adapter then learns from the same
    rows for `floor_epochs` passes at `floor_learning_rate`, warmed up and decaying. Its loss on `floor_examples` dev
    rows is the floor, and it is the model that is measured. `random_labels` is the share of rows whose label is drawn
    at random. All labels are charged: the n rows, the dev rows and those of the other task. EDL per example that falls
    with n suggests eliciting, one that rises teaching; never decide on it alone.
    """

    learning_rate: Rate = 2e-4
    random_labels: float = Field(default=0.0, ge=0, le=1)
    floor_epochs: Epochs = 4
    floor_learning_rate: Rate = 5e-4
    floor_examples: int = Field(default=64, ge=1)
    form_rows: int = Field(default=1, ge=0)
    form_tasks: tuple[str | dict[str, dict[str, Any]], ...] = Field(default=FORM_TASKS, min_length=1)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a form of an answer that no other task shows."""
        super().check(task, examples=examples)
        if self.random_labels and task.kind != "choice":
            raise UserError(f"task {task.name!r} has no choices to draw labels among; drop random_labels")
        check_dev(task, self.floor_examples, setting="floor_examples")
        if self.form_rows:
            other = self.form_task(task)
            if self.form_rows > len(other.rows["train"]):
                raise UserError(
                    f"form_rows = {self.form_rows} are more than the {len(other.rows['train'])} train rows of"
                    f" {other.name!r}; lower it"
                )

    def settings(self) -> dict[str, Any]:
        """The other tasks are identified by their rows."""
        others = [each.fingerprint for each in self._form_tasks] if self.form_rows else []
        return super().settings() | {"form_tasks": others}

    @cached_property
    def _form_tasks(self) -> tuple[Task, ...]:
        return tuple(resolve(spec) for spec in self.form_tasks)

    def form_task(self, task: Task) -> Task:
        """The task that shows the form of an answer. UserError where none is of the same kind and another one."""
        for other in self._form_tasks:
            if other.kind == task.kind and other.name != task.name and not task.questions & other.questions:
                return other
        names = ", ".join(each.name for each in self._form_tasks)
        raise UserError(
            f"form_tasks ({names}) hold no other {task.kind} task than {task.name!r}; name one, or set form_rows: 0"
        )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        """The record of steps is that of the pass that charges the labels."""
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        rows = draw_labelled(task, "train", examples, seed=seed, random_labels=self.random_labels)
        encoded = encode_rows(model, rows, prompt_fn)
        options = encode_labelled(model, rows, prompt_fn) if task.kind == "choice" else {}
        start = self._start(model, task, prompt_fn, seed=seed)
        with temporary_changes(model):
            coded = self._coded(start.model, encoded, options, seed=seed)
            reading = options_spend(coded.model, options.values())
        # From the start and not from the coded model: so the floor does not move with the rate and the batches of the
        # coding pass, and it is that of a usual fine-tune on the same rows.
        steps = self.num_steps(len(rows), epochs=self.floor_epochs)
        schedule = self.schedule(learning_rate=self.floor_learning_rate, steps=steps)
        tuned = fine_tune(start.model, encoded, trainable=self.lora, schedule=schedule, seed=seed)
        # One floor for all seeds.
        held_out = draw_labelled(task, "dev", self.floor_examples, seed=0, random_labels=self.random_labels)
        found, spend = self._floors(tuned, held_out, prompt_fn, task)
        totals = [prequential_bits(coded.history)]
        if options:
            totals.insert(0, math.fsum(step["option_bits"] for step in coded.history))
        lengths = [_lengths(total, floors, held_out, examples) for total, floors in zip(totals, found, strict=True)]
        bits = Details(label_bits=lengths[0], text_bits=lengths[1] if options else None)
        trained = start.spend + coded.spend + replace(tuned.spend, labelled_examples=0)
        return Elicited(
            model=tuned.model,
            prompt_fn=prompt_fn,
            spend=replace(trained + reading + spend, bits=lengths[0].mdl_bits),
            history=coded.history,
            details=tuned.details | start.details | bits,
        )

    def _start(self, model: Model, task: Task, prompt_fn: PromptFunction, *, seed: int) -> _Start:
        """Where an adapter begins that knows the form of an answer, in the task's own format."""
        if not self.form_rows:
            return _Start(model=model, spend=Spend(), details=Details())
        other = self.form_task(task)
        rows = encode_rows(model, other.draw("train", self.form_rows, seed=seed), prompt_fn)
        schedule = self.schedule(learning_rate=self.floor_learning_rate, steps=FORM_STEPS)
        with temporary_changes(model):
            tuned = fine_tune(model, rows, trainable=self.lora, schedule=schedule, seed=seed)
            begun = replace(model, start=snapshot(tuned.model))
        return _Start(model=begun, spend=tuned.spend, details=Details(notes={"form_task": other.name}))

    def _coded(
        self,
        model: Model,
        rows: Sequence[TrainingRow],
        options: Mapping[str, LabelledOptions],
        *,
        seed: int,
    ) -> Tuned:
        """One pass at a constant rate, which notes the bits of each batch's labels before it learns from them."""

        def bits_before_step(tuned: Model, batch: Sequence[AnyRow]) -> dict[str, float]:
            return {"option_bits": math.fsum(option_bits(tuned, [options[row.id] for row in batch]))}

        schedule = self.schedule(learning_rate=self.learning_rate, steps=self.num_steps(len(rows), epochs=1))
        return fine_tune(
            model,
            rows,
            trainable=self.lora,
            schedule=replace(schedule, once=True, constant=True),
            seed=seed,
            before_step=bits_before_step if options else None,
        )

    def _floors(
        self, tuned: Tuned, held_out: Sequence[Example], prompt_fn: PromptFunction, task: Task
    ) -> tuple[list[list[float]], Spend]:
        """Every held-out label's bits under the converged model: among the options where there are any, and as text."""
        assert tuned.details.training is not None
        precision = tuned.details.training.precision
        texts, spend = label_bits(tuned.model, encode_rows(tuned.model, held_out, prompt_fn), precision=precision)
        if task.kind != "choice":
            return [texts], spend
        options = encode_labelled(tuned.model, held_out, prompt_fn)
        with frozen_maps_in(tuned.model, precision):
            floors = option_bits(tuned.model, list(options.values()))
        return [floors, texts], spend + options_spend(tuned.model, options.values())

    def workload(self, task: Task, examples: int) -> Workload:
        """The options of every row are read once more, to charge its label."""
        size = min(self.batch_size, examples)
        passes = (1, self.floor_epochs)
        rows = sum(self.num_steps(examples, epochs=epochs) * size for epochs in passes)
        form = FORM_STEPS * min(self.batch_size, self.form_rows)
        read = self.floor_examples + (examples if task.kind == "choice" else 0)
        return Workload(training_rows=rows + form, scored_rows=read, prompt_configs=(self.prompt_config,))


def _lengths(total: float, floors: Sequence[float], held_out: Sequence[Example], examples: int) -> LabelBits:
    """MDL and EDL from the bits of all labels and of every held-out one."""
    floor = math.fsum(floors) / len(floors)
    found = mean_variance(Side.of(floors), [row.cluster for row in held_out])
    known = math.isfinite(found.total)
    return LabelBits(
        mdl_bits=total,
        edl_bits=total - examples * floor,
        floor_bits_per_example=floor,
        floor_examples=len(floors),
        floor_error=found.total**0.5 if known else None,
        floor_df=found.df if known else None,
    )
