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

from data.errors import UserError
from data.example import Instruction
from data.instructions import check_overlap, resolve_instructions
from data.task import Task
from eval.ask import prompter
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.sft import AnyRow, Tuned


class Helpful(Method):
    """A LoRA adapter trained to help, on `instructions` beside the task: "bundled", a file or a hub dataset.

    A row that asks what the task asks is refused, so that a gain on the task was elicited by helpfulness alone. No
    label of the task is read.
    """

    trains: ClassVar[bool] = True

    instructions: str | dict[str, dict[str, Any]] = "bundled"
    rank: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0, allow_inf_nan=False)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @abstractmethod
    def encode(self, subject: "Subject") -> "Sequence[AnyRow]":
        """The instructions as rows to train on."""

    def loss(self) -> Callable[..., Any]:
        """What is to fall on these rows."""
        from train.loss import AnswerLoss

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

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Train, or take what was trained for another task of the study, and ask plainly."""
        tuned = self._tuned(subject, seed)
        ask = prompter(subject, task, asking=self.asking)
        return Elicited(subject=tuned.subject, ask=ask, spend=tuned.spend, history=tuned.history, about=tuned.about)

    def _tuned(self, subject: "Subject", seed: int) -> "Tuned":
        from train.attach import attach, load_snapshot, snapshot
        from train.changes.peft import Lora
        from train.sft import Schedule, fine_tune

        lora = Lora(rank=self.rank)
        key = (self.shared_training, seed)
        if key in subject.memo:
            tuned, weights = subject.memo[key]
            again = attach(subject, lora, seed=seed)
            load_snapshot(again, weights)
            return replace(tuned, subject=again)
        size = min(self.batch_size, len(self.rows))
        schedule = Schedule(
            learning_rate=self.learning_rate,
            steps=math.ceil(self.epochs * len(self.rows) / size),
            batch_size=size,
            precision=self.precision,
        )
        rows = self.encode(subject)
        tuned = fine_tune(subject, rows, trainable=lora, schedule=schedule, seed=seed, loss=self.loss())
        tuned = replace(tuned, spend=replace(tuned.spend, labelled_examples=0, instructions=len(self.rows)))
        subject.memo[key] = (tuned, snapshot(tuned.subject))
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
    def instruction_rows(self) -> Sequence[Instruction]:
        """The instructions."""
        return self.rows

    @property
    def shared_training(self) -> str:
        """The recipe with its settings, whatever the task."""
        return f"{type(self).__name__} {json.dumps(self.settings(), sort_keys=True)}"

    def rows_trained(self, examples: int) -> int:
        """Every instruction, each epoch."""
        return self.epochs * len(self.rows)
