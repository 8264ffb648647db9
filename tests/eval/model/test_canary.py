"""The canary: the same for one model however it is computed, and another for another model."""

import pytest
import torch

from educe.data.errors import UserError
from educe.eval.measurement import NUM_CANARY
from educe.eval.model import score
from educe.eval.model.canary import TEXTS, TOLERANCE, ModelChanged, canary_of, check_canary, with_canary
from educe.eval.model.load import load_model
from tests.nets import tiny


def test_it_is_the_log_likelihood_of_eight_texts_by_a_plain_forward() -> None:
    model = with_canary(tiny())
    assert len(TEXTS) == len(model.canary) == NUM_CANARY == 8
    ids = model.tokenizer(TEXTS[0], return_tensors="pt").input_ids
    start = len(model.tokenizer("The capital of France is").input_ids)
    with torch.inference_mode():
        logprobs = model.net(ids).logits.double().log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
    assert model.canary[0] == pytest.approx(logprobs[start - 1 :].sum().item(), abs=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_batches_change_less_than_is_allowed(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, threads = load_model("tiny-random", dtype=dtype), torch.get_num_threads()  # type: ignore[arg-type]
    together = canary_of(model)
    monkeypatch.setattr(score, "PACK_TOKENS", 1)
    check_canary(with_canary(model), together)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("part", ["embed_tokens.weight", "layers.0.self_attn.v_proj.weight", "norm.weight"])
def test_another_model_has_another_canary(part: str) -> None:
    model, before = tiny(), canary_of(tiny())
    weight = model.net.model.get_parameter(part)
    weight.add_(0.5 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    changed = with_canary(model)
    with pytest.raises(ModelChanged, match=r"^model 'tiny-random' has changed: it gives '.*' a log-likelihood of -\d"):
        check_canary(changed, before)
    assert max(abs(now - then) for now, then in zip(changed.canary, before, strict=True)) > 10 * TOLERANCE["float32"]


def test_what_a_forward_raises_is_one_line_with_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()

    def fails(*args: object, **more: object) -> None:
        raise IndexError("of a stranger")

    monkeypatch.setattr(model.net.model, "forward", fails)
    with pytest.raises(UserError, match=r"^model 'tiny-random' cannot read '.*': IndexError: of a stranger; give the"):
        canary_of(model)


def test_what_is_no_number_is_refused() -> None:
    model = tiny()
    model.net.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"^model 'tiny-random' in float32 gives '.*' a log-likelihood of nan"):
        canary_of(model)
