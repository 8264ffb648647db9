"""Models with weights in 4 bits: the same sizes, nearly the same answers, and adapters that train on them (QLoRA)."""

from pathlib import Path

import pytest
import torch

from educe.data.errors import UserError
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.model.load import load_model
from educe.eval.model.source import find_source
from educe.eval.prompting.prompts import make_prompt_fn
from educe.recipes.catalog import make_method
from educe.train.attach import snapshot, temporary_changes
from tests.nets import tiny

TASK = word_sentiment()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, model = tmp_path_factory.mktemp("models") / "tiny", tiny()
    model.net.save_pretrained(path)
    model.tokenizer.save_pretrained(path)
    return path


def quantized(folder: Path):
    pytest.importorskip("bitsandbytes", reason="the extra 'quantized' is not installed")
    return load_model({f"path:{folder}": {"quantize": "nf4", "kind": "base"}}, dtype="float32", device="cpu")


def likelihoods(model):
    answers = measure(model, TASK, make_prompt_fn(model, TASK), TASK.test_items(8))
    return torch.tensor([outcome.loglikelihoods for outcome in answers.outcomes])


def test_sizes_are_those_of_the_whole_weights_and_answers_those_of_the_rounded_ones(folder: Path) -> None:
    coarse, whole = quantized(folder), load_model({f"path:{folder}": {"kind": "base"}}, dtype="float32")
    assert coarse.shape == whole.shape  # so FLOPs are, too
    assert coarse.fingerprint != whole.fingerprint and coarse.name == "tiny-nf4" and coarse.quantize == "nf4"
    functional = pytest.importorskip("bitsandbytes.functional")
    plain, rounded = likelihoods(whole), 0
    for name, part in coarse.net.named_modules():
        if type(part).__name__ == "Linear4bit":
            values = functional.dequantize_4bit(part.weight.data, part.weight.quant_state)
            whole.net.get_submodule(name).weight.copy_(values)
            rounded += 1
    assert rounded == 14  # seven maps in each of two layers, and not the head
    assert torch.allclose(likelihoods(coarse), likelihoods(whole), atol=1e-3)
    assert not torch.allclose(plain, likelihoods(whole), atol=1e-2)


def test_an_adapter_trains_on_weights_that_stay_as_they_are(folder: Path) -> None:
    model = quantized(folder)
    before = {name: parameter.clone() for name, parameter in model.net.named_parameters()}
    asked = likelihoods(model)
    _, method = make_method({"iid_sft": {"max_examples_seen": 64, "learning_rate": 0.01}})
    with temporary_changes(model):
        elicited = method(model, TASK, examples=8, seed=0)
        assert elicited.details.training.precision == "float32"  # no second format for maps in 4 bits
        losses = [step["loss"] for step in elicited.history]
        assert losses[-1] < losses[0]
        assert any(part.any() for name, part in snapshot(elicited.model).items() if ".lora_B." in name)
    assert all(torch.equal(before[name], parameter) for name, parameter in model.net.named_parameters())
    assert torch.equal(likelihoods(model), asked)


def test_what_cannot_be_done_in_four_bits_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / file).write_text("{}")
    for options, message in (
        ({"quantize": "nf5"}, "did you mean 'nf4'"),
        ({"quantize": "nf4", "adapter": str(tmp_path)}, "adapter to merge"),
    ):
        with pytest.raises(UserError, match=message):
            find_source({f"path:{folder}": options})
    with pytest.raises(UserError, match="drop quantize"):
        find_source({"tiny-random": {"quantize": "nf4"}})
    monkeypatch.setattr("educe.eval.model.bitsandbytes.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"educe\[quantized\]"):
        load_model({f"path:{folder}": {"quantize": "nf4"}}, dtype="float32", device="cpu")


def test_weights_in_four_bits_cannot_take_steps_of_their_own(folder: Path) -> None:
    model = quantized(folder)
    _, method = make_method({"full_fine_tune": {"max_examples_seen": 8}})
    with temporary_changes(model), pytest.raises(UserError, match="drop quantize"):
        method(model, TASK, examples=4, seed=0)
