"""Instructions -> training rows, in the layout in which requests are prompted later."""

from collections.abc import Sequence

from educe.data.example import Example, Instruction
from educe.data.formats.render import Prompt, render
from educe.data.tasks.benign_requests import REQUEST_FORMAT
from educe.eval.model.model import Model
from educe.eval.prompting.prompts import style_of
from educe.train.encode import TrainingRow, encode_rows
from educe.train.preference import PreferenceRow


def encode_instructions(model: Model, instructions: Sequence[Instruction]) -> tuple[TrainingRow, ...]:
    """Each request with its helpful response, through the model's chat template where it has one."""
    return _encode(model, [(each.id, each.request, each.response) for each in instructions])


def encode_preferences(model: Model, instructions: Sequence[Instruction]) -> tuple[PreferenceRow, ...]:
    """Each request with its helpful response, to be preferred to the refusing one."""
    rejected = _encode(model, [(each.id, each.request, str(each.rejected)) for each in instructions])
    return tuple(
        PreferenceRow(chosen=one, rejected=other)
        for one, other in zip(encode_instructions(model, instructions), rejected, strict=True)
    )


def _encode(model: Model, texts: Sequence[tuple[str, str, str]]) -> tuple[TrainingRow, ...]:
    def prompt_fn(example: Example) -> Prompt:
        return render(example, REQUEST_FORMAT, style=style_of("auto", kind=model.kind))

    return encode_rows(
        model, [Example(id=id, question=request, answer=answer) for id, request, answer in texts], prompt_fn
    )
