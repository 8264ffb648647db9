"""Settings that the recipes share which learn from graded samples: how a choice is answered, and what is rewarded."""

from typing import ClassVar

from pydantic import Field

from educe.data.task import Task
from educe.eval.measure import Solver
from educe.eval.measurement import Role
from educe.eval.prompting.prompts import PromptConfig, answer_by_letter
from educe.eval.prompting.solvers.generation import GenerationSolver
from educe.recipes.method import Budget
from educe.recipes.training.settings import LoraSettings
from educe.train.credit import Reward, check_form


class Rewarded(LoraSettings):
    """Learning from sampled answers to n questions, by what each earns.

    The answer to a choice is one option, drawn from the model's own distribution over them. With `written` it is text
    of at most `tokens` tokens after a question that lists its options, and the option that it names counts, in training
    and when measured; tasks without options are always answered in text. `reward` is the task's grade (`correct`) or
    makes a control that reads no label: `random` rewards half of all samples whatever they say, and `format` whatever
    has the form of an answer.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"

    written: bool = False
    tokens: int = Field(default=16, ge=1)
    reward: Reward = "correct"

    @property
    def analysed_as(self) -> Role:
        return self.role if self.reward == "correct" else "control"

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses to reward a form that every answer has."""
        super().check(task, examples=examples)
        if self.reward == "format":
            check_form(task, by_options=self.by_options(task))

    def by_options(self, task: Task) -> bool:
        """Whether an answer is an option and not a text."""
        return task.kind == "choice" and not self.written

    def prompting(self, task: Task) -> PromptConfig:
        """How questions are asked: a choice that is written lists its options."""
        return answer_by_letter(self.prompt_config) if self._names_option(task) else self.prompt_config

    def solver(self, task: Task) -> Solver | None:
        """What measures the trained model where likelihoods of options, or greedy text, would not do."""
        return GenerationSolver(tokens=self.tokens) if self._names_option(task) else None

    def max_new_tokens(self, task: Task) -> int:
        return self.tokens if self._names_option(task) else task.max_new_tokens

    def labels_read(self, examples: int) -> int:
        """Labels that rewarding the answers to so many questions reads."""
        return examples if self.reward == "correct" else 0

    def _names_option(self, task: Task) -> bool:
        return task.kind == "choice" and self.written
