"""Reward alone: sampled answers that are graded better than others to the same question become likelier (GRPO)."""

import math
from typing import ClassVar

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.measurement import Role
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.method import Budget, Elicited, Workload
from educe.recipes.training.settings import LoraSettings, Rate
from educe.train.reward import RewardSchedule, train_by_reward
from educe.train.self_training import credit


class Grpo(LoraSettings):
    """Group relative policy optimisation of the grades of sampled answers to n questions, through TRL.

    Without `steps` every question is seen once, in 16 steps or more. Labels are read to grade, and charged; samples are
    charged as search. `training.json` has the reward and the variety of the samples of every step, which show a
    collapse.
    """

    role: ClassVar[Role] = "training"
    budget: ClassVar[Budget] = "examples"

    learning_rate: Rate = 1e-4
    steps: int | None = Field(default=None, ge=1)
    questions_per_step: int = Field(default=2, ge=1)
    samples: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses fewer questions than one step takes, and more than all steps can reach."""
        super().check(task, examples=examples)
        if examples < self.questions_per_step:
            raise UserError(
                f"grpo: a step takes questions_per_step = {self.questions_per_step} and there are {examples} examples; "
                f"set it to {examples} or less"
            )
        if examples > self.num_steps(examples) * self.questions_per_step:
            raise UserError(
                f"grpo: steps = {self.steps} of {self.questions_per_step} questions do not reach {examples} examples; "
                f"set steps to {math.ceil(examples / self.questions_per_step)} or more, or leave it out"
            )

    def num_steps(self, examples: int) -> int:
        """Those given, or as many as show every question, and 16 at least."""
        return self.steps or max(16, math.ceil(examples / self.questions_per_step))

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        questions = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        prompts = [prompt_fn(question) for question in questions]
        tuned = train_by_reward(
            model,
            prompts,
            lambda place, text: credit(task, prompts[place].format, questions[place], text),
            lora=self.lora,
            schedule=RewardSchedule(
                learning_rate=self.learning_rate,
                steps=self.num_steps(examples),
                questions_per_step=self.questions_per_step,
                samples=self.samples,
                temperature=self.temperature,
                max_new_tokens=task.max_new_tokens,
            ),
            seed=seed,
        )
        return Elicited(
            model=tuned.model, prompt_fn=prompt_fn, spend=tuned.spend, history=tuned.history, details=tuned.details
        )

    def workload(self, task: Task, examples: int) -> Workload:
        """Every sample is trained on."""
        samples = self.num_steps(examples) * self.questions_per_step * self.samples
        return Workload(training_rows=samples, sampled_rows=samples, prompt_configs=(self.prompt_config,))
