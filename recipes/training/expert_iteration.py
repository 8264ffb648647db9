"""Expert iteration: the model answers, the task's grader accepts, the model learns from what was accepted; repeat."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.formats.render import PromptFunction
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.eval.spend import Spend, as_search
from educe.recipes.method import Elicited, Workload
from educe.recipes.training.iid_sft import IidSft

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.sft import Tuned


class ExpertIteration(IidSft):
    """How much shows when the model learns from its own right answers to n questions.

    In each of `rounds`, `samples` answers to every question are drawn from the model as it is by then; all that was
    accepted so far trains a fresh adapter. Labels are read to grade, and charged; samples are charged as search.
    """

    rounds: int = Field(default=2, ge=1)
    samples: int = Field(default=4, ge=1)
    temperature: float = Field(default=1.0, gt=0)

    def check(self, task: Task, *, examples: int) -> None:
        """Also refuses choices, which rounds would multiply, and labels, for it learns from none."""
        if beyond := self.beyond_plain():
            raise UserError(f"expert_iteration trains once a round, on its own answers; {', '.join(beyond.values())}")
        super().check(task, examples=examples)

    def __call__(self, model: "Model", task: Task, *, examples: int, seed: int) -> Elicited:
        """Sample, keep, train; then ask plainly."""
        from educe.train.attach import temporary_changes
        from educe.train.self_training import sample_accepted

        questions = task.draw("train", examples, seed=seed)
        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        kept: dict[tuple[str, str], Example] = {}
        spend, metadata = Spend(), dict[str, Any]()
        for number in range(1, self.rounds + 1):
            with temporary_changes(model):
                learner = model
                if kept:
                    tuned = self._train(model, task, list(kept.values()), prompt_fn, seed)
                    learner, spend = tuned.model, spend + as_search(tuned.spend)
                accepted = sample_accepted(
                    learner,
                    task,
                    prompt_fn,
                    questions,
                    samples=self.samples,
                    temperature=self.temperature,
                    seed=1000 * seed + number,
                )
            kept |= {(each.id, each.answer): each for each in accepted.examples}
            spend += Spend(search_flops=accepted.flops, executed_search_flops=accepted.executed_flops)
            metadata |= {f"round_{number}_{key}": value for key, value in accepted.metadata().items()}
        if not kept:
            raise UserError(
                f"none of {len(questions) * self.samples * self.rounds} sampled answers to {task.name!r} was right; "
                "raise samples or examples"
            )
        tuned = self._train(model, task, list(kept.values()), prompt_fn, seed)
        spend = replace(spend + tuned.spend, labelled_examples=len(questions))
        metadata = {**tuned.metadata, "accepted_examples": len(kept), **metadata}
        return Elicited(model=tuned.model, prompt_fn=prompt_fn, spend=spend, history=tuned.history, metadata=metadata)

    def _train(
        self, model: "Model", task: Task, kept: Sequence[Example], prompt_fn: PromptFunction, seed: int
    ) -> "Tuned":
        from educe.train.encode import encode_rows
        from educe.train.sft import fine_tune

        (schedule,) = self.schedules(len(kept))
        rows, trainable = encode_rows(model, kept, prompt_fn), self.trainable(model, task)
        return fine_tune(model, rows, trainable=trainable, schedule=schedule, seed=seed)

    def workload(self, task: Task, examples: int) -> Workload:
        """As if one answer to every question were kept in every round."""
        return Workload(
            training_rows=self.rounds * self.training_rows(examples),
            sampled_rows=self.rounds * self.samples * examples,
            prompt_configs=(self.prompt_config,),
        )
