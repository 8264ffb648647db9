"""What every recipe that fine-tunes on labelled rows shares: budget, schedule, learning rates chosen on dev rows."""

import math
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from data.errors import UserError
from data.example import Example
from data.relabel import relabel
from data.splits import Split
from data.task import Task
from eval.ask import prompter
from eval.source import find_source
from eval.spend import Spend
from recipes.method import Elicited, Method

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable
    from train.sft import Schedule

Rate = Annotated[float, Field(gt=0)]
Passes = Annotated[int, Field(ge=1)]
Value = TypeVar("Value")


class FineTune(Method):
    """Supervised fine-tuning on IID rows; a subclass says what of the subject trains.

    Each row is seen `epochs` times, or as often as `passes` rows in all allow, whichever is less, and at least once.
    Several `learning_rate`s or `epochs` are chosen among on `dev_examples` rows of the dev split, which are charged, as
    is the search: every combination in full, or by `halving`. With `patience`, a run ends after so many passes without
    a new lowest loss on these rows, and goes back to the lowest. `labels_from` names a subject whose own answers are
    learned from, in place of labels; `random_labels` is the share of training rows whose label is drawn among the
    choices instead. For subjects that hardly fit, `accumulate` cuts each process's share of a batch into so many
    pieces, and `checkpoint_activations` computes the layers' activations a second time instead of keeping them.
    """

    trains: ClassVar[bool] = True
    sized: ClassVar[bool] = True
    by_machine: ClassVar[frozenset[str]] = frozenset({"accumulate", "checkpoint_activations"})
    once: ClassVar[bool] = False  # one pass, in which no row comes twice

    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 5e-4
    epochs: Passes | Annotated[tuple[Passes, ...], Field(min_length=1)] = 8
    passes: Passes = 256
    batch_size: int = Field(default=8, ge=1)
    dev_examples: int = Field(default=0, ge=0)
    halving: bool = False
    patience: int = Field(default=0, ge=0)
    labels_from: str | dict[str, dict[str, Any]] | None = None
    random_labels: float = Field(default=0.0, ge=0, le=1)
    accumulate: int = Field(default=1, ge=1)
    checkpoint_activations: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @abstractmethod
    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """What trains."""

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses more dev rows than there are, choices without any to choose by, and labels from nowhere."""
        super().check(task, examples=examples)
        if self.random_labels and task.kind != "choice":
            raise UserError(f"task {task.name!r} has no choices to draw labels among; drop random_labels")
        if self.labels_from is not None:
            find_source(self.labels_from)
            if self.random_labels:
                raise UserError(
                    "labels come from a subject or from chance, not both; drop labels_from or random_labels"
                )
        if self.num_candidates > 1 and not self.dev_examples:
            raise UserError(f"{self.num_candidates} schedules to choose from and no dev rows; set dev_examples")
        if self.halving and self.num_candidates == 1:
            raise UserError("halving has one schedule and nothing to choose; give several learning_rate or epochs")
        if self.patience and not self.dev_examples:
            raise UserError("patience looks at dev rows and has none; set dev_examples")
        if len(set(self.steps(examples))) < len(_several(self.epochs)):
            raise UserError(
                f"epochs {list(_several(self.epochs))} are the same run on {examples} examples within passes"
                f" {self.passes}; raise passes or name fewer"
            )
        held = len(task.rows["dev"])
        if self.dev_examples > held:
            raise UserError(f"task {task.name!r} holds {held} dev rows; set dev_examples to at most {held}")

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw, fine-tune, and ask plainly afterwards."""
        from eval.measure import measure
        from train.choose import fine_tune_best
        from train.encode import encode_rows

        ask = prompter(subject, task, template=self.template, answer_as=self.answer_as)
        dev = task.draw("dev", self.dev_examples, seed=seed) if self.reads_dev else ()
        rows, spend, about = self.labelled(subject, task, examples, seed)
        tuned = fine_tune_best(
            subject,
            encode_rows(subject, rows, ask),
            trainable=self.trainable(subject, task),
            schedules=self.schedules(examples, factor=self.rate_factor(subject)),
            measure_dev=lambda candidate: measure(candidate, task, ask, dev),
            dev_rows=encode_rows(subject, dev, ask),
            halving=self.halving,
            seed=seed,
        )
        spend += replace(tuned.spend, labelled_examples=len(dev))
        about = {**about, **tuned.about, "dev_examples": len(dev)}
        return Elicited(subject=tuned.subject, ask=ask, spend=spend, history=tuned.history, about=about)

    def labelled(
        self, subject: "Subject", task: Task, examples: int, seed: int
    ) -> tuple[tuple[Example, ...], Spend, dict[str, Any]]:
        """Rows to learn from, what their labels cost, and where these came from if not from the task."""
        rows = self.rows(task, "train", examples, seed=seed)
        if self.labels_from is None:
            return rows, Spend(labelled_examples=len(rows)), {}
        from train.weak_labels import label_by

        rows, spend, right = label_by(self.labels_from, subject, task, rows, answer_as=self.answer_as)
        return rows, spend, {"labels_from": self.demonstrator, "labels_right": f"{right:.4f}"}

    def rows(self, task: Task, split: Split, count: int, *, seed: int) -> tuple[Example, ...]:
        """Rows of a split, labels as they are or drawn at random."""
        return relabel(task.draw(split, count, seed=seed), share=self.random_labels, seed=seed)

    @property
    def demonstrator(self) -> str:
        """The name of the subject that labels come from."""
        return find_source(self.labels_from).name if self.labels_from is not None else ""

    def settings(self) -> dict[str, Any]:
        """Also the weights that labels come from."""
        identity = find_source(self.labels_from).identity if self.labels_from is not None else None
        return super().settings() | ({"demonstrator": identity} if identity else {})

    def rate_factor(self, subject: "Subject") -> float:
        """What the learning rate is multiplied with on this subject."""
        return 1.0

    def schedules(self, examples: int, *, factor: float = 1.0) -> list["Schedule"]:
        """How a run on so many rows may proceed, by learning rates (times the factor) and epochs."""
        from train.sft import Schedule

        return [
            Schedule(
                learning_rate=rate * factor,
                steps=steps,
                batch_size=self.batch_size,
                precision=self.precision,
                once=self.once,
                accumulate=self.accumulate,
                checkpoint_activations=self.checkpoint_activations,
                patience=self.patience,
            )
            for steps in self.steps(examples)
            for rate in _several(self.learning_rate)
        ]

    @property
    def num_candidates(self) -> int:
        """How many schedules there are to choose from."""
        return len(_several(self.learning_rate)) * len(_several(self.epochs))

    @property
    def is_plain(self) -> bool:
        """One schedule that runs to its end, on the task's own labels."""
        return self.num_candidates == 1 and not self.patience and self.labels_from is None and not self.random_labels

    @property
    def reads_dev(self) -> bool:
        """To choose a schedule, or when to stop."""
        return self.num_candidates > 1 or self.patience > 0

    def rows_trained(self, examples: int) -> int:
        """Every candidate schedule's, to its end."""
        return math.ceil(self._runs() * max(self.steps(examples)) * min(self.batch_size, examples))

    def rows_asked(self) -> int:
        """Every candidate answers all dev rows, and early stopping reads them after every pass."""
        looks = max(_several(self.epochs)) if self.patience else 0
        candidates = 2 * self.num_candidates if self.halving else self.num_candidates
        return (candidates * (self.num_candidates > 1) + math.ceil(self._runs() * looks)) * self.dev_examples

    def _runs(self) -> float:
        """How many whole runs the choice amounts to: halving's rungs are each about as long as one."""
        if not self.halving:
            return self.num_candidates
        return 1 + math.ceil(math.log2(self.num_candidates))

    def steps(self, examples: int) -> list[int]:
        """Batches of a run on `examples` rows, for each of the epochs."""
        seen = [max(examples, min(epochs * examples, self.passes)) for epochs in _several(self.epochs)]
        return [math.ceil(rows / min(self.batch_size, examples)) for rows in seen]


def _several(values: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return values if isinstance(values, tuple) else (values,)
