"""Where decoders keep their layers."""

import re
from collections.abc import Sequence

from data.errors import UserError
from eval.subject import Subject

IN_LAYER = re.compile(r"\b(?:layers|h)\.(\d+)\.")


def check_layers(subject: Subject, layers: Sequence[int]) -> None:
    """UserError where the subject has no such layer."""
    for layer in layers:
        if not 0 <= layer < subject.shape.layers:
            raise UserError(f"{subject.name!r} has no layer {layer}; layers are 0 to {subject.shape.layers - 1}")
