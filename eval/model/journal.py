"""What a cell at work has computed, kept by what was asked, so that a run that was killed does not ask it again.

A part is what one batch gives, or one pass of the vocabulary head over several of them. What a part gives depends on
all rows in it, by rounding, so a part is used again whole or not at all, and only where the same rows are asked in the
same layout of the same model. Then its bytes are those that would be computed.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from educe.data.untrusted import read_bytes
from educe.eval.model.model import Model, digest
from educe.eval.model.sharded import is_sharded
from educe.eval.model.tree import Pack, Row, collate, selected_logits

# Seconds of work that a kill may cost beside the part at work. A call that takes less is not kept.
WRITE_SECONDS = 3.0
# Of a call's time, for telling its model apart: a call is kept once it has taken fifty times as long.
MOST_OVERHEAD = 0.02
# Tokens by which the model of a call is told apart.
_PROBE_TOKENS = 16

Values = Mapping[str, Tensor]


@runtime_checkable
class Journal(Protocol):
    """Where parts are kept, by a hash of what was asked and a hash of the model that was asked."""

    # Seconds that the parts took which were read and not computed, and those of telling a model apart.
    saved_seconds: float
    probe_seconds: float

    def knows(self, asked: bytes) -> bool:
        """Whether this was asked before, of any model."""

    def read(self, asked: bytes, state: bytes) -> Values | None: ...

    def write(self, parts: Mapping[bytes, Values], state: bytes) -> None: ...


_journal: ContextVar[Journal | None] = ContextVar("journal", default=None)


@contextmanager
def journalling(journal: Journal | None) -> Iterator[None]:
    """Inside the block, answers of models are kept in the journal, and those that it has are not computed."""
    token = _journal.set(journal)
    try:
        yield
    finally:
        _journal.reset(token)


class Call:
    """One call for many answers of a model, which stays as it is meanwhile, and the parts it consists of.

    `settings` are all that its answers depend on beside the model and what each part asks.
    """

    def __init__(self, model: Model, journal: Journal | None, settings: tuple[object, ...], prompt: Sequence[int]):
        self._model = model
        self._journal = journal
        self._settings = settings
        self._prompt = prompt
        self._waiting: dict[bytes, Values] = {}
        self._started = self._written = time.monotonic()

    def get(self, asked: object, compute: Callable[[], Values], *, fits: Callable[[Values], bool]) -> Values:
        """What the journal has of a part, if it `fits`, or what is computed now and kept.

        What is kept while a part is computed is a part of it, and not needed any more when it is complete.
        """
        if self._journal is None:
            return compute()
        key = hashlib.sha256(repr((self._settings, asked)).encode()).digest()
        found = self._journal.read(key, self._state) if self._journal.knows(key) else None
        if found is not None and is_like(found.get("seconds"), torch.float64) and fits(found):
            self._journal.saved_seconds += float(found["seconds"])
            return found
        outer, started, saved = set(self._waiting), time.monotonic(), self._journal.saved_seconds
        values = compute()
        self._waiting = {each: self._waiting[each] for each in self._waiting if each in outer}
        seconds = time.monotonic() - started + self._journal.saved_seconds - saved
        self._waiting[key] = {**values, "seconds": torch.tensor(seconds, dtype=torch.float64)}
        self.write()
        return values

    def write(self, *, ended: bool = False) -> None:
        """Write what waits, where that took long enough; the rest of a long call when it has `ended`."""
        if self._journal is None or not self._waiting:
            return
        now = time.monotonic()
        is_rest = ended and self._written > self._started
        if not is_rest and now - self._written < WRITE_SECONDS:
            return
        if self._journal.probe_seconds <= MOST_OVERHEAD * (now - self._started):
            self._journal.write(self._waiting, self._state)
            self._waiting = {}
            self._written = time.monotonic()

    @cached_property
    def _state(self) -> bytes:
        """A hash of the model as it is now: of what it was loaded from, what was trained, and how it computes.

        The last shows in the bits of the logits after the call's first tokens. They also tell noise in the weights, a
        change of the layers' outputs, and other kernels of another processor.
        """
        started = time.monotonic()
        model, prompt = self._model, tuple(self._prompt[:_PROBE_TOKENS])
        row = Row(stem=prompt, selected=(len(prompt) - 1,))
        with torch.inference_mode():
            batch = collate(model.net, [Pack(rows=(row,))], prefix=0, pad=model.tokenizer.pad_token_id)
            logits = selected_logits(model.net, batch).cpu().contiguous()
        found = hashlib.sha256(repr((model.fingerprint, model.dtype, model.quantize)).encode())
        found.update(_digest_of_trained(model))
        found.update(logits.view(torch.uint8).numpy().data)
        if self._journal is not None:
            self._journal.probe_seconds = time.monotonic() - started
        return found.digest()


@contextmanager
def journalled(model: Model, *settings: object, prompt: Sequence[int]) -> Iterator[Call]:
    """A call whose parts are kept; `prompt` is its first.

    Nothing is kept of a model whose weights are spread over processes: each forward needs all of them.
    """
    journal = _journal.get()
    call = Call(model, None if journal is None or is_sharded(model.net) else journal, settings, prompt)
    yield call
    call.write(ended=True)


def is_like(values: Tensor | None, dtype: torch.dtype, *shape: int) -> bool:
    """Whether a tensor of a journal, which may be another's, is what was asked for."""
    return values is not None and values.dtype == dtype and values.shape == shape


def _digest_of_trained(model: Model) -> bytes:
    """`digest`, computed anew when a parameter was written to: of a full fine-tune it reads every weight."""
    now = tuple((name, each.data_ptr(), each._version) for name, each in model.trained.items())
    known: tuple[object, bytes] | None = model.cache.get(_digest_of_trained)
    if known is None or known[0] != (model.change, now):
        model.cache[_digest_of_trained] = known = ((model.change, now), digest(model))
    return known[1]


@cache
def code_digest() -> str:
    """A hash of the code that computes answers: every module of this folder."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(f"{path.name} ".encode() + read_bytes(path))
    return found.hexdigest()
