"""Teaches a model to state how often it is right (Lin et al. 2022, arXiv 2205.14334)."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field
from scipy import special

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.task import Task, check_options
from educe.eval.details import Details
from educe.eval.measure import measure
from educe.eval.measurement import Outcome
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend
from educe.recipes.method import Elicited, Workload
from educe.recipes.prompting.confidence import HOW_LIKELY, PERCENT, asked_about
from educe.recipes.training.settings import Epochs, LoraSettings, Rate, SupervisedTraining
from educe.train.encode import encode_rows
from educe.train.sft import fine_tune


class StatedConfidence(LoraSettings, SupervisedTraining):
    """A LoRA adapter learns to answer "how likely is it that this answer is right?" with the accuracy of a group.

    The model answers n labelled rows. They are put into `groups` of about equal size by how sure it is (the probability
    of the option that it picks), and each row is taught with the accuracy of its group, in tens of percent. It is not
    taught which answers are right, and the task is asked as it was before. `{stacked: {train: stated_confidence,
    prompt: confidence}}` reads what was learned.
    """

    groups: int = Field(default=4, ge=1)
    learning_rate: Rate = 5e-4
    epochs: Epochs = 4

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses a task without options, and groups that would have fewer than two rows."""
        super().check(task, examples=examples)
        check_options(task, to="be sure of")
        if examples < 2 * self.groups:
            raise UserError(
                f"groups = {self.groups} of {examples} examples have fewer than two rows each; use at least "
                f"{2 * self.groups} examples, or fewer groups"
            )

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        started = time.perf_counter()
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        rows = task.draw("train", examples, seed=seed)
        answered = measure(model, task, prompt_fn, rows)
        taught = lessons(rows, answered.outcomes, groups=self.groups)
        plain = replace(self.prompt_config, answer_as=None, format=None)
        asked = make_prompt_fn(model, replace(task, format=Format()), prompt_config=plain)
        schedule = self.schedule(learning_rate=self.learning_rate, steps=self.num_steps(examples, epochs=self.epochs))
        seconds = time.perf_counter() - started
        tuned = fine_tune(model, encode_rows(model, taught, asked), trainable=self.lora, schedule=schedule, seed=seed)
        return Elicited(
            model=tuned.model,
            prompt_fn=prompt_fn,
            spend=tuned.spend + answered.search + Spend(seconds=seconds),
            history=tuned.history,
            details=tuned.details | Details(notes={"stated": ", ".join(sorted({each.answer for each in taught}))}),
        )

    def workload(self, task: Task, examples: int) -> Workload:
        trained = self.num_steps(examples, epochs=self.epochs) * min(self.batch_size, examples)
        return Workload(training_rows=trained, scored_rows=examples, prompt_configs=(self.prompt_config,))


def lessons(rows: Sequence[Example], outcomes: Sequence[Outcome], *, groups: int) -> list[Example]:
    """Each row's question about the answer that was given, with the accuracy of its group as the answer."""
    sure = np.array([special.softmax(np.array(each.loglikelihoods)).max() for each in outcomes])
    right = np.array([each.score for each in outcomes])
    stated = [""] * len(rows)
    for group in np.array_split(np.argsort(sure, kind="stable"), groups):
        percent = PERCENT[round(10 * float(right[group].mean()))]
        for place in group:
            stated[place] = percent
    asked = asked_about(rows, [str(each.picked) for each in outcomes], HOW_LIKELY, PERCENT)
    return [replace(each, answer=percent) for each, percent in zip(asked, stated, strict=True)]
