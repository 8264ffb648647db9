"""Method: a recipe's settings, validated, and the call that elicits.

A new recipe is one file with a subclass of Method and one entry in recipes/catalog.py.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.format import AnswerAs
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.measurement import Role
from educe.eval.model.source import Source
from educe.eval.prompting.prompts import PromptConfig, Template
from educe.eval.spend import Spend

if TYPE_CHECKING:  # planning and validating a study loads no torch
    from educe.eval.measure import Solver
    from educe.eval.model.model import Model

Value = TypeVar("Value")
# How many labelled rows a recipe may read: the examples of the study, its own setting of that name, or no rows.
Budget = Literal["examples", "shots", "pool", "none"]


@dataclass(frozen=True, kw_only=True)
class Elicited:
    """What a method hands over to be measured: a model (perhaps with an adapter), a way to ask it, and the spend.

    `solver` says how items are answered, if not by asking once and taking the likeliest option or the greedy text.
    """

    model: "Model"
    prompt_fn: PromptFunction
    solver: "Solver | None" = None
    spend: Spend = field(default_factory=Spend)
    history: tuple[Mapping[str, int | float], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    details: Details = field(default_factory=Details)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How much a recipe asks of a model for one task and budget, for planning; the sum of two is that of both.

    Rows pass through the model: `training_rows` in training, search included; `scored_rows` are answered or read beside
    it, to choose or to learn; `sampled_rows` are answers written to learn from; `demonstrated_rows` are answered by
    another model, the `demonstrator`. `instructions` are trained on in place of the task's rows, and `shared_training`
    tells one training from another where one serves every task of a study. A test item is asked
    `prompts_per_item` times, after `shots` demonstrations, and each time at most `generated_tokens` are written beside
    what its task allows. `prompt_configs` are all ways that the model is prompted, the final one last.
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
        """Training and then prompting: rows add up, what describes the final prompt is the larger."""
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


class Method(BaseModel):
    """How to elicit, with its settings.

    `template` to `prefill` are a PromptConfig (eval/prompting/prompts.py). A subclass declares its `role` and its
    `budget`, and unsets `seeded` when the seed changes nothing. `size_settings` decide how many parameters
    train. `runtime_settings` fit a run to its machine and change results by rounding at most: they are not part of a
    cell, and what was done is recorded beside the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: ClassVar[Role] = "prompting"
    budget: ClassVar[Budget] = "none"
    size_settings: ClassVar[tuple[str, ...]] = ()
    seeded: ClassVar[bool] = True
    runtime_settings: ClassVar[frozenset[str]] = frozenset()

    template: Template = "auto"
    answer_as: AnswerAs | None = None
    format: dict[str, str | int] | None = None
    system: str = ""
    phrase: str = ""
    prefill: str = ""

    @field_validator("format")
    @classmethod
    def _nothing_said(cls, given: dict[str, str | int] | None) -> dict[str, str | int] | None:
        return given or None  # a format that says nothing is no other cell

    @abstractmethod
    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Elicit with at most `examples` labelled rows of the train split, drawn with the seed."""

    @property
    def prompt_config(self) -> PromptConfig:
        """How the model is asked."""
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
    def budget_setting(self) -> str | None:
        """The setting that is the budget, where the recipe has one."""
        return self.budget if self.budget in ("shots", "pool") else None

    def budgets(self, examples: Sequence[int]) -> tuple[int, ...]:
        """The numbers of labelled rows that this method has a cell for, in a study with these `examples`."""
        if self.budget == "examples":
            return tuple(examples)
        return (getattr(self, self.budget_setting),) if self.budget_setting else (0,)

    def check(self, task: Task, *, examples: int) -> None:
        """UserError where the task cannot serve this budget; called before anything runs."""
        held = len(task.rows["train"])
        if examples > held:
            raise UserError(
                f"task {task.name!r} holds {held} train rows and {examples} were asked for"
                f"; use at most {held} {'rows in the pool' if self.budget == 'pool' else self.budget}"
            )

    def workload(self, task: Task, examples: int) -> Workload:
        """What this budget asks of a model, for planning."""
        return Workload(
            training_rows=self.rows_trained(examples),
            instructions=tuple(self.instruction_rows),
            shared_training=self.shared_training,
            scored_rows=self.rows_asked(examples),
            sampled_rows=self.rows_sampled(examples),
            demonstrator=(self.demonstrations(examples) or (None, 0))[0],
            demonstrated_rows=(self.demonstrations(examples) or (None, 0))[1],
            shots=self.num_shots,
            prompts_per_item=self.asks_per_item,
            generated_tokens=self.tokens_written,
            prompt_configs=self.prompt_configs,
        )

    @property
    def reads_dev(self) -> bool:
        """Whether something is chosen on dev rows, which must not be what it is scored on."""
        return False

    @property
    def num_shots(self) -> int:
        """Demonstrations in every prompt."""
        return 0

    def rows_trained(self, examples: int) -> int:
        """Rows that a run on `examples` labelled rows passes through the model, search included."""
        return 0

    def rows_asked(self, examples: int) -> int:
        """Rows that a run answers or reads beside training, to choose among its candidates for one."""
        return 0

    def demonstrations(self, examples: int) -> tuple[Source, int] | None:
        """Another model whose answers it learns from, and how many."""
        return None

    def rows_sampled(self, examples: int) -> int:
        """Answers that a run writes in order to learn from them."""
        return 0

    @property
    def instruction_rows(self) -> Sequence[Instruction]:
        """What it learns from in place of the task's own rows."""
        return ()

    @property
    def asks_per_item(self) -> float:
        """How often a test item is asked, on average."""
        return 1.0

    @property
    def tokens_written(self) -> int:
        """Tokens written each time that an item is asked, beside what its task allows, at most."""
        return 0

    @property
    def shared_training(self) -> str | None:
        """What tells one training from another, where one serves every task of a study."""
        return None

    @property
    def prompt_configs(self) -> tuple[PromptConfig, ...]:
        """Every way that the model is asked, the final one last."""
        return (self.prompt_config,)

    def settings(self) -> dict[str, Any]:
        """Every setting that is meant to change results, defaults included, as plain values."""
        return self.model_dump(mode="json", exclude=set(self.runtime_settings))

    def changed(self) -> dict[str, Any]:
        """Those of the settings that differ from the defaults."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set(self.runtime_settings))

    def label(self, name: str) -> str:
        """The recipe under its name with the settings that differ from the defaults, for people."""
        own = type(self).__annotations__  # what is particular to the recipe comes first
        changed = sorted(self.changed().items(), key=lambda setting: setting[0] not in own)
        return f"{name}({', '.join(f'{key}={_plain(value)}' for key, value in changed)})" if changed else name


class AfterShots(Method):
    """A recipe that prompts with `shots` demonstrations, which are its budget."""

    budget: ClassVar[Budget] = "shots"

    shots: int = Field(default=0, ge=0)

    @property
    def num_shots(self) -> int:
        """The shots."""
        return self.shots


def check_dev(task: Task, count: int, *, setting: str = "dev_examples") -> None:
    """UserError where the task holds fewer dev rows than a setting asks for."""
    held = len(task.rows["dev"])
    if count > held:
        raise UserError(f"task {task.name!r} holds {held} dev rows; set {setting} to at most {held}")


def as_tuple(values: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    """A setting that may be one value or several, as a tuple."""
    return values if isinstance(values, tuple) else (values,)


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)
