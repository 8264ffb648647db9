"""Reward alone: sampled answers that earn more than others to the same question become likelier (GRPO)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Annotated, Literal

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Elicited, Workload
from educe.recipes.training.rewarded import Rewarded
from educe.recipes.training.settings import Rate
from educe.train.credit import credit
from educe.train.frozen import Precision
from educe.train.options import encode_options_rows
from educe.train.reward import RewardSchedule, train_by_reward, train_options_by_reward
from educe.train.schedule import Schedule
from educe.train.sft import Tuned

# Questions of a step where `questions_per_step` is not given, and the fewest steps. A step that reads options costs
# about as much as one of fine-tuning on as many rows; one that writes, eight times as much and the writing.
_PER_STEP = {"options": 8, "text": 2}
_LEAST_STEPS = {"options": 32, "text": 16}


class Grpo(Rewarded):
    """Group relative policy optimisation of what sampled answers to n questions earn.

    A group are the `samples` answers to a question. Where the answer is an option, all options are read once, so that
    any number of samples costs the same and the gradient of each is exact; `samples: all` takes the expectation over
    all options in place of a draw. Written answers are trained on through TRL, and charged as search. Without `steps`
    every question is seen once, in 32 steps or more (16 where answers are written). Labels are read to grade, and
    charged. `training.json` has the reward of every step, and how varied the answers still are, which shows a collapse.
    """

    learning_rate: Rate = 1e-4
    steps: int | None = Field(default=None, ge=1)
    questions_per_step: int | None = Field(default=None, ge=1)
    samples: Annotated[int, Field(ge=2)] | Literal["all"] = 8
    temperature: float = Field(default=1.0, gt=0)
    precision: Precision = "auto"

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses fewer questions than one step takes, more than all steps can reach, and settings not in use."""
        super().check(task, examples=examples)
        size = self.step_size(task, examples)
        if examples < size:
            raise UserError(
                f"grpo: a step takes questions_per_step = {size} and there are {examples} examples; "
                f"set it to {examples} or less"
            )
        if examples > self.num_steps(task, examples) * size:
            raise UserError(
                f"grpo: steps = {self.steps} of {size} questions do not reach {examples} examples; "
                f"set steps to {math.ceil(examples / size)} or more, or leave it out"
            )
        if self.by_options(task):
            return
        if self.samples == "all":
            raise UserError(
                f"samples: all reads every option, and answers to task {task.name!r} are written; give a number"
            )
        if self.precision != "auto":
            raise UserError(
                f"precision: {self.precision} is for answers that are options; where they are written, training has"
                " that of the weights: drop precision, or set dtype"
            )

    def step_size(self, task: Task, examples: int) -> int:
        """Questions of a step: as given, or as usual and no more than there are."""
        return self.questions_per_step or min(examples, _PER_STEP[self._kind(task)])

    def num_steps(self, task: Task, examples: int) -> int:
        """Those given, or as many as show every question, and no fewer than usual."""
        return self.steps or max(_LEAST_STEPS[self._kind(task)], math.ceil(examples / self.step_size(task, examples)))

    def _kind(self, task: Task) -> str:
        return "options" if self.by_options(task) else "text"

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        questions = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompting(task))
        train = self._train_on_options if self.by_options(task) else self._train_on_texts
        tuned = train(model, task, questions, prompt_fn, seed)
        return Elicited(
            model=tuned.model,
            prompt_fn=prompt_fn,
            solver=self.solver(task),
            spend=tuned.spend,
            history=tuned.history,
            details=tuned.details,
        )

    def _train_on_options(
        self, model: Model, task: Task, questions: Sequence[Example], prompt_fn: PromptFunction, seed: int
    ) -> Tuned:
        rows = encode_options_rows(model, task, questions, prompt_fn, labelled=self.reward == "correct")
        size, steps = self.step_size(task, len(questions)), self.num_steps(task, len(questions))
        tuned = train_options_by_reward(
            model,
            rows,
            lora=self.lora,
            schedule=Schedule(learning_rate=self.learning_rate, steps=steps, batch_size=size, precision=self.precision),
            samples=self.samples,
            temperature=self.temperature,
            seed=seed,
        )
        drawn = {} if self.samples == "all" else {"samples": steps * size * self.samples}
        labels = self.labels_read(len(questions))
        return replace(
            tuned,
            spend=replace(tuned.spend, labelled_examples=labels),
            details=tuned.details | Details(notes=drawn),
        )

    def _train_on_texts(
        self, model: Model, task: Task, questions: Sequence[Example], prompt_fn: PromptFunction, seed: int
    ) -> Tuned:
        assert self.samples != "all"
        prompts = [prompt_fn(question) for question in questions]
        tosses = count()  # TRL grades in an order that the seed fixes

        def reward(place: int, text: str) -> float:
            toss = f"{seed} {next(tosses)}"
            return credit(self.reward, task, prompts[place].format, questions[place], text, toss=toss)

        tuned = train_by_reward(
            model,
            prompts,
            reward,
            lora=self.lora,
            schedule=RewardSchedule(
                learning_rate=self.learning_rate,
                steps=self.num_steps(task, len(questions)),
                questions_per_step=self.step_size(task, len(questions)),
                samples=self.samples,
                temperature=self.temperature,
                max_new_tokens=self.max_new_tokens(task),
            ),
            seed=seed,
        )
        labels = self.labels_read(tuned.spend.labelled_examples)
        return replace(tuned, spend=replace(tuned.spend, labelled_examples=labels))

    def workload(self, task: Task, examples: int) -> Workload:
        """Options are read in training alone; every written sample is trained on."""
        rows = self.num_steps(task, examples) * self.step_size(task, examples)
        configs = (self.prompting(task),)
        if self.by_options(task) or self.samples == "all":
            return Workload(training_rows=rows, prompt_configs=configs)
        return Workload(
            training_rows=rows * self.samples,
            sampled_rows=rows * self.samples,
            generated_tokens=self.tokens if task.kind == "choice" else 0,
            prompt_configs=configs,
        )
