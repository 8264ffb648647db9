"""States of batched texts against one text at a time."""

import pytest
import torch

from educe.eval.model.encode import encode_text
from educe.eval.model.flops import forward_flops
from educe.eval.model.states import last_token_states
from tests.nets import tiny, tiny_sliding


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_states_are_those_of_each_text_alone(make):
    model = make()
    shots = "Word: good. Sentiment: positive. Word: "
    texts = [
        encode_text(model, shots + rest) for rest in ("bad", "awful, and long enough to fill a pack", "so", "bad!")
    ]
    read = last_token_states(model, texts)
    for place, text in enumerate(texts):
        with torch.inference_mode():
            alone = model.net(torch.tensor([text]), output_hidden_states=True).hidden_states
        # The first is the embedding; the last comes after the final norm.
        for layer in range(model.shape.layers - 1):
            assert torch.allclose(read.values[layer, place], alone[layer + 1][0, -1], atol=1e-5)
    assert read.flops == sum(forward_flops(model.shape, len(text), scored=0) for text in texts)
