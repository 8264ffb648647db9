"""Method: a recipe's settings, validated, and the call that elicits.

A new recipe is one file with a subclass of Method and one entry in recipes/catalog.py.
"""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.format import AnswerAs
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measurement import Role
from educe.eval.model.source import Source
from educe.eval.prompting.prompts import PromptConfig, Template, is_native
from educe.eval.spend import Spend
from educe.recipes.validation import validated

if TYPE_CHECKING:  # planning and validating a study loads no torch
    from educe.eval.measure import Solver
    from educe.eval.model.model import Model

Value = TypeVar("Value")
# How many labelled rows a recipe may read: the examples of the study, its own setting of that name, or no rows.
Budget = Literal["examples", "shots", "pool", "none"]


@dataclass(frozen=True, kw_only=True)
class Elicited:
    """What a method returns to be measured: a model (perhaps with an adapter), prompts, a solver, and the spend.

    Without a `solver`, each item is prompted once and the likeliest option or the greedy text is the answer.
    """

    model: "Model"
    prompt_fn: PromptFunction
    solver: "Solver | None" = None
    spend: Spend = field(default_factory=Spend)
    history: tuple[Mapping[str, int | float], ...] = ()
    details: Details = field(default_factory=Details)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How much a recipe asks of a model for one task and budget, for planning; the sum of two is that of both.

    Rows are numbers of texts that pass through the model: `training_rows` in training, search included; `scored_rows`
    are read or answered to choose or to learn; `sampled_rows` are answers written to learn from; `demonstrated_rows`
    are answered by another model, the `demonstrator`. `instructions` are trained on in place of the task's rows.
    `shared_training` identifies a training that serves every task of a study. A test item is prompted
    `prompts_per_item` times after `shots` demonstrations, and each time at most `generated_tokens` are written beside
    what its task allows. `prompt_configs` are all that the recipe uses, the final one last; none where it prompts no
    model.
    """

    training_rows: int = 0
    instructions: tuple[Instruction, ...] = ()
    shared_training: str | None = None
    scored_rows: int = 0
    sampled_rows: int = 0
    demonstrated_rows: int = 0
    demonstrator: Source | None = None
    shots: int = 0
    prompts_per_item: float = 1.0
    generated_tokens: int = 0
    prompt_configs: tuple[PromptConfig, ...] = ()

    def __add__(self, other: "Workload") -> "Workload":
        """Training and then prompting: rows add up; what describes the final prompt is the larger of both."""
        return Workload(
            training_rows=self.training_rows + other.training_rows,
            instructions=self.instructions + other.instructions,
            shared_training=self.shared_training or other.shared_training,
            scored_rows=self.scored_rows + other.scored_rows,
            sampled_rows=self.sampled_rows + other.sampled_rows,
            demonstrated_rows=self.demonstrated_rows + other.demonstrated_rows,
            demonstrator=self.demonstrator or other.demonstrator,
            shots=max(self.shots, other.shots),
            prompts_per_item=max(self.prompts_per_item, other.prompts_per_item),
            generated_tokens=max(self.generated_tokens, other.generated_tokens),
            prompt_configs=self.prompt_configs + other.prompt_configs,
        )


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One cell of a recipe, as its method sees it: with these settings, on so many examples, drawn with this seed."""

    method: "Method"
    examples: int
    seed: int


class Method(BaseModel):
    """How to elicit, with its settings.

    `template` to `prefill` are a PromptConfig (eval/prompting/prompts.py). A subclass declares its `role` and its
    `budget`, and unsets `seeded` when the seed changes nothing. One that `rewords` changes questions or formats, so it
    has no native form. `presets` are recipes of the same class under other names, with the settings whose defaults
    differ. `runtime_settings` fit a run to its machine and change results by rounding at most: they are not part of a
    cell, and what was done is recorded beside the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: ClassVar[Role] = "prompting"
    budget: ClassVar[Budget] = "none"
    seeded: ClassVar[bool] = True
    rewords: ClassVar[bool] = False
    runtime_settings: ClassVar[frozenset[str]] = frozenset()
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    # Of the file of a recipe that is not of this package, set where it is found.
    source_sha256: ClassVar[str] = ""

    template: Template = "auto"
    answer_as: AnswerAs | None = None
    format: dict[str, str | int] | None = None
    system: str = ""
    phrase: str = ""
    prefill: str = ""

    @field_validator("format")
    @classmethod
    def _none_if_empty(cls, given: dict[str, str | int] | None) -> dict[str, str | int] | None:
        return given or None  # both are the same cell

    @classmethod
    def read(cls, name: str, settings: Mapping[str, Any]) -> Self:
        """The recipe of this name with these settings. UserError for an unknown setting or a wrong value."""
        given = {**cls.presets.get(name, {}), **settings}
        made = validated(cls, given, what=f"recipe {name!r}", known=cls.model_fields)
        for key, value in given.items():
            if _has_bool(value) and not _has_bool(getattr(made, key)):  # pydantic takes true for 1
                raise UserError(f"recipe {name!r}: {key} = {value!r} is true or false; give a number")
        return made

    @abstractmethod
    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Elicit with at most `examples` labelled rows of the train split, drawn with the seed."""

    @property
    def cohort(self) -> Hashable:
        """Cells of one model and task whose recipes have the same here are elicited `together`; None is one by one."""
        return None

    @classmethod
    def together(cls, model: "Model", task: Task, draws: Sequence[Draw]) -> list[Callable[[], Elicited]]:
        """Elicit for several cells at once: for each, what puts its result on the model, or raises its UserError.

        Called inside `temporary_changes`, and so is each of the functions.
        """
        return [partial(each.method, model, task, examples=each.examples, seed=each.seed) for each in draws]

    @property
    def prompt_config(self) -> PromptConfig:
        named = {name: str(value) for name, value in self.format.items()} if self.format else None
        return PromptConfig(
            template=self.template,
            answer_as=self.answer_as,
            format=named,
            system=self.system,
            phrase=self.phrase,
            prefill=self.prefill,
        )

    @property
    def analysed_as(self) -> Role:
        """The role of its results in an analysis, where a setting decides it."""
        return self.role

    @property
    def size_settings(self) -> tuple[str, ...]:
        """The settings that decide how many parameters train."""
        return ()

    @property
    def budget_setting(self) -> str | None:
        """The setting that is the budget, where the recipe has one."""
        return self.budget if self.budget in ("shots", "pool") else None

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The numbers of labelled rows that this method has a cell for, in a study with these `examples`."""
        if self.budget == "examples":
            return tuple(examples)
        return (getattr(self, self.budget_setting),) if self.budget_setting else (0,)

    def rows_task(self, task: Task) -> Task:
        """The task whose rows it learns from. UserError where a setting names an unknown one."""
        return task

    @property
    def takes_examples(self) -> bool:
        """Whether it has a cell for each of a study's `examples`."""
        return not self.budgets(())

    def check(self, task: Task, *, examples: int) -> None:
        """UserError where the task cannot serve this budget; called before anything runs."""
        if self.rewords and is_native(self.template):
            raise UserError(f"template: {self.template} is a text of its own, and this recipe changes texts; drop it")
        held = len(task.rows["train"])
        if examples > held:
            lacks = f" ({task.lacks})" if task.lacks else ""
            raise UserError(
                f"task {task.name!r} holds {held} train rows{lacks} and {examples} were asked for"
                f"; use at most {held} {'rows in the pool' if self.budget == 'pool' else self.budget}"
            )

    def workload(self, task: Task, examples: int) -> Workload:
        """How much this budget asks of a model, for planning."""
        return Workload(prompt_configs=(self.prompt_config,))

    @property
    def reads_dev(self) -> bool:
        """Whether something is chosen on dev rows, so that the recipe cannot be scored on them."""
        return False

    def plain_settings(self) -> dict[str, Any]:
        """Every setting that may change results, as plain values; the recipe's own come first."""
        plain = self.model_dump(mode="json", exclude=set(self.runtime_settings))
        own = type(self).__annotations__
        return dict(sorted(plain.items(), key=lambda setting: setting[0] not in own))

    def settings(self) -> dict[str, Any]:
        """The same with what the values stand for, such as the hash of a file: what identifies a cell."""
        own = {"source_sha256": self.source_sha256} if self.source_sha256 else {}
        return self.plain_settings() | own

    def changed(self, name: str) -> dict[str, Any]:
        """The settings that differ from the defaults of the recipe of this name."""
        default = type(self).read(name, {}).plain_settings()
        return {key: value for key, value in self.plain_settings().items() if default.get(key, ...) != value}

    def label(self, name: str) -> str:
        """The recipe under its name with the settings that differ from the defaults, for people."""
        changed = self.changed(name)
        return f"{name}({', '.join(f'{key}={_plain(value)}' for key, value in changed.items())})" if changed else name


class AfterShots(Method):
    """A recipe that prompts with `shots` demonstrations, which are its budget."""

    budget: ClassVar[Budget] = "shots"

    shots: int = Field(default=0, ge=0)

    def workload(self, task: Task, examples: int) -> Workload:
        return replace(super().workload(task, examples), shots=self.shots)


def check_dev(task: Task, count: int, *, setting: str = "dev_examples") -> None:
    """UserError where the task holds fewer dev rows than a setting asks for."""
    held = len(task.rows["dev"])
    if count > held:
        raise UserError(f"task {task.name!r} holds {held} dev rows; set {setting} to at most {held}")


def as_tuple(values: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    """A setting that may be one value or several, as a tuple."""
    return values if isinstance(values, tuple) else (values,)


def _has_bool(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_has_bool, value)))


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
