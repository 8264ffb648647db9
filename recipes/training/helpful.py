"""What the helpful-only recipes share: instructions that hold nothing of the task, and one training for all tasks."""

import hashlib
import json
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.instructions.load import resolve_instructions
from educe.data.instructions.overlap import check_overlap
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Method, Workload

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.sft import AnyRow, Tuned


class Helpful(Method):
    """A LoRA adapter trained to help, on `instructions` beside the task: "bundled", a file or a hub dataset.

    A row that asks what the task asks is refused, so that a gain on the task was elicited by helpfulness alone. No
    label of the task is read.
    """

    role: ClassVar[Role] = "training"

    instructions: str | dict[str, dict[str, Any]] = "bundled"
    rank: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0, allow_inf_nan=False)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @abstractmethod
    def encode(self, model: "Model") -> "Sequence[AnyRow]":
        """The instructions as rows to train on."""

    def loss(self) -> Callable[..., Any]:
        """What is to fall on these rows."""
        from educe.train.loss import AnswerLoss

        return AnswerLoss

    @cached_property
    def rows(self) -> tuple[Instruction, ...]:
        """The instructions, read once; UserError where there are none."""
        instructions = resolve_instructions(self.instructions)
        if not instructions:
            raise UserError(f"instructions {self.instructions!r} hold no row; give at least one")
        return instructions

    def check(self, task: Task, *, examples: int) -> None:
        """Refuses instructions that cannot be read and those that share a question with the task."""
        check_overlap(self.rows, task)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Train, or take what was trained for another task of the study, and ask plainly."""
        tuned = self._tuned(model, seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        return Elicited(
            model=tuned.model, prompt_fn=prompt_fn, spend=tuned.spend, history=tuned.history, metadata=tuned.metadata
        )

    def _tuned(self, model: "Model", seed: int) -> "Tuned":
        from educe.train.attach import attach, load_snapshot, snapshot
        from educe.train.changes.peft import Lora
        from educe.train.schedule import Schedule
        from educe.train.sft import fine_tune

        lora = Lora(rank=self.rank)
        key = (self.shared_training, seed)
        if key in model.cache:
            tuned, weights = model.cache[key]
            again = attach(model, lora, seed=seed)
            load_snapshot(again, weights)
            return replace(tuned, model=again)
        size = min(self.batch_size, len(self.rows))
        schedule = Schedule(
            learning_rate=self.learning_rate,
            steps=math.ceil(self.epochs * len(self.rows) / size),
            batch_size=size,
            precision=self.precision,
        )
        rows = self.encode(model)
        tuned = fine_tune(model, rows, trainable=lora, schedule=schedule, seed=seed, loss=self.loss())
        tuned = replace(tuned, spend=replace(tuned.spend, labelled_examples=0, instructions=len(self.rows)))
        model.cache[key] = (tuned, snapshot(tuned.model))
        return tuned

    @cached_property
    def rows_hash(self) -> str:
        """Of every instruction: a file of the same name may change."""
        text = json.dumps([asdict(each) for each in self.rows])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def settings(self) -> dict[str, Any]:
        """Also what the instructions say."""
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
