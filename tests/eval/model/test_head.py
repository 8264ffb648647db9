"""The head in slices gives what the whole head gives, whatever the net does to logits afterwards."""

import pytest
import torch
from torch import nn

from educe.eval.model import head
from educe.eval.model.head import token_logprobs
from tests.nets import tiny


@pytest.fixture
def case():
    model = tiny()
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(5, model.shape.hidden, generator=generator)
    places = torch.tensor([0, 4, 4, 2])
    words = torch.tensor([0, model.shape.vocab - 1, 7, 8])
    return model.net, states, places, words


def whole(net, states, places, words):
    with torch.inference_mode():
        logprobs = net.lm_head(states).log_softmax(-1)
    return logprobs[places, words]


@pytest.mark.parametrize("logits", [1, 5 * 7, 2**22])
def test_slices_of_any_size_equal_the_whole(case, monkeypatch, logits):
    monkeypatch.setitem(head.SLICE_LOGITS, "cpu", logits)
    net, states, places, words = case
    with torch.inference_mode():
        assert torch.allclose(token_logprobs(net, states, places, words), whole(*case), atol=1e-5)


def test_the_net_is_left_as_it_was(case):
    net, *_ = case
    before = dict(vars(net.model)), dict(vars(net.lm_head))
    with torch.inference_mode():
        token_logprobs(*case)
    assert (dict(vars(net.model)), dict(vars(net.lm_head))) == before


def test_a_head_that_is_no_plain_linear_map_runs_whole(case):
    net, *_ = case

    class Capped(nn.Linear):
        def forward(self, rows):
            return super().forward(rows).tanh()

    capped = Capped(net.lm_head.in_features, net.lm_head.out_features, bias=False)
    capped.weight = net.lm_head.weight
    net.lm_head = capped
    with torch.inference_mode():
        assert torch.allclose(token_logprobs(*case), whole(*case), atol=1e-5)


def test_what_a_net_does_after_its_head_is_kept():
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    net = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            final_logit_softcapping=0.05,
        )
    ).eval()
    ids = torch.tensor([[3, 4, 5]])
    with torch.inference_mode():
        expected = net(ids).logits[0].log_softmax(-1)
        states = net.model(ids).last_hidden_state[0]
        uncapped = net.lm_head(states).log_softmax(-1)
        found = token_logprobs(net, states, torch.tensor([1, 2]), torch.tensor([9, 49]))
    assert torch.allclose(found, expected[[1, 2], [9, 49]], atol=1e-5)
    assert not torch.allclose(found, uncapped[[1, 2], [9, 49]], atol=1e-3)


def test_bfloat16_logits_are_reduced_in_float32(case, monkeypatch):
    """Over 261 words a sum in bfloat16 is off by hundredths of a nat; in slices, too."""
    net, states, places, words = case
    net, states = net.bfloat16(), states.bfloat16()
    monkeypatch.setitem(head.SLICE_LOGITS, "cpu", 5 * 100)
    with torch.inference_mode():
        exact = net.lm_head(states).double().log_softmax(-1)[places, words]
        found = token_logprobs(net, states, places, words)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), exact, atol=1e-5)
