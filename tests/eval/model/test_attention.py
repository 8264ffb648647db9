"""Block-sparse attention against dense masks, on a CPU: what a GPU would be asked, not how fast it answers."""

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import flex_attention as flex

from educe.eval.model import attention, score
from educe.eval.model.attention import BLOCK_SPARSE, allow_block_sparse, attention_of, block_mask, dense_mask
from educe.eval.model.check import check_architecture
from educe.eval.model.encode import encode_text
from educe.eval.model.model import Model
from educe.eval.model.sample import generate
from educe.eval.model.score import score_options
from educe.eval.model.tree import Batch, Pack, Row, collate
from educe.train.encode import TrainingRow
from educe.train.loss import AnswerLoss
from tests.eval.model.test_score import encoded
from tests.nets import tiny, tiny_sliding

NETS = [tiny, tiny_sliding]
CPU = torch.device("cpu")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Block masks for every tree, and flex attention without a compiler."""
    monkeypatch.setattr(attention, "BLOCK_SPARSE_KEYS", 1)
    monkeypatch.setattr(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    monkeypatch.setattr(attention, "_kernel", lambda: flex.flex_attention)


def sparse(make: Callable[[], Model]) -> Model:
    model = make()
    allow_block_sparse(model.net)
    assert attention_of(model.net) == BLOCK_SPARSE
    return model


Segments = list[tuple[int, list[int]]]  # each row: the length of its stem, and of its branches


@st.composite
def packs(draw: st.DrawFn) -> tuple[int, list[tuple[int, Segments]]]:
    """A prefix, and packs with a lead and rows; long enough that some fill more than one block."""
    size = st.integers(0, 70)
    row = st.tuples(st.integers(1, 70), st.lists(size, max_size=3))
    pack = st.tuples(size, st.lists(row, min_size=1, max_size=4))
    return draw(st.integers(0, 150)), draw(st.lists(pack, min_size=1, max_size=3))


def collated(prefix: int, drawn: list[tuple[int, Segments]]) -> Batch:
    made = [
        Pack(
            lead=(3,) * lead,
            rows=tuple(Row(stem=(4,) * stem, branches=tuple((5,) * b for b in bs)) for stem, bs in rows),
        )
        for lead, rows in drawn
    ]
    return collate(tiny().net, made, prefix=prefix, pad=0)


def paths(prefix: int, lead: int, rows: Segments) -> Iterator[tuple[list[int], int]]:
    """Of every token of a pack: the places among the keys of all before it on its way from the root, and its own."""
    place = prefix

    def walk(before: list[int], length: int) -> Iterator[tuple[list[int], int]]:
        nonlocal place
        for _ in range(length):
            yield list(before), place
            before.append(place)
            place += 1

    root = list(range(prefix))
    yield from walk(root, lead)
    for stem, branches in rows:
        trunk = list(root)
        yield from walk(trunk, stem)
        for branch in branches:
            yield from walk(list(trunk), branch)


@settings(max_examples=60, deadline=None)
@given(packs(), st.one_of(st.none(), st.integers(1, 200)))
def test_dense_and_block_masks_show_what_the_tree_says(drawn, window):
    prefix, packs = drawn
    batch = collated(prefix, packs)
    size = {"rows": len(packs), "queries": batch.ids.shape[1], "keys": batch.num_keys, "device": CPU}
    expected = torch.zeros(len(packs), batch.ids.shape[1], batch.num_keys, dtype=torch.bool)
    for index, (lead, rows) in enumerate(packs):
        end = prefix
        for before, place in paths(prefix, lead, rows):
            seen = [*before, place]
            assert batch.positions[index, place - prefix] == len(before)
            expected[index, place - prefix, seen[-window:] if window else seen] = True
            end = place + 1
        for place in range(end, batch.num_keys):  # padding
            expected[index, place - prefix, [*range(prefix if window is None else 0), place]] = True
    dense = dense_mask(batch.sees(window), **size)[:, 0]
    real = (
        torch.arange(batch.ids.shape[1])
        < torch.tensor([lead + sum(s + sum(b) for s, b in rows) for lead, rows in packs])[:, None]
    )
    assert torch.equal(dense[real], expected[real])
    assert dense.any(dim=2).all(), "a query that sees nothing gives NaN"
    check_blocks(block_mask(batch.sees(window), **size), dense)


def check_blocks(mask: flex.BlockMask, dense: torch.Tensor) -> None:
    """A kernel reads all of the full blocks, asks the function in the partial ones, and skips the others."""
    rows, queries, keys = dense.shape
    assert mask.shape == (rows, 1, queries, keys)
    found = torch.zeros_like(dense)
    row = torch.arange(rows)[:, None, None]
    asked = mask.mask_mod(row, row, torch.arange(queries)[:, None], torch.arange(keys))
    listed = [(mask.kv_num_blocks, mask.kv_indices, asked)]
    listed.append((mask.full_kv_num_blocks, mask.full_kv_indices, torch.ones_like(dense)))
    for number, indices, shown in listed:
        for index, _, block in torch.ones_like(number).nonzero().tolist():
            for other in indices[index, 0, block, : number[index, 0, block]].tolist():
                here = index, slice(128 * block, 128 * block + 128), slice(128 * other, 128 * other + 128)
                assert not found[here].any(), "a block that is listed twice counts twice"
                found[here] = shown[here]
    assert torch.equal(found, dense)


def test_blocks_that_nobody_sees_are_skipped():
    """Four rows of 128 tokens in a pack: of its 16 blocks only those on the diagonal are read."""
    batch = collated(0, [(0, [(128, [])] * 4)])
    mask = block_mask(batch.sees(), rows=1, queries=512, keys=512, device=CPU)
    assert mask.kv_num_blocks.tolist() == [[[1] * 4]] and mask.kv_indices[0, 0, :, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("make", NETS)
@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("width", [1, 1000])
def test_block_sparse_scores_equal_dense_ones(make, shots, width, monkeypatch):
    monkeypatch.setattr(score, "PACK_TOKENS", width)
    dense, blocks = make(), sparse(make)
    items = encoded(dense, shots=shots)
    expected = score_options(dense, items).loglikelihoods
    for one, other in zip(score_options(blocks, items).loglikelihoods, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("make", NETS)
def test_block_sparse_prompts_are_continued_like_dense_ones(make):
    dense, blocks = make(), sparse(make)
    prompts = [encode_text(dense, text) for text in ("one two three", "one two", "one two three four")]
    assert generate(blocks, prompts, max_new_tokens=6).texts == generate(dense, prompts, max_new_tokens=6).texts


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("make", NETS)
def test_block_sparse_gradients_equal_dense_ones(make, monkeypatch):
    """Torch has no compiled backward on CPUs and refuses all; the one that its compiler starts from is the same."""
    monkeypatch.setattr(flex, "_validate_device", lambda *_: None)
    rows = [TrainingRow(id=str(n), ids=tuple(range(3, 3 + n)), supervised=2) for n in (9, 14, 20)]
    gradients = []
    for model in (make(), sparse(make)):
        model.net.requires_grad_(True)
        AnswerLoss(model.net, shared=2, pad=0)([rows]).backward()
        gradients.append([parameter.grad for parameter in model.net.parameters()])
    for dense, blocks in zip(*gradients, strict=True):
        torch.testing.assert_close(blocks, dense, atol=1e-5, rtol=1e-4)


@pytest.mark.usefixtures("eager")
def test_a_net_with_block_masks_is_checked_at_load_like_any_other():
    check_architecture(sparse(tiny_sliding).net, name="made")


def test_few_keys_are_read_under_a_dense_mask_and_many_in_whole_blocks(monkeypatch):
    """The net is never asked for a block mask below the limit, where compiling would take longer than it saves."""
    model = sparse(tiny)
    pack = [Pack(rows=(Row(stem=(4,) * 30, selected=(29,)),))]
    assert collate(model.net, pack, prefix=5, pad=0).ids.shape == (1, 30)
    monkeypatch.setattr(attention, "BLOCK_SPARSE_KEYS", 35)
    assert collate(model.net, pack, prefix=5, pad=0).ids.shape == (1, 128)
    assert collate(tiny().net, pack, prefix=5, pad=0).ids.shape == (1, 30)
    after = collate(model.net, pack, prefix=5, pad=0).after(torch.tensor([7]))
    assert not attention.takes_blocks(model.net, width=1, keys=after.num_keys)


def test_other_masks_are_read_as_without_block_masks():
    """A net that is called by others, without a mask or with a padding mask, runs what it ran before."""
    ids = torch.tensor([[0, 5, 6, 7], [8, 9, 10, 11]])
    for inputs in ({}, {"attention_mask": torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])}):
        dense, blocks = (model.net(input_ids=ids, **inputs).logits for model in (tiny_sliding(), sparse(tiny_sliding)))
        assert torch.equal(dense, blocks)


def test_few_compiled_kernels_serve_all_sizes_and_windows(monkeypatch):
    """One for several rows, one for a single row. Traced as for a GPU, run without a code generator."""
    from torch._dynamo.testing import CompileCounterWithBackend

    monkeypatch.setattr(attention, "BLOCK_SPARSE_KEYS", 1)
    counter = CompileCounterWithBackend("aot_eager")
    kernel = torch.compile(
        flex.flex_attention, dynamic=True, fullgraph=True, recompile_limit=64, isolate_recompiles=True, backend=counter
    )
    monkeypatch.setattr(attention, "_kernel", lambda: kernel)
    dense, blocks = tiny_sliding(), sparse(tiny_sliding)
    for shots in (0, 1, 2):
        items = encoded(dense, shots=shots)
        for width in (1, 300, 1000):
            monkeypatch.setattr(score, "PACK_TOKENS", width)
            expected = score_options(dense, items).loglikelihoods
            for one, other in zip(score_options(blocks, items).loglikelihoods, expected, strict=True):
                assert one == pytest.approx(other, abs=1e-4)
    assert counter.frame_count <= 3, "with fixed sizes there are 6"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler asks for what torch has deprecated
def test_compiled_scores_equal_dense_ones(monkeypatch):
    """The C++ that torch generates for CPUs, with fixed sizes: for others it does not compile in torch 2.13."""
    monkeypatch.setattr(attention, "BLOCK_SPARSE_KEYS", 1)
    kernel = torch.compile(flex.flex_attention, dynamic=False)
    monkeypatch.setattr(attention, "_kernel", lambda: kernel)
    dense, blocks = tiny_sliding(), sparse(tiny_sliding)
    items = encoded(dense, shots=2)
    expected = score_options(dense, items).loglikelihoods
    for one, other in zip(score_options(blocks, items).loglikelihoods, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_only_nvidia_devices_with_triton_and_new_enough_run_block_sparse(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(attention, "find_spec", lambda name: name)
    assert attention.runs_block_sparse(cuda)
    assert not attention.runs_block_sparse(torch.device("mps")) and not attention.runs_block_sparse(CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert not attention.runs_block_sparse(cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(attention, "find_spec", lambda name: None)
    assert not attention.runs_block_sparse(cuda)


def test_a_decoder_without_flex_attention_stays_as_it_is(monkeypatch):
    model = tiny()
    monkeypatch.setattr(type(model.net.get_decoder()), "_supports_flex_attn", False)
    allow_block_sparse(model.net)
    assert attention_of(model.net) == "sdpa" == attention_of(tiny().net)
