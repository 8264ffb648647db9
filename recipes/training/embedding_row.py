"""A single row of the embedding is trained: what one token of the prompt means."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.training.fine_tune import FineTune, Rate

if TYPE_CHECKING:
    from educe.eval.model.model import Model
    from educe.train.attach import Trainable


class EmbeddingRowTuning(FineTune):
    """How much shows when one token may mean something else. Without `token`, the last one before the answer."""

    token: str | None = None
    learning_rate: Rate | Annotated[tuple[Rate, ...], Field(min_length=1)] = 1e-2

    def trainable(self, model: "Model", task: Task) -> "Trainable":
        """One row; UserError where `token` is not one token of the model, or stands in no prompt."""
        from educe.eval.model.encode import encode_prompt
        from educe.train.changes.vectors import EmbeddingRow

        prompt_fn = make_prompt_fn(model, task, prompt_config=self.prompt_config)
        prompt = encode_prompt(model, prompt_fn(task.rows["train"][0]))
        if self.token is None:
            return EmbeddingRow(token=prompt[-1])
        ids = model.tokenizer(self.token, add_special_tokens=False).input_ids
        if len(ids) != 1:
            raise UserError(f"token {self.token!r} is {len(ids)} tokens of {model.name!r}; give a text of one")
        if ids[0] not in prompt:
            raise UserError(
                f"token {self.token!r} does not stand in the first prompt of task {task.name!r}, so its row would not"
                " be read; give one that is in every prompt"
            )
        return EmbeddingRow(token=ids[0])
