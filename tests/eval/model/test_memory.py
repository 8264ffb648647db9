"""Back-off: pieces are halved until they fit, in order, and a row that never fits is one line."""

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.model import score
from educe.eval.model.memory import map_with_backoff
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
