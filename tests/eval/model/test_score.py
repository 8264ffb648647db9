"""Shared prefixes, branches and compact head against plain recomputation, option by option."""

import pytest
import torch

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.formats.render import option_texts, render
from educe.eval.model import score
from educe.eval.model.encode import Branches, encode_options
from educe.eval.model.model import Model
from educe.eval.model.score import batches, score_options
from educe.eval.model.tree import Row
from educe.eval.progress import progress_listener
from tests.nets import tiny, tiny_chat, tiny_sliding

EXAMPLES = [
    Example(
        id="1", question="What is the capital of France?", answer="Paris", choices=("Paris", "Port Moresby", "Rome")
    ),
    Example(id="2", question="Is water wet?", answer="yes", choices=("yes", "no")),
    Example(id="3", question="How are you?", answer="I am well", choices=("I am well", "I am not", "x")),
]


def plain(model: Model, item: Branches) -> list[float]:
    """Every option's log-likelihood from full logits of its own whole row: no sharing of anything.

    Summed in float64: over Gemma's 262,144 words torch's float32 log-softmax is itself off by more than 1e-4.
    """
    values = []
    for option in item.options:
        with torch.inference_mode():
            logits = model.net(torch.tensor([[*item.prompt, *option]])).logits[0].double()
        logprobs = logits.log_softmax(-1)
        start = len(item.prompt) - 1
        values.append(sum(logprobs[start + i, token].item() for i, token in enumerate(option)))
    return values


def encoded(model: Model, *, shots: int = 0, style: str = "completion", answer_as: str = "text") -> list[Branches]:
    form = Format(answer_as=answer_as)
    return [
        encode_options(model, render(each, form, style=style, shots=EXAMPLES[:shots]), option_texts(each, form))
        for each in EXAMPLES
    ]


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
@pytest.mark.parametrize("shots", [0, 2])
def test_scores_equal_plain_recomputation(make, shots):
    model = make()
    items = encoded(model, shots=shots)
    for item, values in zip(items, score_options(model, items).loglikelihoods, strict=True):
        assert values == pytest.approx(plain(model, item), abs=1e-4)


def test_scores_equal_plain_recomputation_through_the_chat_template():
    model = tiny_chat()
    items = encoded(model, shots=1, style="chat")
    for item, values in zip(items, score_options(model, items).loglikelihoods, strict=True):
        assert values == pytest.approx(plain(model, item), abs=1e-4)


def test_letters_are_scored_with_the_options_in_the_prompt():
    model = tiny()
    (item, *_) = encoded(model, answer_as="letter")
    assert [model.tokenizer.decode(option) for option in item.options] == [" A", " B", " C"]
    assert "B. Port Moresby" in model.tokenizer.decode(item.prompt)


@pytest.mark.parametrize("head_rows", [1, 5, 1024])
def test_scores_do_not_depend_on_the_batch_size(monkeypatch, head_rows):
    monkeypatch.setattr(score, "PACK_TOKENS", 1)
    model = tiny()
    items = encoded(model, shots=1)
    monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 10_000})
    large = score_options(model, items).loglikelihoods
    monkeypatch.setattr(score, "HEAD_ROWS", head_rows)
    monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 1})
    small = score_options(model, items).loglikelihoods
    for one, other in zip(small, large, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_one_item_alone_scores_as_among_others():
    model = tiny()
    items = encoded(model)
    together = score_options(model, items).loglikelihoods
    for item, values in zip(items, together, strict=True):
        assert score_options(model, [item]).loglikelihoods[0] == pytest.approx(values, abs=1e-5)


def test_executed_flops_fall_when_a_prefix_is_shared():
    model = tiny()
    shared = score_options(model, encoded(model, shots=2))
    alone = score_options(model, encoded(model))
    assert shared.executed_flops / shared.flops < 0.7 < alone.executed_flops / alone.flops


def test_progress_counts_every_item_once(monkeypatch):
    monkeypatch.setattr(score, "PACK_TOKENS", 1)
    monkeypatch.setattr(score, "BATCH_TOKENS", {"cpu": 1})
    model = tiny()
    told: list[tuple[str, int, int]] = []
    with progress_listener(lambda *news: told.append(news)):
        score_options(model, encoded(model))
    assert told == [("items scored", 1, 3), ("items scored", 2, 3), ("items scored", 3, 3)]
    score_options(model, encoded(model))
    assert len(told) == 3, "nobody listens any more"


def test_batches_hold_every_row_once_within_the_limits(monkeypatch):
    monkeypatch.setattr(score, "PACK_TOKENS", 12)
    rows = [Row(stem=(length, *range(length - 1)), selected=(0,)) for length in (9, 3, 30, 5, 8, 4, 1)]
    groups = [[indices for indices, _ in group] for group in batches(rows, batch_tokens=25)]
    assert sorted(index for group in groups for pack in group for index in pack) == list(range(7))
    assert any(len(pack) > 1 for group in groups for pack in group)
    for group in groups:
        widths = [sum(len(rows[index]) for index in pack) for pack in group]
        assert all(width <= 12 or len(pack) == 1 for width, pack in zip(widths, group, strict=True))
        assert len(group) == 1 or max(widths) * len(group) <= 25


def test_rows_that_begin_alike_share_their_beginning_in_a_pack(monkeypatch):
    monkeypatch.setattr(score, "PACK_TOKENS", 12)
    stems = [(1, 1, 1, 1, 1, last, 9) for last in (5, 6, 7, 8)] + [(2, 2, 2)]
    (group,) = batches([Row(stem=stem, selected=(len(stem) - 1,)) for stem in stems], batch_tokens=1000)
    assert [indices for indices, _ in group] == [[0, 1, 2], [3, 4]], (
        "5 shared and 3 x 2 own tokens; then 7 and 3 that share none"
    )


@pytest.mark.parametrize("width", [1, 40, 10_000])
def test_scores_do_not_depend_on_who_shares_a_pack(monkeypatch, width):
    model = tiny_sliding()
    items = encoded(model, shots=1)
    monkeypatch.setattr(score, "PACK_TOKENS", width)
    for item, values in zip(items, score_options(model, items).loglikelihoods, strict=True):
        assert values == pytest.approx(plain(model, item), abs=1e-4)


def test_a_prompt_longer_than_the_context_is_refused_with_both_sizes():
    model = tiny()
    long = Example(id="long", question="why? " * 400, answer="a", choices=("a", "b"))
    with pytest.raises(UserError, match=r"2020 tokens, are longer than the context .* \(1024 tokens\)"):
        encode_options(model, render(long, Format(), style="completion"), long.choices)
