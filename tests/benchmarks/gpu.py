"""Scoring, training and a curve on a GPU, against lm-eval's HFLM, TRL's SFTTrainer and, where it is installed, vLLM.

Checked first: in float32 every option within 0.02 nats of the CPU's, with the same pick outside ties, for rows under
dense masks and for long ones under block masks; in bfloat16 no further from the CPU's float32 than the CPU's own
bfloat16 is, up to a half. Ours, lm-eval and vLLM then score in bfloat16, the others at the best of their batch sizes.
Block masks stand against dense ones at growing numbers of keys. Peaks are those of a matrix product in the same run.

python -m tests.benchmarks gpu
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

import torch
from lm_eval.models.huggingface import HFLM

from educe.data.example import Example
from educe.data.formats.render import Prompt, option_texts, render
from educe.data.resolve import resolve
from educe.eval.model import attention
from educe.eval.model.attention import BLOCK_SPARSE, allow_block_sparse, attention_of, runs_block_sparse
from educe.eval.model.encode import Branches, encode_options
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.net import decoder_of
from educe.eval.model.score import score_options
from educe.eval.model.weights import bundled_folder
from educe.eval.prompting.prompts import PromptConfig, resolve_format
from tests.benchmarks import curve
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, rates, reported, timed
from tests.benchmarks.peak import score_share, train_share
from tests.benchmarks.training import EXACT, TUNED, our_step, rows_of, their_step
from tests.harness import lm_eval_likelihoods

Likelihoods = Sequence[Sequence[float]]
Asked = list[tuple[Prompt, list[str]]]
DRIFT = 0.02


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is done: enough to keep a GPU busy, or just enough to run every line."""

    models: tuple[str, ...]
    checked: tuple[tuple[int, int], ...]  # items and shots; 100 shots are more keys than a dense mask gets
    scored: tuple[tuple[int, int], ...]
    theirs: tuple[int, ...]  # batch sizes of the others
    steps: tuple[int, ...]  # rows a training step
    keys: tuple[int, ...]  # tokens of the rows that compare masks
    rows: int
    curve: curve.Curve


FULL = Sizes(
    models=(SMOLLM2, GEMMA),
    checked=((48, 0), (8, 100)),
    scored=((1_000, 0), (1_000, 10)),
    theirs=(32, 128, 512),
    steps=(8, 64),
    keys=(256, 512, 1_024, 2_048, 4_096),
    rows=64,
    curve=curve.Curve(),
)
SMALLEST = Sizes(
    models=(SMOLLM2,),
    checked=((4, 0), (2, 2)),
    scored=((4, 0),),
    theirs=(4,),
    steps=(2,),
    keys=(64,),
    rows=2,
    curve=curve.Curve(recipes=("iid_sft",), sizes=(4,), seeds=(0,), items=10, passes=8),
)


def run() -> list[Pair]:
    """Everything on the GPU; without one the smallest sizes on the CPU, and no pairs."""
    found = torch.cuda.is_available()
    if not found:
        print("no GPU: the smallest sizes run on the CPU to show that they do; nothing is measured", flush=True)
    pairs = measured(FULL if found else SMALLEST, device="cuda" if found else "cpu")
    return pairs if found else []


def measured(sizes: Sizes, *, device: str) -> list[Pair]:
    """Every comparison at these sizes."""
    pairs = []
    for name in sizes.models:
        check_against_cpu(name, sizes, device=device)
        # A CPU that does not multiply bfloat16 natively takes minutes for what takes seconds in float32.
        model = load_model(name, dtype="float32" if device == "cpu" else "bfloat16", device=device)
        pairs += [pair for count, shots in sizes.scored for pair in compare_scoring(model, count, shots, sizes.theirs)]
        pairs += [compare_masks(model, keys, sizes.rows) for keys in sizes.keys]
        pairs += [compare_training(model, batch) for batch in sizes.steps]
        pairs += [score_share(model, items=sizes.scored[0][0], least=0.2)]
        pairs += [train_share(model, batch, least=0.1) for batch in sizes.steps]
    return [*pairs, *curve.run(sizes.curve)]


def questions(count: int, shots: int) -> tuple[list[Example], Asked]:
    """Items of capitals, and each one's prompt and options; again from the first where the task has fewer."""
    task = resolve("capitals")
    form = resolve_format(task, PromptConfig(), style="completion")
    demonstrations = task.draw("train", min(shots, len(task.rows["train"])), seed=0)
    few = task.test_items(min(count, len(task.rows["test"])))
    items = [few[place % len(few)] for place in range(count)]
    prompts = [render(item, form, style="completion", shots=demonstrations) for item in items]
    return items, [(prompt, option_texts(item, form)) for item, prompt in zip(items, prompts, strict=True)]


def likelihoods(model: Model, asked: Asked) -> Likelihoods:
    """Ours, tokenising included."""
    model.cache.clear()
    encoded = [encode_options(model, prompt, options) for prompt, options in asked]
    return score_options(model, encoded).loglikelihoods


def check_against_cpu(name: str, sizes: Sizes, *, device: str) -> None:
    """The checks of this benchmark's first line; prints what was found."""
    for count, shots in sizes.checked:
        _, asked = questions(count, shots)

        def values(dtype: Any, where: str, asked: Asked = asked) -> Likelihoods:
            return likelihoods(load_model(name, dtype=dtype, device=where), asked)

        exact, here = values("float32", "cpu"), values("float32", device)
        drift = max(differences(here, exact))
        assert drift < DRIFT, (name, shots, drift)
        check_picks(here, exact, margin=2 * DRIFT)
        half, rounded = values("bfloat16", device), values("bfloat16", "cpu")
        mean, usual = (statistics.mean(differences(each, exact)) for each in (half, rounded))
        assert mean < 1.5 * usual + DRIFT, (name, shots, mean, usual)
        check_picks(half, exact, margin=2 * max(differences(half, exact)))
        print(f"{name}, {shots} shots: float32 {drift:.1e} nats at most; bfloat16 {mean:.3f} nats on average,")
        print(f"  {max(differences(half, exact)):.2f} at most; on the CPU {usual:.3f} on average", flush=True)


def differences(one: Likelihoods, other: Likelihoods) -> list[float]:
    """Of every option, in nats."""
    pairs = zip(one, other, strict=True)
    return [abs(mine - theirs) for each in pairs for mine, theirs in zip(*each, strict=True)]


def check_picks(one: Likelihoods, other: Likelihoods, *, margin: float) -> None:
    """The same pick wherever the best option of the other is ahead by more than `margin` nats."""
    for place, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        best, runner_up = sorted(theirs, reverse=True)[:2]
        assert best - runner_up <= margin or mine.index(max(mine)) == theirs.index(best), place


def compare_scoring(model: Model, count: int, shots: int, batches: Sequence[int]) -> list[Pair]:
    """Options a second of ours against each other engine that is installed, the second run of each."""
    _, asked = questions(count, shots)
    texts = [(prompt.text(), list(map(prompt.continuation, options))) for prompt, options in asked]
    options = sum(len(each) for _, each in texts)
    mine, seconds = best_of(lambda: likelihoods(model, asked))
    work = f"options scored, {count} items, {shots}-shot, {model.name}, {model.dtype}"
    pairs = []
    for called, peers in engines(model, batches):
        found = [best_of(lambda peer=peer: lm_eval_likelihoods(peer, texts)) for peer in peers]  # type: ignore[misc]
        values, theirs = min(found, key=lambda each: each[1])
        print(f"{called}: {statistics.mean(differences(mine, values)):.3f} nats from ours on average", flush=True)
        pairs.append(rates(work, called, options / seconds, options / theirs, least=1.0, unit="a second"))
    return pairs


def best_of(work: Callable[[], Likelihoods], *, times: int = 3) -> tuple[Likelihoods, float]:
    """What a work gives, and its shortest time of several; the first warms up."""
    found = [timed(work) for _ in range(times)]
    return found[-1][0], min(seconds for _, seconds in found[1:])


def engines(model: Model, batches: Sequence[int]) -> list[tuple[str, list[Any]]]:
    """The other engines: a name, and one for each batch size that it is tried at."""
    hugging_face = [
        HFLM(pretrained=model.net, tokenizer=model.tokenizer, batch_size=batch, add_bos_token=model.adds_bos)
        for batch in batches
    ]
    if find_spec("vllm") is None or model.device.type != "cuda":
        print("vLLM is not installed, or there is no GPU for it: left out", flush=True)
        return [("lm-eval HFLM", hugging_face)]
    from lm_eval.models.vllm_causallms import VLLM

    vllm = VLLM(
        pretrained=str(bundled_folder(model.name)),
        dtype=model.dtype,
        batch_size="auto",
        add_bos_token=model.adds_bos,
        max_model_len=min(4_096, model.shape.context),
        gpu_memory_utilization=0.4,
    )
    return [("lm-eval HFLM", hugging_face), ("lm-eval VLLM", [vllm])]


def compare_masks(model: Model, keys: int, rows: int) -> Pair:
    """Seconds to score rows of so many tokens that share nothing, under block masks where the device has them.

    Also below the number of keys from which on the rule takes them, so that the rule can be judged.
    """
    asked = [tuple(1_000 + (row * 7_919 + place) % 20_000 for place in range(keys)) for row in range(rows)]
    items = [Branches(prompt=each[:-8], options=(each[-8:], each[-16:-8])) for each in asked]
    if runs_block_sparse(model.device):
        allow_block_sparse(model.net)
    used = attention_of(model.net)
    decoder: Any = decoder_of(model.net)
    times = []
    for turn in range(4):  # the first of each warms up and compiles
        values, seconds = {}, {}
        for name in (used, "sdpa"):
            decoder.set_attn_implementation(name)
            with patch.object(attention, "BLOCK_SPARSE_KEYS", 1):
                values[name], seconds[name] = timed(lambda: score_options(model, items).loglikelihoods)
        decoder.set_attn_implementation(used)
        assert statistics.mean(differences(values[used], values["sdpa"])) < 0.5, keys
        if turn:
            times.append((seconds[used], seconds["sdpa"]))
    kind = "block masks" if used == BLOCK_SPARSE else "dense masks"
    return reported(f"scoring {rows} rows of {keys} tokens, {kind}, {model.name}", "dense masks", times, least=1.0)


def compare_training(model: Model, batch: int) -> Pair:
    """Tokens a second of LoRA steps, against TRL without checkpointing in the same precision, twice in turns."""
    settings = TUNED if model.dtype == "bfloat16" else EXACT
    rows = rows_of(model, 5 * batch)
    tokens = sum(len(row.ids) for row in rows) / 5
    steps = [(our_step(model, rows, batch=batch), their_step(model, rows, settings, batch=batch)) for _ in range(2)]
    ours, theirs = (min(times) for times in zip(*steps, strict=True))
    work = f"tokens trained on, LoRA, {batch} rows a step, {model.name}, {model.dtype}"
    return rates(work, "TRL without checkpointing", tokens / ours, tokens / theirs, least=1.0, unit="a second")


if __name__ == "__main__":
    run()
