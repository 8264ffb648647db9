"""The canary: log-likelihoods of eight fixed texts under a model as it was loaded, kept with each of its measurements.

The same identity must give the same numbers whenever it is loaded, to be measured or to label rows for another. Other
numbers mean another model: a changed file behind the same hub commit, or libraries that compute it differently.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from educe.data.errors import RunStopped, UserError, one_line
from educe.eval.model.check import FORWARD_FIX
from educe.eval.model.encode import Branches, common_prefix, encode_texts
from educe.eval.model.model import Known, Model
from educe.eval.model.score import score_options
from educe.eval.model.sharded import gathering

# One beginning with eight short ends: what is shared is read once, so that a canary costs little of a load.
_START = "The capital of France is"
TEXTS = tuple(_START + end for end in (" Paris", " London", " the", " a", " in", " not", " called", "."))
# Nats by which two devices or batch shapes may differ on one text: over twice what was measured (docs/log.md).
TOLERANCE = {"float32": 0.01, "bfloat16": 1.0, "float16": 0.2}


class ModelChanged(RunStopped):
    """A model that is no longer what earlier results of the same identity were measured with."""


def with_canary(model: Model) -> Model:
    """A model as it was loaded, with its canary. Every process of a launch must take part where weights are sharded."""
    with gathering(model.net):
        return replace(model, canary=canary_of(model))


def canary_of(model: Model) -> tuple[float, ...]:
    """The log-likelihood in nats of each of TEXTS after what they share. UserError where one is no number."""
    rows = encode_texts(model, TEXTS)
    shared = common_prefix([row[:-1] for row in rows])
    item = Branches(prompt=rows[0][:shared], options=tuple(row[shared:] for row in rows))
    with one_line(f"model {model.name!r} cannot read {TEXTS[0]!r}", FORWARD_FIX), _one_thread():
        (values,) = score_options(model, [item]).loglikelihoods
    if not all(map(math.isfinite, values)):
        raise UserError(
            f"model {model.name!r} in {model.dtype} gives {TEXTS[0]!r} a log-likelihood of {values[0]}; "
            "fetch the weights again, or give another dtype"
        )
    return tuple(values)


@contextmanager
def _one_thread() -> Iterator[None]:
    """So few tokens gain nothing from more, and the numbers do not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def checked(model: Model, identity: str, earlier: Mapping[tuple[str, str], Known]) -> Model:
    """A model, just loaded, with its canary. ModelChanged where earlier results were made with another."""
    model = with_canary(model)
    if known := earlier.get((identity, model.dtype)):
        check_fingerprint(model, known.fingerprint)
        check_canary(model, known.canary)
    return replace(model, earlier=earlier)


def check_fingerprint(model: Model, earlier: str) -> None:
    """ModelChanged where other files or another template made the model of earlier results of the same identity."""
    if model.fingerprint != earlier:
        raise ModelChanged(
            f"model {model.name!r} has changed: its settings, tokenizer or chat template are others than when the "
            "results in this directory were measured, or some were not fetched; fetch it again, or give another --out"
        )


def check_canary(model: Model, earlier: Sequence[float]) -> None:
    """ModelChanged where the model's canary is not the one of earlier results of the same identity and dtype."""
    limit = TOLERANCE[model.dtype]
    for text, now, then in zip(TEXTS, model.canary, earlier, strict=True):
        if not abs(now - then) <= limit:
            raise ModelChanged(
                f"model {model.name!r} has changed: it gives {text!r} a log-likelihood of {now:.4f}, and {then:.4f} "
                f"when the results in this directory were measured (they may differ by {limit:g}); restore the model "
                "and its libraries, or give another --out"
            )
