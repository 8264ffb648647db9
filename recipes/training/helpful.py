"""Helpful-only models: an adapter learns to help, from instructions beside the task, once for all tasks of a study."""

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.instructions.kinds import ALARMING
from educe.data.instructions.load import require_rejected, resolve_instructions, rows_hash
from educe.data.instructions.overlap import check_overlap
from educe.data.task import Task
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Budget, Elicited, Workload
from educe.recipes.training.settings import Epochs, Rate, SupervisedTraining
from educe.train.attach import attach, load_snapshot, snapshot
from educe.train.changes.peft import Lora
from educe.train.instructions import encode_instructions, encode_preferences
from educe.train.loss import AnswerLoss
from educe.train.preference import PreferenceLoss
from educe.train.sft import AnyRow, Tuned, fine_tune


class Helpful(SupervisedTraining):
    """A LoRA adapter trained to help, on `instructions` beside the task: "bundled", a file or a hub dataset.

    A row that asks what the task asks is refused, so that a gain on the task comes from helpfulness alone. No label of
    the task is read.
    """

    budget: ClassVar[Budget] = "none"

    instructions: str | dict[str, dict[str, Any]] = "bundled"
    rank: int = Field(default=8, ge=1)
    learning_rate: Rate = 5e-4
    epochs: Epochs = 1

    @abstractmethod
    def encode(self, model: Model) -> Sequence[AnyRow]:
        """The instructions as rows to train on."""

    def loss(self) -> Callable[..., Any]:
        return AnswerLoss

    @property
    def lora(self) -> Lora:
        return Lora(rank=self.rank)

    @cached_property
    def rows(self) -> tuple[Instruction, ...]:
        """The instructions, read once. UserError where there are none."""
        instructions = resolve_instructions(self.instructions)
        if not instructions:
            raise UserError(f"instructions {self.instructions!r} hold no row; give at least one")
        return instructions

    def check(self, task: Task, *, examples: int) -> None:
        """Refuses instructions that cannot be read and those that share a question with the task."""
        check_overlap(self.rows, task)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        tuned = self._tuned(model, seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        return Elicited(
            model=tuned.model, prompt_fn=prompt_fn, spend=tuned.spend, history=tuned.history, details=tuned.details
        )

    def _tuned(self, model: Model, seed: int) -> Tuned:
        """Trained now, or for an earlier task of the study."""
        key = (self.shared_training, seed)
        if key in model.cache and not model.start:
            tuned, weights = model.cache[key]
            again = attach(model, self.lora, seed=seed)
            load_snapshot(again, weights)
            return replace(tuned, model=again)
        steps = self.num_steps(len(self.rows), epochs=self.epochs)
        schedule = self.schedule(learning_rate=self.learning_rate, steps=steps)
        tuned = fine_tune(
            model, self.encode(model), trainable=self.lora, schedule=schedule, seed=seed, loss=self.loss()
        )
        tuned = replace(tuned, spend=replace(tuned.spend, labelled_examples=0, instructions=len(self.rows)))
        if not model.start:
            model.cache[key] = (tuned, snapshot(tuned.model))
        return tuned

    @cached_property
    def rows_hash(self) -> str:
        """Of every instruction."""
        return rows_hash(self.rows)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"instructions_hash": self.rows_hash}

    @property
    def shared_training(self) -> str:
        """The recipe with its settings, whatever the task."""
        return f"{type(self).__name__} {json.dumps(self.settings(), sort_keys=True)}"

    def workload(self, task: Task, examples: int) -> Workload:
        return Workload(
            training_rows=self.epochs * len(self.rows),
            instructions=self.rows,
            shared_training=self.shared_training,
            prompt_configs=(self.prompt_config,),
        )


class HelpfulSft(Helpful):
    """Supervised fine-tuning on requests and helpful responses."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anti_refusal_sft": {"instructions": {"bundled": {"count": 128, "kinds": list(ALARMING)}}}
    }

    def encode(self, model: Model) -> Sequence[AnyRow]:
        return encode_instructions(model, self.rows)


class HelpfulDpo(Helpful):
    """Direct preference optimisation of helpful responses over refusals; `beta` weighs the distance to the model."""

    learning_rate: Rate = 1e-4
    beta: float = Field(default=0.1, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses instructions without a rejected answer."""
        require_rejected(self.rows)
        super().check(task, examples=examples)

    def encode(self, model: Model) -> Sequence[AnyRow]:
        return encode_preferences(model, self.rows)

    def loss(self) -> Callable[..., Any]:
        return partial(PreferenceLoss, beta=self.beta)

    def workload(self, task: Task, examples: int) -> Workload:
        """Both answers of every pair."""
        once = super().workload(task, examples)
        return replace(once, training_rows=2 * once.training_rows)
