"""Supervised fine-tuning on labelled rows from the test's own distribution, whatever of the model trains."""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, SerializeAsAny

from educe.data.errors import RunStopped, UserError, did_you_mean, raise_error
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measure import measure
from educe.eval.measurement import Role
from educe.eval.model.encode import encode_prompt
from educe.eval.model.model import Model
from educe.eval.spend import Spend
from educe.recipes.method import Draw, Elicited, Workload, as_tuple, check_dev, validated
from educe.recipes.training.lessons import FromLabels
from educe.recipes.training.presets import PRESETS
from educe.recipes.training.settings import Epochs, Rate
from educe.train.changes.catalog import CHANGES
from educe.train.changes.kind import ChangeKind
from educe.train.changes.peft import Lora
from educe.train.choose import Search, fine_tune_best
from educe.train.encode import encode_rows
from educe.train.random_init import Unsaved, randomly_initialized
from educe.train.schedule import Schedule
from educe.train.sft import Tuned


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A cell before it trains: its search, and what its labels cost."""

    model: Model
    search: Search
    prompt_fn: PromptFunction
    spend: Spend
    details: Details

    def elicited(self, put_on: Callable[[], Tuned]) -> Elicited:
        tuned = put_on()
        return Elicited(
            model=tuned.model,
            prompt_fn=self.prompt_fn,
            spend=self.spend + replace(tuned.spend, labelled_examples=0),
            history=tuned.history,
            details=self.details | tuned.details,
        )


class FineTune(FromLabels):
    """Fine-tuning of `change` on n labelled examples; presets.py names the usual changes.

    Each row is seen `epochs` times, or as often as `max_examples_seen` rows in all allow, and at least once. Several
    `learning_rate`s or `epochs` are chosen among on `dev_examples` rows of the dev split, which are charged, as is the
    search: every combination in full, or by `halving`. With `patience`, a run ends after so many passes without a new
    lowest loss on these rows, and goes back to the lowest. With `random_init` the same architecture learns from weights
    drawn anew: a control that knows nothing beforehand. It saves no adapter. What the labels are: `FromLabels`.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    change: SerializeAsAny[ChangeKind] = Lora()
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 5e-4
    epochs: Epochs | Annotated[tuple[Epochs, ...], Field(min_length=1)] = 8
    max_examples_seen: int = Field(default=256, ge=1)
    dev_examples: int = Field(default=0, ge=0)
    halving: bool = False
    patience: int = Field(default=0, ge=0)
    random_init: bool = False

    @classmethod
    def read(cls, name: str, settings: Mapping[str, Any]) -> "FineTune":
        """The settings of the change may stand beside the others: `{iid_sft: {rank: 4, epochs: 2}}`."""
        what = f"recipe {name!r}"
        preset = {key: value for key, value in PRESETS.get(name, {}).items() if key != "description"}
        if "change" in preset and "change" in settings:
            raise UserError(f"{what}: its change is {next(iter(preset['change']))!r}; use fine_tune for another change")
        written = {"change": {"lora": {}}} | preset | dict(settings)
        kind, own = _named(written.pop("change"), what=what)
        known = {**CHANGES[kind].model_fields, **cls.model_fields}
        own |= {key: written.pop(key) for key in list(written) if key in CHANGES[kind].model_fields}
        change = validated(CHANGES[kind], own, what=what, known=known)
        return validated(cls, {**written, "change": change}, what=what, known=known)

    @property
    def analysed_as(self) -> Role:
        return "control" if self.random_init or self.random_labels == 1 else self.role

    @property
    def size_settings(self) -> tuple[str, ...]:
        return self.change.size_settings

    def plain_settings(self) -> dict[str, Any]:
        """Flat, with those of the change first. `random_init` is among them where it is set, and easily seen."""
        (kind,) = (name for name, made in CHANGES.items() if made is type(self.change))
        plain = super().plain_settings()
        control = {"random_init": True} if plain.pop("random_init") else {}
        return {"change": kind, **control, **plain.pop("change"), **plain}

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses dev rows that are missing or not read, and choices and labels that make no sense."""
        self.check_rows(task, examples=examples)
        self._check_choice(examples)
        check_dev(self.rows_task(task), self.dev_examples)

    def _check_choice(self, examples: int) -> None:
        if self.reads_dev and not self.dev_examples:
            what = f"patience = {self.patience}" if self.patience else f"a choice of {self.num_candidates} schedules"
            raise UserError(f"{what} needs dev rows; set dev_examples")
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
                raise UserError(f"{name} = {list(values)} lists a value twice; list it once")
        if len(set(self.steps(examples))) < len(as_tuple(self.epochs)):
            raise UserError(
                f"epochs {list(as_tuple(self.epochs))} are the same run on {examples} examples with max_examples_seen ="
                f" {self.max_examples_seen}; raise it or list fewer epochs"
            )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        (elicit,) = self.together(model, task, [Draw(method=self, examples=examples, seed=seed)])
        return elicit()

    @property
    def cohort(self) -> Hashable:
        """Cells of one model and task train together where this is equal: sizes, seeds, rates and labels may differ."""
        if self.random_init or self.change.stacks_as is None:
            return None
        prompts = repr((self.prompt_config, self.context, self.rows_from))
        return type(self), prompts, self.change.stacks_as, self.schedule(learning_rate=1.0, steps=1)

    @classmethod
    def together(cls, model: Model, task: Task, draws: Sequence[Draw]) -> list[Callable[[], Elicited]]:
        prepared: list[_Prepared | UserError] = []
        for place, draw in enumerate(draws):
            assert isinstance(draw.method, FineTune)
            try:
                prepared.append(draw.method._prepare(model, task, draw, place))
            except RunStopped:
                raise
            except UserError as error:
                prepared.append(error)
        ready = [each for each in prepared if isinstance(each, _Prepared)]
        tuned = iter(fine_tune_best(ready[0].model, [each.search for each in ready]) if ready else ())
        return [
            partial(each.elicited, next(tuned)) if isinstance(each, _Prepared) else partial(raise_error, each)
            for each in prepared
        ]

    def _prepare(self, model: Model, task: Task, draw: Draw, place: int) -> "_Prepared":
        """What is trained on, and how, for the cell at this place."""
        started, seed = time.perf_counter(), draw.seed
        learned = self.lessons(model, task, examples=draw.examples, dev_examples=self.dev_examples, seed=seed)
        rows, dev, prompt_fn = learned.rows, learned.dev, learned.prompt_fn
        if self.random_init:
            model = randomly_initialized(model, seed=seed)
        change = self.change.for_prompts(model, lambda: encode_prompt(model, learned.asked(task.rows["train"][0])))
        search = Search(
            rows=encode_rows(model, rows, prompt_fn),
            trainable=Unsaved(change) if self.random_init else change,
            schedules=self.schedules(len(rows), rate_factor=change.rate_factor(model)),
            measure_dev=lambda candidate: measure(candidate, learned.task, prompt_fn, dev),
            dev_rows=encode_rows(model, dev, prompt_fn),
            halving=self.halving,
            seed=seed,
            cell=place,
        )
        spend = learned.spend + Spend(seconds=time.perf_counter() - started)
        return _Prepared(model=model, search=search, prompt_fn=learned.asked, spend=spend, details=learned.details)

    def schedules(self, examples: int, *, rate_factor: float = 1.0) -> list[Schedule]:
        """How a run on so many rows may proceed, by epochs and learning rates."""
        return [
            replace(self.schedule(learning_rate=rate, steps=steps), rate_factor=rate_factor, patience=self.patience)
            for steps in self.steps(examples)
            for rate in as_tuple(self.learning_rate)
        ]

    def steps(self, examples: int) -> list[int]:
        """Batches of a run on `examples` rows, for each of the epochs."""
        return [
            self.num_steps(examples, epochs=epochs, max_examples_seen=self.max_examples_seen)
            for epochs in as_tuple(self.epochs)
        ]

    @property
    def num_candidates(self) -> int:
        """How many schedules there are to choose from."""
        return len(as_tuple(self.learning_rate)) * len(as_tuple(self.epochs))

    @property
    def reads_dev(self) -> bool:
        return self.num_candidates > 1 or self.patience > 0

    def workload(self, task: Task, examples: int) -> Workload:
        """Every candidate answers all dev rows, and early stopping reads them after every pass.

        Every candidate schedule runs to its end; under halving a rung is about as long as one run.
        """
        steps = self.steps(examples)
        size = min(self.batch_size, examples)
        trained = len(as_tuple(self.learning_rate)) * sum(steps) * size
        if self.halving:
            rungs = math.ceil(math.log2(self.num_candidates))
            trained = (1 + rungs) * math.ceil(sum(steps) / len(steps)) * size
        tried = (2 if self.halving else 1) * self.num_candidates if self.num_candidates > 1 else 0
        looks = math.ceil(trained / examples) if self.patience else 0
        return Workload(
            training_rows=trained,
            scored_rows=(tried + looks) * self.dev_examples,
            demonstrator=self.demonstrator,
            demonstrated_rows=examples if self.demonstrator else 0,
            shots=self.num_shown,
            prompt_configs=((self.shown or self).prompt_config,),
        )


def _named(change: Any, *, what: str) -> tuple[str, dict[str, Any]]:
    """The kind of a change and its settings, from `ia3` or `{ia3: {layers: [0]}}`."""
    if isinstance(change, str):
        change = {change: None}
    if not isinstance(change, Mapping) or len(change) != 1:
        raise UserError(
            f"{what}: change = {change!r} should be one name with its settings, as in {{lora: {{rank: 8}}}}"
        )
    ((kind, settings),) = change.items()
    if kind not in CHANGES:
        raise UserError(f"{what}: unknown change {kind!r}; {did_you_mean(str(kind), CHANGES)}")
    if not isinstance(settings, Mapping | None):
        raise UserError(f"{what}: settings {settings!r} of change {kind!r} should be a mapping, as in {{rank: 8}}")
    return kind, dict(settings or {})
