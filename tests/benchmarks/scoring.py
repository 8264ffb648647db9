"""Option likelihoods against lm-eval's HFLM: same items, prompts, weights, float32, batch 16.

Checked: eight items within 1e-4 nats of lm-eval's logits summed in float64; in every timed run all items within 5e-4 of
its own float32 sums, and the same pick wherever the margin is above 1e-3.

python -m tests.benchmarks.scoring
"""

from collections.abc import Sequence

import torch
from lm_eval.models.huggingface import HFLM

from educe.data.example import Example
from educe.data.formats.render import option_texts, render
from educe.data.resolve import resolve
from educe.eval.model.encode import encode_options
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.score import score_options
from educe.eval.prompting.prompts import PromptConfig, resolve_format
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, paired
from tests.harness import lm_eval_likelihoods

Likelihoods = Sequence[Sequence[float]]
# model, shots, how the answer is written, least ratio
SETTINGS = (
    (GEMMA, 0, "text", 5.0),
    (SMOLLM2, 0, "text", 3.0),
    (GEMMA, 10, "text", 50.0),
    (SMOLLM2, 10, "text", 25.0),
    (GEMMA, 0, "letter", 2.0),
    (GEMMA, 10, "letter", 10.0),
)
ITEMS, WARM_UP = 48, 8
# torch's log-softmax adds 262,144 terms in float32 and is off by up to 2e-4 nats an option. The warm-up is compared
# with lm-eval's logits summed in float64, to 1e-4; the timed runs, which let it sum as it does, to this.
SUMMING = 5e-4


def run() -> list[Pair]:
    """Every setting; models are loaded once."""
    models = {name: load_model(name, dtype="float32") for name in (GEMMA, SMOLLM2)}
    return [compare(models[name], shots, form, least) for name, shots, form, least in SETTINGS]


def compare(model: Model, shots: int, answer_as: str, least: float) -> Pair:
    """Time both in turns; every run of both gives equal likelihoods and picks."""
    task = resolve("capitals")
    form = resolve_format(task, PromptConfig(answer_as=answer_as), style="completion")  # type: ignore[arg-type]
    demonstrations = task.draw("train", shots, seed=0)
    items = task.test_items(ITEMS)
    prompts = [render(item, form, style="completion", shots=demonstrations) for item in items]
    texts = [option_texts(item, form) for item in items]
    peer = HFLM(pretrained=model.net, tokenizer=model.tokenizer, batch_size=16, add_bos_token=model.adds_bos)

    def ours(count: int = ITEMS) -> Likelihoods:
        model.cache.clear()  # tokenising is part of the work on both sides
        asked = zip(prompts[:count], texts[:count], strict=True)
        encoded = [encode_options(model, prompt, options) for prompt, options in asked]
        return score_options(model, encoded).loglikelihoods

    def theirs(count: int = ITEMS) -> Likelihoods:
        asked = zip(prompts[:count], texts[:count], strict=True)
        return lm_eval_likelihoods(
            peer, [(prompt.text(), list(map(prompt.continuation, options))) for prompt, options in asked]
        )

    def same(mine: Likelihoods, other: Likelihoods, drift: float = SUMMING) -> None:
        for item, one, two in zip(items, mine, other, strict=False):
            check_equal(item, one, two, drift=drift)

    peer.softmax_dtype = torch.float64
    same(ours(WARM_UP), theirs(WARM_UP), drift=1e-4)
    peer.softmax_dtype = None
    kind = "single-letter" if answer_as == "letter" else "multi-token"
    work = f"{kind} options, {shots}-shot, {model.name}, {ITEMS} items"
    against = "lm-eval HFLM, float32, batch 16"
    return paired(work, against, ours, theirs, same=same, least=least, repetitions=1 if shots else 3)


def check_equal(item: Example, mine: Sequence[float], other: Sequence[float], *, drift: float) -> None:
    """Every option no further than `drift` nats from lm-eval's, and the same pick outside ties (margins under 1e-3)."""
    found = max(abs(one - two) for one, two in zip(mine, other, strict=True))
    assert found < drift, (item.id, found)
    best, runner_up = sorted(other, reverse=True)[:2]
    if best - runner_up > 1e-3:
        assert mine.index(max(mine)) == other.index(best), item.id


if __name__ == "__main__":
    run()
