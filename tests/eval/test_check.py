"""Nets that follow masks and positions pass; others are refused with their name."""

import pytest

from data.errors import UserError
from eval.check import check_tree
from tests.nets import tiny, tiny_sliding


@pytest.mark.parametrize("make", [tiny, tiny_sliding])
def test_the_tree_check_accepts_nets_that_take_masks(make):
    check_tree(make().net, name="tiny")


def test_the_tree_check_refuses_a_net_that_ignores_masks(monkeypatch):
    subject = tiny()
    forward = subject.net.model.forward
    monkeypatch.setattr(subject.net.model, "forward", lambda *args, attention_mask=None, **more: forward(*args, **more))
    with pytest.raises(UserError, match="tiny-random"):
        check_tree(subject.net, name="tiny-random")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "layer_types",
            ["full_attention", "chunked_attention"],
            "has layers of type 'chunked_attention'; only full and",
        ),
        ("num_local_experts", 8, "is a mixture of experts, whose FLOPs depend on routing; use a dense model"),
    ],
)
def test_layers_that_are_not_understood_are_refused(key, value, says):
    net = tiny().net
    setattr(net.config, key, value)
    with pytest.raises(UserError, match=says):
        check_tree(net, name="tiny")
