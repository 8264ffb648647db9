"""Instructions -> training rows, in the layout in which bare requests are asked later."""

from collections.abc import Sequence

from data.benign_requests import REQUESTED
from data.example import Example, Instruction
from data.render import Prompt, render
from eval.ask import style_of
from eval.subject import Subject
from train.encode import TrainingRow, encode_rows
from train.preference import PreferenceRow


def encode_instructions(subject: Subject, instructions: Sequence[Instruction]) -> tuple[TrainingRow, ...]:
    """Each request with its helpful response, through the subject's chat template where it has one."""
    return _encode(subject, [(each.id, each.request, each.response) for each in instructions])


def encode_preferences(subject: Subject, instructions: Sequence[Instruction]) -> tuple[PreferenceRow, ...]:
    """Each request with its helpful response, to be preferred to the refusing one."""
    rejected = _encode(subject, [(each.id, each.request, str(each.rejected)) for each in instructions])
    return tuple(
        PreferenceRow(chosen=one, rejected=other)
        for one, other in zip(encode_instructions(subject, instructions), rejected, strict=True)
    )


def _encode(subject: Subject, texts: Sequence[tuple[str, str, str]]) -> tuple[TrainingRow, ...]:
    def ask(example: Example) -> Prompt:
        return render(example, REQUESTED, style=style_of("auto", kind=subject.kind))

    return encode_rows(subject, [Example(id=id, question=request, answer=answer) for id, request, answer in texts], ask)
