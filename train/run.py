"""Run: one fine-tune as it was asked for, and its state while it trains, alone or beside others."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from accelerate import Accelerator

from educe.eval.details import Details, TrainingDetails
from educe.eval.model.flops import training_flops
from educe.eval.model.model import Model, digest
from educe.eval.progress import report_step
from educe.eval.spend import Spend
from educe.train.attach import Trainable, check_weights_moved
from educe.train.cohort import Cohort
from educe.train.divergence import DivergenceGuard
from educe.train.early_stopping import EarlyStopping
from educe.train.encode import TrainingRow
from educe.train.engine import Engine
from educe.train.loss import AnswerLoss, Packed, executed_reading_flops, reading_flops
from educe.train.options import OptionsRow
from educe.train.preference import PreferenceRow
from educe.train.schedule import Schedule, batches

AnyRow = TrainingRow | PreferenceRow | OptionsRow
BeforeStep = Callable[[Model, Sequence[AnyRow]], Mapping[str, int | float]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Rows to learn from, what trains, how, and the seed of its first values and of the order of the rows.

    Its steps are reported as those of the `cell` at this place among the cells that train together, under the name of a
    `candidate` where the cell chooses among several runs.
    """

    rows: Sequence[AnyRow]
    trainable: Trainable
    schedule: Schedule
    seed: int
    dev_rows: Sequence[TrainingRow] = ()  # early stopping measures its loss on them
    cell: int = 0
    candidate: str = ""

    def stacks_with(self, other: "Run") -> bool:
        """Whether both can train in the same passes."""
        changes = self.trainable.stacks_as, other.trainable.stacks_as
        return None not in changes and (changes[0], self.schedule.shared) == (changes[1], other.schedule.shared)

    @property
    def read(self) -> Sequence[AnyRow]:
        """Every row that it reads."""
        return [*self.rows, *(self.dev_rows if self.schedule.patience else ())]


class Training:
    """A run while it trains: its batches, its record, and what it has cost so far.

    `place` is its place among the runs of its cohort. Every process of a launch takes the same steps.
    """

    def __init__(
        self, run: Run, place: int, cohort: Cohort, engine: Engine, accelerator: Accelerator, *, shared: int
    ) -> None:
        self.place = place
        self.model = cohort.models[place]
        read: list[Any] = [row.with_prefix(self.model.prefix) for row in run.read]
        self.rows: Sequence[Any] = read[: len(run.rows)]
        self.done = False
        self._dev_rows: Sequence[Any] = read[len(run.rows) :]
        self._run, self._schedule = run, run.schedule
        self._engine = engine
        self._processes = accelerator.num_processes
        self._shared = shared
        self._started = time.perf_counter()
        self._before = digest(self.model)
        self._batches = batches(self.rows, schedule=run.schedule, seed=run.seed)
        self._batch: Sequence[AnyRow] = ()
        self._texts: list[TrainingRow] = []
        self._reference_packs: Sequence[Packed] = ()  # what a preference loss read of the untrained model
        self._stopping = EarlyStopping(
            self.model,
            self._dev_rows,
            run.schedule,
            accelerator,
            shared=shared,
            rows_per_pass=len(self.rows),
            read_as_now=partial(cohort.read_as, place),
        )
        self._guard = DivergenceGuard(self.model, run.schedule, accelerator)
        self.history: list[dict[str, int | float]] = []

    def read_reference(self, loss_of: AnswerLoss) -> None:
        """Read what the loss needs of the untrained model, which is charged."""
        loss_of.read_reference(self.rows, batch_size=self._schedule.batch_size)
        self._reference_packs, loss_of.packed = loss_of.packed, []

    def begin(self, before_step: BeforeStep | None) -> Sequence[AnyRow]:
        """The batch of the next step; what `before_step` says of it goes into the step's record."""
        self._batch = next(self._batches)
        self._texts += [part for row in self._batch for part in row.parts]
        noted = before_step(self.model, self._batch) if before_step else {}
        self.history.append(dict(noted))
        return self._batch

    @property
    def rate(self) -> float:
        """The learning rate of the step that has begun."""
        return self._schedule.rate(len(self.history) - 1)

    def check(self, loss: float) -> None:
        """Diverged where the loss of the step that has begun is not finite; otherwise its weights are good."""
        ids = [row.id for row in self._batch]
        self._guard.check_loss(loss, step=len(self.history) - 1, ids=ids, spent=self.spend)

    def end(self, loss: float, noted: Mapping[str, float]) -> None:
        """Record the step that was made, with what the loss noted of it. Diverged where the weights are not finite."""
        step = len(self.history) - 1
        labels = sum(part.supervised for row in self._batch for part in row.parts)
        record = {"step": step, "loss": loss, "learning_rate": self.rate, "supervised_tokens": labels}
        self.history[-1] = {**record, **self.history[-1], **noted}
        last = step + 1 == self._schedule.steps
        if last:
            self._guard.check_weights(self._engine.weights_are_finite(self.place), step=step, spent=self.spend)
        self.history[-1] |= self._stopping.after_step(step, num_rows=len(self._batch))
        report_step(self.history[-1], training=self._run.candidate, cell=self._run.cell)
        self.done = last or self._stopping.out_of_patience

    def close(self, precision: str) -> Details:
        """Go back to the weights that early stopping found best, and say how training went.

        UserError where no weight moved: a run that taught nothing must not pass for one that elicited nothing.
        """
        steps_kept = self._stopping.restore()
        rate = self._schedule.learning_rate
        check_weights_moved(self.model, self._before, steps=len(self.history), learning_rate=rate)
        details = TrainingDetails(
            precision=precision,
            processes=self._processes,
            pieces=self._engine.pieces,
            checkpoint_activations=self._schedule.checkpoint_activations,
            shared_prefix_tokens=self._shared,
            steps_made=None if steps_kept is None else len(self.history),
            steps_kept=steps_kept,
            dev_examples=len(self._dev_rows),
        )
        return Details(training=details)

    def spend(self) -> Spend:
        """What training has cost, with the reading of all rows that a preference loss does first.

        The seconds are the run's share of its cohort's, by what was computed for it.
        """
        change = self.model.change
        assert change is not None
        reference = [text for row in self.rows for text in row.parts] if self._reference_packs else []
        trained = [
            training_flops(self.model.shape, len(text.ids) - 1, scored=text.supervised, trained=change.part)
            for text in self._texts
        ]
        return self._stopping.spend() + Spend(
            labelled_examples=len(self.rows),
            training_tokens=sum(len(text.ids) - 1 for text in self._texts),
            train_flops=reading_flops(self.model, reference) + sum(trained),
            executed_train_flops=self._engine.executed_flops(self.place)
            + executed_reading_flops(self.model, self._reference_packs),
            trainable_parameters=change.trainable_parameters,
            seconds=(time.perf_counter() - self._started) * self._engine.share(self.place),
        )
