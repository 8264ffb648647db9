"""What a cell at work has computed, kept by what was asked, so that a run that was killed does not ask it again.

A part is what one batch gives, or one pass of the vocabulary head over several of them. What a part gives depends on
all rows in it, by rounding, so a part is used again whole or not at all, and only where the same rows are asked in the
same layout of the same model. Then its bytes are those that would be computed.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
# The largest share of a call's time that telling its model apart may take. A call that is shorter is not kept.
MOST_OVERHEAD = 0.02
# Seconds or FLOPs that no part takes. Sums of many parts stay finite.
_MOST_OF_A_PART = 1e30
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

    def write(self, parts: Mapping[bytes, Values], state: bytes, *, instead_of: Collection[bytes] = ()) -> None:
        """Keep parts of a model, and drop those that are contained in them."""


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
        # Parts that were asked for and are in no other, and those whose outer part was completed since the last write.
        self._asked: list[bytes] = []
        self._contained: set[bytes] = set()
        self._started = self._written = time.monotonic()

    def get(self, asked: object, compute: Callable[[], Values], *, fits: Callable[[Values], bool]) -> Values:
        """What the journal has of a part, if it `fits`, or what is computed now and kept.

        What is kept while a part is computed is contained in it, and dropped when it is complete.
        """
        if self._journal is None:
            return compute()
        key = hashlib.sha256(repr((self._settings, asked)).encode()).digest()
        place = len(self._asked)
        self._asked.append(key)
        found = self._journal.read(key, self._state) if self._journal.knows(key) else None
        if found is not None and is_amount(found.get("seconds")) and fits(found):
            self._journal.saved_seconds += float(found["seconds"])
            return found
        started, saved = time.monotonic(), self._journal.saved_seconds
        values = compute()
        contained = self._asked[place + 1 :]
        del self._asked[place + 1 :]
        self._contained.update(contained)
        for each in contained:
            self._waiting.pop(each, None)
        seconds = time.monotonic() - started + self._journal.saved_seconds - saved
        self._waiting[key] = {**values, "seconds": torch.tensor(seconds, dtype=torch.float64)}
        self.write()
        return values

    def hashed(self, rows: Iterable[object]) -> str:
        """A hash of all rows of the call; empty where nothing is kept."""
        if self._journal is None:
            return ""
        found = hashlib.sha256()
        for row in rows:
            found.update(hashlib.sha256(repr(row).encode()).digest())
        return found.hexdigest()

    def write(self, *, ended: bool = False) -> None:
        """Write what waits, where that took long enough; the rest of a long call when it has `ended`."""
        if self._journal is None or not self._waiting:
            return
        now = time.monotonic()
        is_rest = ended and self._written > self._started
        if not is_rest and now - self._written < WRITE_SECONDS:
            return
        if self._journal.probe_seconds <= MOST_OVERHEAD * (now - self._started):
            self._journal.write(self._waiting, self._state, instead_of=self._contained)
            self._waiting, self._contained = {}, set()
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
    return values is not None and values.dtype == dtype and values.shape == shape and not bool(values.isnan().any())


def is_amount(values: Tensor | None) -> bool:
    """Whether a tensor of a journal can be seconds or FLOPs of one part."""
    return values is not None and is_like(values, torch.float64) and 0 <= float(values) <= _MOST_OF_A_PART


def _digest_of_trained(model: Model) -> bytes:
    """`digest`, computed anew when a parameter was written to: of a full fine-tune it reads every weight."""
    now = tuple((name, each.data_ptr(), each._version) for name, each in model.trained.items())
    known: tuple[object, bytes] | None = model.cache.get(_digest_of_trained)
    if known is None or known[0] != (model.change, now):
        model.cache[_digest_of_trained] = known = ((model.change, now), digest(model))
    return known[1]


@cache
def code_digest() -> str:
    """A hash of the code that computes answers: every module of this folder, as they are when it is first asked for."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(f"{path.name} ".encode() + read_bytes(path))
    return found.hexdigest()
