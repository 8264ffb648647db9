"""Back-off: pieces are halved until they fit, in order, and a row that never fits is one line."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.model import score
from educe.eval.model.load import load_model
from educe.eval.model.memory import fitting_sizes, map_with_backoff, sizes_in
from educe.eval.model.score import score_options
from tests.eval.model.test_score import encoded
from tests.nets import tiny


def fits(most, seen):
    def work(group):
        seen.append(len(group))
        if len(group) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return sum(group)

    return work


def test_groups_are_halved_until_they_fit():
    seen: list[int] = []
    assert list(map_with_backoff([[1, 2, 3, 4, 5], [6]], fits(2, seen))) == [
        ([1, 2], 3),
        ([3], 3),
        ([4, 5], 9),
        ([6], 6),
    ]
    assert seen == [5, 2, 3, 1, 2, 1]


def test_a_row_that_never_fits_is_one_line():
    with pytest.raises(UserError, match="one row alone does not fit into memory"):
        list(map_with_backoff([[1, 2]], fits(0, [])))


def test_other_errors_are_not_swallowed():
    def broken(group):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(map_with_backoff([[1, 2]], broken))


def test_scores_are_the_same_in_pieces(monkeypatch):
    monkeypatch.setattr(score, "PACK_TOKENS", 1)
    model = tiny()
    items = encoded(model, shots=2)
    whole = score_options(model, items)
    inner = model.net.model.forward

    refused = []

    def tight(*args, input_ids, **named):
        if len(input_ids) > 1:
            refused.append(len(input_ids))
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return inner(*args, input_ids=input_ids, **named)

    monkeypatch.setattr(model.net.model, "forward", tight)
    pieces = score_options(model, items)
    assert refused == [3, 2]
    for one, other in zip(whole.loglikelihoods, pieces.loglikelihoods, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_sizes_follow_free_memory_by_the_stated_formula():
    """Two layers of four heads with 16 numbers each, and 36,864 weights in the maps of a layer."""
    shape = replace(tiny().shape, stage_parameters=(8192, 4096, 16384, 8192))
    key = 2 * 2 * 4 * 16 * 2
    token = 36_864 // 64 * 2 + 12 * 64 + 3 * 1024
    free = 4 * token * 1000
    assert sizes_in(free, shape, bytes_each=2) == (512, 2 ** int(math.log2(free / 4 / key)))
    assert sizes_in(free + 4 * token * 20, shape, bytes_each=2)[0] == 512, "a few bytes change no batch"
    assert sizes_in(2 * free, shape, bytes_each=2)[0] == 1024
    assert sizes_in(10**13, shape, bytes_each=2) == (2**16, 2**20), "the caps"
    assert sizes_in(0, shape, bytes_each=2) == (1, 1), "the back-off says what does not fit"


def test_a_cuda_device_gets_batches_that_fit_and_others_what_they_had(monkeypatch):
    free = 10**7
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free - 500, 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    model = tiny()
    sizes = sizes_in(free, model.shape, bytes_each=4)
    assert fitting_sizes(model) == sizes, "what torch keeps for later counts as free"
    assert score._limits(model) == (512, 16384)
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    assert score._limits(model) == sizes


def test_workers_share_weights_that_are_read_in_the_dtype_of_their_file(tmp_path):
    """Transformers maps the file; a copy for every worker would be a change of its loader or of ours."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("only Linux lists what a process has mapped")
    model = tiny()
    model.net.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    for dtype, mapped in (("float32", True), ("bfloat16", False)):
        loaded = load_model(f"path:{tmp_path}", dtype=dtype)
        lines = Path("/proc/self/maps").read_text().splitlines()
        spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines if str(tmp_path) in line]
        places = [parameter.data_ptr() for parameter in loaded.net.parameters()]
        assert all(any(low <= place < high for low, high in spans) for place in places) is mapped
