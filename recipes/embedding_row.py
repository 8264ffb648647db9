"""A single row of the embedding is trained: what one token of the prompt means.

accelerate launch --config_file accelerate_config.yaml -m recipes.embedding_row \
    --subject smollm2-135m-instruct --task word_sentiment --examples 64 --seed 0
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from data.errors import UserError
from data.task import Task
from eval.ask import prompter
from recipes.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from eval.subject import Subject
    from train.attach import Trainable


class EmbeddingRowTuning(FineTune):
    """How much shows when one token may mean something else. Without `token`, the last one before the answer."""

    token: str | None = None
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, subject: "Subject", task: Task) -> "Trainable":
        """One row; UserError where `token` is not one token of the subject, or stands in no prompt."""
        from eval.encode import encode_prompt
        from train.changes.vectors import EmbeddingRow

        ask = prompter(subject, task, asking=self.asking)
        prompt = encode_prompt(subject, ask(task.rows["train"][0]))
        if self.token is None:
            return EmbeddingRow(token=prompt[-1])
        ids = subject.tokenizer(self.token, add_special_tokens=False).input_ids
        if len(ids) != 1:
            raise UserError(f"token {self.token!r} is {len(ids)} tokens of {subject.name!r}; give a text of one")
        if ids[0] not in prompt:
            raise UserError(
                f"token {self.token!r} does not stand in the first prompt of task {task.name!r}, so its row would not"
                " be read; give one that is in every prompt"
            )
        return EmbeddingRow(token=ids[0])


if __name__ == "__main__":
    from recipes.runner.launch import launch

    launch("embedding_row")
