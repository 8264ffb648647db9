"""What every recipe that fine-tunes on labelled rows shares: labels, schedules, and the choice of one on dev rows."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.relabel import relabel
from educe.data.splits import Split
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.source import Source, find_source
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Budget, Elicited, Method, Workload, as_tuple, check_dev

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable
    from educe.train.schedule import Schedule
    from educe.train.sft import BeforeStep

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Epochs = Annotated[int, Field(ge=1)]


class FineTune(Method):
    """Supervised fine-tuning on IID rows; a subclass says what of the model trains.

    Each row is seen `epochs` times, or as often as `passes` rows in all allow, whichever is less, and at least once.
    Several `learning_rate`s or `epochs` are chosen among on `dev_examples` rows of the dev split, which are charged, as
    is the search: every combination in full, or by `halving`. With `patience`, a run ends after so many passes without
    a new lowest loss on these rows, and goes back to the lowest. `labels_from` names a model whose own answers are
    learned from, in place of labels; `random_labels` is the share of training rows whose label is drawn among the
    choices instead. For models that hardly fit, `accumulate` cuts each process's share of a batch into so many
    pieces, and `checkpoint_activations` computes the layers' activations a second time instead of keeping them.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"
    runtime_settings: ClassVar[frozenset[str]] = frozenset({"accumulate", "checkpoint_activations"})
    once: ClassVar[bool] = False  # one pass, in which no row comes twice

    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 5e-4
    epochs: Epochs | Annotated[tuple[Epochs, ...], Field(min_length=1)] = 8
    passes: int = Field(default=256, ge=1)
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
    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """What trains."""

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses dev rows that are not there or not read, choices without ground, and labels from nowhere."""
        super().check(task, examples=examples)
        if self.random_labels and task.kind != "choice":
            raise UserError(f"task {task.name!r} has no choices to draw labels among; drop random_labels")
        if self.demonstrator is not None and self.random_labels:
            raise UserError(
                f"labels come from {self.demonstrator.name} or from chance, not both; drop labels_from or random_labels"
            )
        self._check_choice(examples)
        check_dev(task, self.dev_examples)

    def _check_choice(self, examples: int) -> None:
        if self.reads_dev and not self.dev_examples:
            what = f"patience = {self.patience}" if self.patience else f"{self.num_candidates} schedules to choose from"
            raise UserError(f"{what} and no dev rows to look at; set dev_examples")
        if self.dev_examples and not self.reads_dev:
            raise UserError(
                f"dev_examples = {self.dev_examples} would not be read; give several learning_rate or epochs, "
                "set patience, or drop it"
            )
        if self.halving and self.num_candidates == 1:
            raise UserError(
                "halving = true has one schedule and nothing to choose; give several learning_rate or epochs"
            )
        for name in ("learning_rate", "epochs"):
            values = as_tuple(getattr(self, name))
            if len(set(values)) < len(values):
                raise UserError(f"{name} = {list(values)} names one twice; once is enough")
        if len(set(self.steps(examples))) < len(as_tuple(self.epochs)):
            raise UserError(
                f"epochs {list(as_tuple(self.epochs))} are the same run on {examples} examples within passes"
                f" {self.passes}; raise passes or name fewer"
            )

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Draw, fine-tune, and ask plainly afterwards."""
        from educe.eval.measure import measure
        from educe.train.choose import fine_tune_best
        from educe.train.encode import encode_rows

        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        dev = self.rows(task, "dev", self.dev_examples, seed=seed)
        rows, spend, metadata = self.labelled(model, task, examples, seed)
        tuned = fine_tune_best(
            model,
            encode_rows(model, rows, prompt_fn),
            trainable=self.trainable(model, task),
            schedules=self.schedules(len(rows), factor=self.rate_factor(model)),
            measure_dev=lambda candidate: measure(candidate, task, prompt_fn, dev),
            dev_rows=encode_rows(model, dev, prompt_fn),
            halving=self.halving,
            before_step=self.before_step(model, rows, prompt_fn),
            seed=seed,
        )
        spend += replace(tuned.spend, labelled_examples=len(dev))
        metadata = {**metadata, **tuned.metadata, "dev_examples": len(dev)}
        return Elicited(model=tuned.model, prompt_fn=prompt_fn, spend=spend, history=tuned.history, metadata=metadata)

    def before_step(self, model: "Model", rows: Sequence[Example], prompt_fn: PromptFunction) -> "BeforeStep | None":
        """What is to be noted of each batch before it is learned from."""
        return None

    def labelled(
        self, model: "Model", task: Task, examples: int, seed: int
    ) -> tuple[tuple[Example, ...], Spend, dict[str, Any]]:
        """Rows to learn from, what their labels cost, and where these came from if not from the task."""
        rows = self.rows(task, "train", examples, seed=seed)
        if self.labels_from is None:
            return rows, Spend(labelled_examples=len(rows)), {}
        from educe.train.weak_labels import label_by

        weak = label_by(self.labels_from, model, task, rows, prompt_config=replace(self.prompt_config, template="auto"))
        metadata = {
            "labels_from": self.demonstrator.name if self.demonstrator else "",
            "labels_right": f"{weak.right:.4f}",
            "labels_left_out": len(rows) - len(weak.examples),
        }
        return weak.examples, weak.spend, metadata

    def rows(self, task: Task, split: Split, count: int, *, seed: int) -> tuple[Example, ...]:
        """Rows of a split, labels as they are or drawn at random."""
        return relabel(task.draw(split, count, seed=seed), share=self.random_labels, seed=seed)

    @cached_property
    def demonstrator(self) -> Source | None:
        """The model that labels come from. UserError where there is none of that name."""
        return find_source(self.labels_from) if self.labels_from is not None else None

    def settings(self) -> dict[str, Any]:
        """The demonstrator as its weights, wherever they lie."""
        identity = {"labels_from": self.demonstrator.identity} if self.demonstrator else {}
        return super().settings() | identity

    def rate_factor(self, model: "Model") -> float:
        """What the learning rate is multiplied with on this model."""
        return 1.0

    def schedules(self, examples: int, *, factor: float = 1.0) -> list["Schedule"]:
        """How a run on so many rows may proceed, by learning rates and epochs."""
        from educe.train.schedule import Schedule

        return [
            Schedule(
                learning_rate=rate,
                rate_factor=factor,
                steps=steps,
                batch_size=self.batch_size,
                precision=self.precision,
                once=self.once,
                accumulate=self.accumulate,
                checkpoint_activations=self.checkpoint_activations,
                patience=self.patience,
            )
            for steps in self.steps(examples)
            for rate in as_tuple(self.learning_rate)
        ]

    @property
    def num_candidates(self) -> int:
        """How many schedules there are to choose from."""
        return len(as_tuple(self.learning_rate)) * len(as_tuple(self.epochs))

    def beyond_plain(self) -> dict[str, str]:
        """What to change for one schedule that runs to its end on the task's own labels, by setting."""
        listed = {name: getattr(self, name) for name in ("learning_rate", "epochs")}
        given = {name: getattr(self, name) for name in ("halving", "patience", "labels_from", "random_labels")}
        return {
            name: f"give one {name} in place of {list(values)}"
            for name, values in listed.items()
            if len(as_tuple(values)) > 1
        } | {name: f"drop {name} = {value}" for name, value in given.items() if value}

    @property
    def reads_dev(self) -> bool:
        """To choose a schedule, or when to stop."""
        return self.num_candidates > 1 or self.patience > 0

    def workload(self, task: Task, examples: int) -> Workload:
        """Every candidate answers all dev rows, and early stopping reads them after every pass."""
        trained = self.training_rows(examples)
        tried = (2 if self.halving else 1) * self.num_candidates if self.num_candidates > 1 else 0
        looks = math.ceil(trained / examples) if self.patience else 0
        return Workload(
            training_rows=trained,
            scored_rows=(tried + looks) * self.dev_examples,
            demonstrator=self.demonstrator,
            demonstrated_rows=examples if self.demonstrator else 0,
            prompt_configs=(self.prompt_config,),
        )

    def training_rows(self, examples: int) -> int:
        """Rows of every candidate schedule to its end; under halving a rung is about as long as one run."""
        steps = self.steps(examples)
        rates, size = len(as_tuple(self.learning_rate)), min(self.batch_size, examples)
        if not self.halving:
            return rates * sum(steps) * size
        rungs = math.ceil(math.log2(self.num_candidates))
        return (1 + rungs) * math.ceil(sum(steps) / len(steps)) * size

    def steps(self, examples: int) -> list[int]:
        """Batches of a run on `examples` rows, for each of the epochs."""
        seen = [max(examples, min(epochs * examples, self.passes)) for epochs in as_tuple(self.epochs)]
        return [math.ceil(rows / min(self.batch_size, examples)) for rows in seen]
