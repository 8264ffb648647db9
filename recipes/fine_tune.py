"""What every recipe that fine-tunes on labelled rows shares: budget, schedule, learning rates chosen on dev rows."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from data.errors import UserError
from data.example import Example
from data.relabel import relabel
from data.splits import Split
from data.task import Task
from eval.ask import prompter
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable
    from train.sft import Schedule

Rate = Annotated[float, Field(gt=0)]


class FineTune(Method):
    """Supervised fine-tuning on IID rows; a subclass says what of the subject trains.

    Each row is seen `epochs` times, or as often as `passes` rows in all allow, whichever is less, and at least once.
    Several learning rates are chosen among on `dev_examples` rows of the dev split, which are charged, as is the
    search. `random_labels` is the share of training rows whose label is drawn among the choices instead. For subjects
    that hardly fit, `accumulate` cuts each process's share of a batch into so many pieces, and `checkpoint_activations`
    computes the layers' activations a second time instead of keeping them.
    """

    trains: ClassVar[bool] = True
    sized: ClassVar[bool] = True
    by_machine: ClassVar[frozenset[str]] = frozenset({"accumulate", "checkpoint_activations"})
    once: ClassVar[bool] = False  # one pass, in which no row comes twice

    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 5e-4
    epochs: int = Field(default=8, ge=1)
    passes: int = Field(default=256, ge=1)
    batch_size: int = Field(default=8, ge=1)
    dev_examples: int = Field(default=0, ge=0)
    random_labels: float = Field(default=0.0, ge=0, le=1)
    accumulate: int = Field(default=1, ge=1)
    checkpoint_activations: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @abstractmethod
    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """What trains."""

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more dev rows than there are, and several learning rates without any to choose by."""
        super().check(task, examples=examples)
        if self.random_labels and task.kind != "choice":
            raise UserError(f"task {task.name!r} has no choices to draw labels among; drop random_labels")
        if self.num_rates > 1 and not self.dev_examples:
            raise UserError(f"{self.num_rates} learning rates to choose from and no dev rows; set dev_examples")
        held = len(task.rows["dev"])
        if self.dev_examples > held:
            raise UserError(f"task {task.name!r} holds {held} dev rows; set dev_examples to at most {held}")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw, fine-tune, and ask plainly afterwards."""
        from eval.measure import measure
        from train.choose import fine_tune_best
        from train.encode import encode_rows

        ask = prompter(subject, task, template=self.template, answer_as=self.answer_as)
        dev = task.draw("dev", self.dev_examples, seed=seed)
        tuned = fine_tune_best(
            subject,
            encode_rows(subject, self.rows(task, "train", examples, seed=seed), ask),
            trainable=self.trainable(subject, task),
            schedules=[self.schedule(rate * self.rate_factor(subject), examples) for rate in self.rates],
            measure_dev=(lambda candidate: measure(candidate, task, ask, dev)) if dev else None,
            seed=seed,
        )
        return Elicited(subject=tuned.subject, ask=ask, spend=tuned.spend, history=tuned.history, about=tuned.about)

    def rows(self, task: Task, split: Split, count: int, *, seed: int) -> tuple[Example, ...]:
        """Labelled rows to learn from, labels as they are or drawn at random."""
        return relabel(task.draw(split, count, seed=seed), share=self.random_labels, seed=seed)

    def rate_factor(self, subject: "Subject") -> float:
        """What the learning rate is multiplied with on this subject."""
        return 1.0

    def schedule(self, rate: float, examples: int) -> "Schedule":
        """How a run on so many rows proceeds at this learning rate."""
        from train.sft import Schedule

        return Schedule(
            learning_rate=rate,
            steps=self.steps(examples),
            batch_size=self.batch_size,
            precision=self.precision,
            once=self.once,
            accumulate=self.accumulate,
            checkpoint_activations=self.checkpoint_activations,
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rates to choose from."""
        return self.learning_rate if isinstance(self.learning_rate, tuple) else (self.learning_rate,)

    @property
    def num_rates(self) -> int:
        """How many they are."""
        return len(self.rates)

    @property
    def reads_dev(self) -> bool:
        """With several learning rates."""
        return self.num_rates > 1

    def rows_trained(self, examples: int) -> int:
        """Every candidate learning rate trains once."""
        return self.num_rates * self.steps(examples) * min(self.batch_size, examples)

    def rows_asked(self) -> int:
        """Every candidate answers all dev rows."""
        return self.num_rates * self.dev_examples if self.reads_dev else 0

    def steps(self, examples: int) -> int:
        """Batches of a run on `examples` rows."""
        rows_seen = max(examples, min(self.epochs * examples, self.passes))
        return math.ceil(rows_seen / min(self.batch_size, examples))
