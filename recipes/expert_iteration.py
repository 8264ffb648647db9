"""Expert iteration: the subject answers, the task's grader accepts, the subject learns from what was accepted; repeat.

accelerate launch --config_file accelerate_config.yaml -m recipes.expert_iteration \
    --subject smollm2-135m-instruct --task arithmetic --examples 64 --seed 0
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from data.errors import UserError
from data.example import Example
from data.task import Task
from eval.ask import Prompter, prompter
from eval.spend import Spend, as_search
from recipes.iid_sft import IidSft
from recipes.method import Elicited

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.sft import Tuned


class ExpertIteration(IidSft):
    """How much shows when the subject learns from its own right answers to n questions.

    In each of `rounds`, `samples` answers to every question are drawn from the subject as it is by then; all that was
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

    def __call__(self, subject: "Subject", task: Task, *, examples: int, seed: int) -> Elicited:
        """Sample, keep, train; then ask plainly."""
        from train.attach import bare
        from train.self_training import sample_accepted

        questions = task.draw("train", examples, seed=seed)
        ask = prompter(subject, task, asking=self.asking)
        kept: dict[tuple[str, str], Example] = {}
        spend, about = Spend(), dict[str, Any]()
        for number in range(1, self.rounds + 1):
            with bare(subject):
                learner = subject
                if kept:
                    tuned = self._train(subject, task, list(kept.values()), ask, seed)
                    learner, spend = tuned.subject, spend + as_search(tuned.spend)
                accepted = sample_accepted(
                    learner,
                    task,
                    ask,
                    questions,
                    samples=self.samples,
                    temperature=self.temperature,
                    seed=1000 * seed + number,
                )
            kept |= {(each.id, each.answer): each for each in accepted.examples}
            spend += Spend(search_flops=accepted.flops, executed_search_flops=accepted.executed_flops)
            about |= {f"round_{number}_{key}": value for key, value in accepted.about().items()}
        if not kept:
            raise UserError(
                f"none of {len(questions) * self.samples * self.rounds} sampled answers to {task.name!r} was right; "
                "raise samples or examples"
            )
        tuned = self._train(subject, task, list(kept.values()), ask, seed)
        spend = replace(spend + tuned.spend, labelled_examples=len(questions))
        about = {**tuned.about, "accepted_examples": len(kept), **about}
        return Elicited(subject=tuned.subject, ask=ask, spend=spend, history=tuned.history, about=about)

    def _train(self, subject: "Subject", task: Task, kept: Sequence[Example], ask: Prompter, seed: int) -> "Tuned":
        from train.encode import encode_rows
        from train.sft import fine_tune

        (schedule,) = self.schedules(len(kept))
        rows, trainable = encode_rows(subject, kept, ask), self.trainable(subject, task)
        return fine_tune(subject, rows, trainable=trainable, schedule=schedule, seed=seed)

    def rows_trained(self, examples: int) -> int:
        """As if one answer to every question were kept in every round."""
        return self.rounds * super().rows_trained(examples)

    def rows_sampled(self, examples: int) -> int:
        """Of every round."""
        return self.rounds * self.samples * examples


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("expert_iteration")
