"""Where decoders keep their layers."""

import re
from collections.abc import Sequence

from educe.data.errors import UserError
from educe.eval.model.model import Model

IN_LAYER = re.compile(r"\b(?:layers|h)\.(\d+)\.")


def check_layers(model: Model, layers: Sequence[int]) -> None:
    """UserError where the model has no such layer."""
    for layer in layers:
        if not 0 <= layer < model.shape.layers:
            raise UserError(f"{model.name!r} has no layer {layer}; layers are 0 to {model.shape.layers - 1}")
