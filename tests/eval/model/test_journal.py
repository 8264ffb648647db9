"""Calls that were cut off at any point and begun again: the same bytes as a call that nothing disturbed, for less."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from educe.data.writing import make_parents
from educe.eval.model import journal, lens, sample, score, states
from educe.eval.model.encode import Branches
from educe.eval.model.journal import Values, journalled, journalling
from educe.eval.model.model import Model
from educe.eval.model.net import decoder_of
from educe.recipes.runner.journal import CellJournal
from educe.train.attach import attach, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.weight_noise import noisy_weights
from tests.nets import tiny, tiny_sliding

SHARED = tuple(range(5, 17))
ITEMS = [
    Branches(prompt=(*SHARED, *range(20, 22 + 5 * n % 17)), options=((30 + n, 40, 41), (50,), (60 + n, 61)))
    for n in range(8)
]
PROMPTS = [item.prompt for item in ITEMS]


@dataclass
class Kept:
    """A journal in memory."""

    parts: dict[tuple[bytes, bytes], dict[str, torch.Tensor]] = field(default_factory=dict)
    saved_seconds: float = 0.0
    probe_seconds: float = 0.0
    names: set[str] = field(default_factory=set)

    def knows(self, asked: bytes) -> bool:
        return any(asked == each for each, _ in self.parts)

    def read(self, asked: bytes, state: bytes) -> Values | None:
        return self.parts.get((asked, state))

    def write(self, parts: Mapping[bytes, Values], state: bytes, *, instead_of: Collection[bytes] = ()) -> None:
        self.names.update(name for values in parts.values() for name in values)
        self.parts = {
            key: values for key, values in self.parts.items() if not (key[0] in instead_of and key[1] == state)
        }
        self.parts |= {(asked, state): {name: each.clone() for name, each in of.items()} for asked, of in parts.items()}


class Killed(BaseException):
    """In the place of a signal."""


@contextmanager
def forwards(model: Model, *, most: int | None = None) -> Iterator[list[int]]:
    """Count the tokens of every forward of the decoder; the one after `most` is where the process ends."""
    seen: list[int] = []

    def count(module: Any, arguments: Any, named: Any) -> None:
        if len(seen) == most:
            raise Killed
        seen.append(named["input_ids"].numel())

    hook = decoder_of(model.net).register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


def options(model: Model) -> Any:
    return score.score_options(model, ITEMS)


def layers(model: Model) -> Any:
    return lens.lens_scores(model, ITEMS, layers=[0, 1])


def greedy(model: Model) -> Any:
    return sample.generate(model, PROMPTS, max_new_tokens=3)


def sampled(model: Model) -> Any:
    return sample.generate(model, PROMPTS, max_new_tokens=3, temperature=1.0, seed=3, stops=("x",))


ASKED = [options, layers, greedy, sampled]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches pass the head together, several such parts make a call, and each is written at once."""
    monkeypatch.setattr(score, "PACK_TOKENS", 16)
    monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 40})
    monkeypatch.setattr(score, "HEAD_ROWS", 24)
    monkeypatch.setattr(sample, "BATCH_TOKENS", 80)
    monkeypatch.setattr(journal, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(journal, "MOST_OVERHEAD", float("inf"))


@pytest.mark.parametrize(
    ("make", "every"), [(tiny, 4), *(pytest.param(make, 1, marks=pytest.mark.slow) for make in (tiny, tiny_sliding))]
)
@pytest.mark.parametrize("ask", ASKED)
def test_a_call_that_was_cut_off_anywhere_goes_on_to_the_same_bytes(
    ask: Callable[[Model], Any], make: Callable[[], Model], every: int
) -> None:
    model = make()
    with forwards(model) as undisturbed:
        whole = ask(model)
    again = []
    for most in itertools.count(0, every):
        kept = Kept()
        with forwards(model, most=most) as first, journalling(kept):
            try:
                assert ask(model) == whole, "a journal changes nothing"
                break
            except Killed:
                pass
        with forwards(model) as second, journalling(kept):
            assert ask(model) == whole, f"cut off before forward {most}"
        assert len(first) == most
        assert sum(second) <= sum(undisturbed) + 2 * 16 + len(SHARED), "the probe's tokens, and the prefix again"
        again.append(sum(second))
    assert most >= len(undisturbed)
    assert again[-1] < sum(undisturbed) / 2 < again[0]


@pytest.mark.parametrize("ask", ASKED)
def test_a_whole_journal_answers_without_the_model(ask: Callable[[Model], Any]) -> None:
    model, kept = tiny(), Kept()
    with journalling(kept):
        whole = ask(model)
    assert kept.saved_seconds == 0, "a call reads nothing of its own"
    with forwards(model) as seen, journalling(kept):
        assert ask(model) == whole
    assert len(seen) == 1 + (ask is layers) and sum(seen) <= 16 + (ask is layers), "what tells the model apart"
    assert kept.saved_seconds > 0


@pytest.mark.parametrize("ask", ASKED)
def test_a_restart_with_other_memory_forms_the_same_batches(
    ask: Callable[[Model], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, kept = tiny(), Kept()
    whole = ask(model)
    with journalling(kept), forwards(model, most=4), pytest.raises(Killed):
        ask(model)
    monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 200})
    monkeypatch.setattr(sample, "BATCH_TOKENS", 300)
    monkeypatch.setattr(lens, "kept_limits", score.kept_limits)
    with journalling(kept):
        assert ask(model) == whole
    # Free memory is no part of what is asked: without the journal executed FLOPs, at least, are others.
    assert ask(model).executed_flops != whole.executed_flops


@pytest.mark.parametrize("ask", ASKED)
def test_answers_of_another_model_are_not_used(ask: Callable[[Model], Any]) -> None:
    model, kept = tiny(), Kept()
    with journalling(kept):
        ask(model)
    number = len(kept.parts)
    with noisy_weights(model, level=0.05, seed=0):
        noisy = ask(model)
        with journalling(kept):
            assert ask(model) == noisy, "noise is no part of the model's identity"
    with temporary_changes(model):
        tuned = attach(model, Lora(rank=2), seed=0)
        for each in tuned.trained.values():
            torch.nn.init.normal_(each, std=0.2)
        alone = ask(tuned)
        with journalling(kept):
            assert ask(tuned) == alone
            (last,) = list(tuned.trained.values())[-1:]
            with torch.no_grad():
                last.view(-1)[0] += 0.5
            moved = ask(tuned)
        assert ask(tuned) == moved, "one number of the adapter has moved"
    assert len(kept.parts) >= 4 * number - 3
    with journalling(kept), forwards(model) as seen:
        ask(model)
    assert sum(seen) <= 17, "those of the model itself are still there"


def test_an_adapter_whose_outputs_are_the_same_bits_is_still_another_one() -> None:
    """Before it has learned anything, an adapter adds zeros."""
    model, kept = tiny(), Kept()
    with temporary_changes(model), journalling(kept):
        tuned = attach(model, Lora(rank=2), seed=0)
        before = [state for _, state in kept.parts]
        options(model)
        options(tuned)
    assert not before and len({state for _, state in kept.parts}) == 2


@pytest.mark.parametrize("ask", [sampled, greedy])
def test_other_settings_are_another_question(ask: Callable[[Model], Any]) -> None:
    model, kept = tiny(), Kept()
    with journalling(kept):
        ask(model)
        for changed in ({"seed": 4}, {"temperature": 0.5}, {"max_new_tokens": 2}, {"stops": ("y",)}):
            settings = {"max_new_tokens": 3, "temperature": 1.0, "seed": 3, "stops": ("x",), **changed}
            found = sample.generate(model, PROMPTS, **settings)
            with journalling(None):
                assert found == sample.generate(model, PROMPTS, **settings)


@pytest.mark.parametrize("ask", ASKED)
def test_values_that_do_not_fit_what_was_asked_are_computed_again(ask: Callable[[Model], Any]) -> None:
    """A run directory may be a stranger's, with checksums that are right."""
    model, kept = tiny(), Kept()
    with journalling(kept):
        whole = ask(model)
    original = dict(kept.parts)
    for name in sorted({name for values in original.values() for name in values}):
        numbers = (torch.tensor(each, dtype=torch.float64) for each in (float("nan"), -1.0, 1e300))
        for wrong in (torch.zeros(3, 3), torch.full((2,), -5), None, *numbers):
            kept.parts = {
                key: {other: each for other, each in values.items() if other != name}
                | ({name: wrong} if wrong is not None and name in values else {})
                for key, values in original.items()
            }
            with journalling(kept):
                assert ask(model) == whole, (name, wrong)
            assert 0 <= kept.saved_seconds < 1e6, (name, wrong)


def test_a_short_call_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    model, kept = tiny(), Kept()
    monkeypatch.setattr(journal, "WRITE_SECONDS", 3.0)
    clock = itertools.count(step=0.01)
    monkeypatch.setattr("educe.eval.model.journal.time.monotonic", lambda: next(clock))
    with journalling(kept), forwards(model) as seen:
        options(model)
    assert not kept.parts
    with forwards(model) as plain:
        options(model)
    assert seen == plain, "nor is its model told apart"


def test_what_a_long_call_has_is_written_every_few_seconds_and_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    model, kept = tiny(), Kept()
    now = [0.0]
    monkeypatch.setattr(journal, "WRITE_SECONDS", 3.0)
    monkeypatch.setattr("educe.eval.model.journal.time.monotonic", lambda: now[0])
    sizes = []

    def compute() -> Values:
        now[0] += 1.25
        return {"flops": torch.tensor(1.0)}

    with journalling(kept), journalled(model, prompt=SHARED) as call:
        for place in range(7):
            call.get(place, compute, fits=lambda values: True)
            sizes.append(len(kept.parts))
    assert sizes == [0, 0, 3, 3, 3, 6, 6] and len(kept.parts) == 7


def test_telling_a_slow_model_apart_is_a_small_share_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    model, kept = tiny(), Kept(probe_seconds=1.0)
    now = [0.0]
    monkeypatch.setattr(journal, "WRITE_SECONDS", 3.0)
    monkeypatch.setattr(journal, "MOST_OVERHEAD", 0.02)
    monkeypatch.setattr("educe.eval.model.journal.time.monotonic", lambda: now[0])
    written = []

    def compute() -> Values:
        now[0] += 10
        return {"flops": torch.tensor(1.0)}

    with journalling(kept), journalled(model, prompt=SHARED) as call:
        for place in range(6):
            call.get(place, compute, fits=lambda values: True)
            written.append(len(kept.parts))
    assert written == [0, 0, 0, 0, 5, 6], "a second in fifty"


def test_the_states_of_a_part_that_is_complete_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the larger by far, and only a part that a kill cuts off has a use for them."""
    model, kept, late = tiny(), Kept(), Kept()
    with journalling(kept):
        options(model)
    now = itertools.count()
    monkeypatch.setattr(journal, "WRITE_SECONDS", 1e9)
    monkeypatch.setattr("educe.eval.model.journal.time.monotonic", lambda: next(now))
    with journalling(late), journalled(model, prompt=SHARED) as call:
        call.get("whole", lambda: call.get("inner", lambda: {"a": torch.ones(1)}, fits=bool), fits=bool)
        monkeypatch.setattr(journal, "WRITE_SECONDS", 0.0)
    assert len(late.parts) == 1
    assert "states" in kept.names and not any("states" in values for values in kept.parts.values())


def test_kills_leave_nothing_in_a_journal_that_a_run_without_them_does_not(tmp_path: Path) -> None:
    model = tiny()

    def run(path: Path, most: int | None) -> bytes:
        kept = closing(CellJournal(path, {}, say=lambda _: None, prepare=make_parents))
        with kept as opened, journalling(opened), forwards(model, most=most), suppress(Killed):
            options(model)
        return path.read_bytes()

    whole = run(tmp_path / "whole.bin", None)
    *cut_off, last = [run(tmp_path / "killed.bin", most) for most in (4, 3, 3, None)]
    assert any(b'"states"' in each for each in cut_off) and b'"states"' not in last
    assert len(last) == len(whole)


@pytest.mark.parametrize("ask", ASKED)
def test_limits_of_a_call_are_not_those_of_another_with_the_same_prefix(
    ask: Callable[[Model], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, kept = tiny(), Kept()
    with journalling(kept):
        ask(model)
        monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 200})
        monkeypatch.setattr(sample, "BATCH_TOKENS", 300)
        others = [ITEMS[0], *(Branches(prompt=(*each.prompt[:-1], 3), options=each.options) for each in ITEMS[1:])]
        monkeypatch.setitem(globals(), "ITEMS", others)
        monkeypatch.setitem(globals(), "PROMPTS", [item.prompt for item in others])
        found = ask(model)
    assert found.executed_flops == ask(model).executed_flops


def test_the_hash_of_the_code_is_that_of_what_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = journal.code_digest()
    assert journal.code_digest.__wrapped__() == before, "no file has changed since"
    monkeypatch.setattr(journal, "read_bytes", lambda path: b"edited while the run is at work")
    assert journal.code_digest.__wrapped__() != before == journal.code_digest()


def test_hidden_states_are_read_in_the_same_batches_as_before() -> None:
    model = tiny()
    assert states.last_token_states(model, PROMPTS).values.isfinite().all()
