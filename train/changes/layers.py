"""Where decoders keep their layers."""

import re
from collections.abc import Sequence

from torch import nn

from data.errors import UserError
from eval.subject import Subject
from eval.tree import body_of

IN_LAYER = re.compile(r"\b(?:layers|h)\.(\d+)\.")


def check_layers(subject: Subject, layers: Sequence[int]) -> None:
    """UserError where the subject has no such layer."""
    for layer in layers:
        if not 0 <= layer < subject.shape.layers:
            raise UserError(f"{subject.name!r} has no layer {layer}; layers are 0 to {subject.shape.layers - 1}")


def layers_of(subject: Subject) -> nn.ModuleList:
    """The decoder's layers, lowest first."""
    body = body_of(subject.net)
    for name in ("layers", "h"):
        found = getattr(body, name, None)
        if isinstance(found, nn.ModuleList):
            return found
    raise UserError(f"the layers of {subject.name!r} are not where decoders keep them; use a recipe without layers")
