"""Expert iteration: the model answers, the task's grader accepts, the model learns from what was accepted; repeat."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.details import Details, SampledAnswers
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend, as_search
from educe.recipes.method import Elicited, Workload
from educe.recipes.training.rewarded import Rewarded
from educe.recipes.training.settings import Epochs, Rate, SupervisedTraining
from educe.train.attach import attach, temporary_changes
from educe.train.encode import encode_rows
from educe.train.self_training import Accepted, sample_options, sample_written
from educe.train.sft import Tuned, fine_tune


class ExpertIteration(Rewarded, SupervisedTraining):
    """Fine-tuning on the model's own right answers to n questions.

    In each of `rounds`, `samples` answers to every question are drawn from the model as trained so far; everything that
    was accepted so far trains a fresh adapter. Labels are read to grade, and charged; samples are charged as search. An
    option that a written answer names is learned as the format writes it, and a text that names none teaches nothing.
    """

    learning_rate: Rate = 5e-4
    epochs: Epochs = 8
    max_examples_seen: int = Field(default=256, ge=1)
    rounds: int = Field(default=2, ge=1)
    samples: int = Field(default=4, ge=1)
    temperature: float = Field(default=1.0, gt=0)

    def __call__(self, model: Model, task: Task, *, examples: int, seed: int) -> Elicited:
        questions = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompting(task))
        kept: dict[tuple[str, str], Example] = {}
        spend = Spend()
        rounds: list[SampledAnswers] = []
        for number in range(1, self.rounds + 1):
            with temporary_changes(model):
                # Before anything is kept: the model as it is, with what an earlier stage has left.
                learner = attach(model, self.lora, seed=seed) if model.start else model
                if kept:
                    tuned = self._train(model, list(kept.values()), prompt_fn, seed)
                    learner, spend = tuned.model, spend + as_search(tuned.spend)
                accepted = self._sample(learner, task, prompt_fn, questions, 1000 * seed + number)
            kept |= {(each.id, each.answer): each for each in accepted.examples}
            spend += accepted.spend
            rounds.append(accepted.details)
        if not kept:
            raise UserError(
                f"none of {len(questions) * self.samples * self.rounds} sampled answers to {task.name!r} was accepted"
                f" (reward: {self.reward}); raise samples or examples"
            )
        tuned = self._train(model, list(kept.values()), prompt_fn, seed)
        return Elicited(
            model=tuned.model,
            prompt_fn=prompt_fn,
            solver=self.solver(task),
            spend=replace(spend + tuned.spend, labelled_examples=self.labels_read(len(questions))),
            history=tuned.history,
            details=tuned.details | Details(rounds=tuple(rounds), notes={"accepted_examples": len(kept)}),
        )

    def _sample(
        self, learner: Model, task: Task, prompt_fn: PromptFunction, questions: Sequence[Example], seed: int
    ) -> Accepted:
        sample = partial(sample_written, max_new_tokens=self.max_new_tokens(task))
        if self.by_options(task):
            sample = partial(sample_options)
        return sample(
            learner,
            task,
            prompt_fn,
            questions,
            samples=self.samples,
            temperature=self.temperature,
            reward=self.reward,
            seed=seed,
        )

    def _train(self, model: Model, kept: Sequence[Example], prompt_fn: PromptFunction, seed: int) -> Tuned:
        schedule = self.schedule(learning_rate=self.learning_rate, steps=self._steps(len(kept)))
        rows = encode_rows(model, kept, prompt_fn)
        return fine_tune(model, rows, trainable=self.lora, schedule=schedule, seed=seed)

    def _steps(self, examples: int) -> int:
        return self.num_steps(examples, epochs=self.epochs, max_examples_seen=self.max_examples_seen)

    def workload(self, task: Task, examples: int) -> Workload:
        """As if one answer to every question were kept in every round."""
        return Workload(
            training_rows=self.rounds * self._steps(examples) * min(self.batch_size, examples),
            scored_rows=self.rounds * examples if self.by_options(task) else 0,
            sampled_rows=0 if self.by_options(task) else self.rounds * self.samples * examples,
            generated_tokens=self.tokens if self.solver(task) else 0,
            prompt_configs=(self.prompting(task),),
        )
