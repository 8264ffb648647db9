"""What a launch of many processes asks for, as far as one process can tell; launches are in tests/recipes."""

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.model.net import full_shape
from educe.eval.model.sharded import _without_backoff, gathering, is_sharded, set_sharding_dtype, unshard
from educe.train import processes
from educe.train.processes import make_accelerator, process_state, shards_weights
from tests.nets import tiny

CPU = torch.device("cpu")


def test_deepspeed_that_is_asked_for_and_not_installed_is_one_line(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(processes, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"asks for DeepSpeed, which is not installed; pip install"):
        process_state(CPU)


def test_the_launch_s_accumulation_does_not_divide_losses_behind_our_back(monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    accelerator = make_accelerator(CPU)
    assert accelerator.gradient_accumulation_steps == 1
    assert not shards_weights(accelerator)


def test_a_net_that_is_not_sharded_is_left_alone():
    net = tiny().net
    assert not is_sharded(net)
    with gathering(net):
        assert not any("forward" in vars(part) for part in net.modules())
    weight = net.get_input_embeddings().weight
    assert tuple(full_shape(weight)) == tuple(weight.shape)
    unshard([weight])
    set_sharding_dtype(torch.float32)
    assert weight is net.get_input_embeddings().weight


def test_a_process_that_runs_short_alone_leaves_instead_of_asking_in_halves():
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(UserError, match="memory ran short while measuring a sharded model; use more processes"):
        _without_backoff(full)
    with pytest.raises(RuntimeError, match="another"):
        _without_backoff(lambda: (_ for _ in ()).throw(RuntimeError("another")))
