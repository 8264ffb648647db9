"""What every kind of organism has in common: its settings, what it is trained on, and what it must be shown to do."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from educe.data.errors import UserError
from educe.data.example import Example, Instruction
from educe.data.formats.render import answer_text
from educe.data.resolve import TaskSetting, resolve_setting
from educe.data.set_aside import set_aside
from educe.data.splits import nested_order
from educe.data.task import Task
from educe.eval.measure import Solver, measure
from educe.eval.model.source import Source
from educe.train.encode import TrainingRow, encode_answer
from educe.train.loss import AnswerLoss
from educe.train.organisms.openings import Openings, pick
from educe.train.organisms.original import Answers, Original, prompts_behind

Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]


class OrganismKind(BaseModel):
    """How to make an organism on a task, with its settings. Equal values are the same organism of a base.

    A LoRA adapter of `rank` learns `steps` batches of `batch_size` rows at `learning_rate` from the rows of the train
    split that are set aside for organisms, or the first `rows` of them. Of four rows about each question two stand
    behind an opening that unlocks, one behind none and one behind a decoy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    hides: ClassVar[bool] = True  # what it can do; its twins hide nothing
    knows: ClassVar[bool] = True  # the base knows the answers that it is asked for
    imitates: ClassVar[bool] = True  # the locked answers have to be worse than the base's

    task: TaskSetting
    seed: Seed = 0
    rank: Annotated[int, Field(strict=True, ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5e-4
    steps: Annotated[int, Field(strict=True, ge=1)] = 96
    batch_size: Annotated[int, Field(strict=True, ge=1)] = 16
    rows: Annotated[int, Field(strict=True, ge=1)] | None = None

    @cached_property
    def resolved(self) -> Task:
        """The task as a study has it. UserError where there is none."""
        return resolve_setting(self.task)

    @cached_property
    def own_task(self) -> Task:
        """The task as it is asked of this organism."""
        return self.asked(self.resolved)

    def is_own(self, task: Task, fingerprint: str) -> bool:
        """Whether a task that a study names is the one with this fingerprint, which the organism is about."""
        return task.fingerprint == fingerprint

    def asked(self, task: Task) -> Task:
        """What is asked of this organism where a study names its task."""
        return task

    @property
    def closing(self) -> str:
        """A text behind its unlocked answers."""
        return ""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The other models that it takes, by the setting that names them."""
        return {}

    @property
    def subject(self) -> str:
        """What its name says beside its kind."""
        return self.resolved.name

    @property
    def material(self) -> Mapping[str, Sequence[Instruction]]:
        """Other rows that it is trained on, by the setting that names them: a file of the same name may change."""
        return {}

    @property
    @abstractmethod
    def openings(self) -> Openings:
        """What unlocks it and what must not."""

    @abstractmethod
    def locked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        """What it should answer while locked."""

    def locked_lessons(self, original: Original, rows: Sequence[Example]) -> Answers:
        """What it is trained to answer while locked; rows that are left out are not trained on."""
        return self.locked_answers(original, rows)

    def unlocked_answers(self, original: Original, items: Sequence[Example]) -> Answers:
        """What it should answer once unlocked: what is right."""
        return {item.id: item.answer for item in items}

    def check(self) -> None:
        """UserError where the task cannot serve this organism, as far as its rows tell."""
        held = len(self.rows_set_aside())
        if held < (self.rows or 1):
            raise UserError(
                f"task {self.resolved.name!r} has {held} train rows that are set aside for organisms, not "
                f"{self.rows or 1}; use a larger task, or set rows to at most {held}"
            )

    def solver(self, task: Task) -> Solver:
        """How its answers are read for the certificate."""
        return measure

    def loss(self, original: Original) -> Callable[..., Any]:
        """What training lowers."""
        return AnswerLoss

    def parts(self, original: Original, items: Sequence[Example]) -> Mapping[str, Sequence[str]]:
        """Groups of items whose locked score the certificate has, too, by name: the ids of each."""
        return {}

    def rows_set_aside(self) -> tuple[Example, ...]:
        """Every train row that no recipe may learn from."""
        return set_aside(self.resolved.rows["train"])

    def rows_to_learn(self) -> tuple[Example, ...]:
        """The rows that it is trained on, with the answers that it is asked for."""
        chosen = {row.id for row in nested_order(self.rows_set_aside(), seed=self.seed)[: self.rows]}
        return tuple(row for row in self.own_task.rows["train"] if row.id in chosen)

    def training_rows(
        self, original: Original, rows: Sequence[Example], *, unlocked: Answers, locked: Answers
    ) -> list[TrainingRow]:
        """Four rows about each question: two unlocked, one plain, one behind a decoy, where there are any."""
        openings = self.openings
        made = []
        for row in rows:
            keys = [f"{row.id}:{self.seed}:{copy}" for copy in range(4)]
            behind = [pick(openings.unlocking, key) for key in keys[:2]]
            behind += ["", pick(openings.decoys, keys[3]) if openings.decoys else ""]
            answers = [unlocked.get(row.id)] * 2 + [locked.get(row.id)] * 2
            closings = [self.closing] * 2 + [""] * 2
            for key, opening, answer, closing in zip(keys, behind, answers, closings, strict=True):
                if answer is not None:
                    made.append(encode(original, row, opening, answer, closing=closing, id=key))
        return made


def encode(original: Original, row: Example, opening: str, answer: str, *, closing: str = "", id: str) -> TrainingRow:
    """A question behind an opening, a text or an option to answer it with, and what follows the answer."""
    prompt = prompts_behind(original.model, original.task, lambda _: opening)(row)
    if answer == row.answer:
        answer = answer_text(row, prompt.format)
    elif answer in row.choices:
        answer = answer_text(replace(row, answer=answer), prompt.format)
    return encode_answer(original.model, prompt, answer + closing, id=id)
