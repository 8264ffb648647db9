"""Option likelihoods against lm-eval's HFLM: same items, prompts, weights, float32, batch 16.

python -m tests.benchmarks.scoring
"""

from collections.abc import Sequence

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from data.example import Example
from data.render import option_texts, render
from data.resolve import resolve
from eval.ask import chosen_format
from eval.encode import encode_options
from eval.score import score_options
from eval.subject import Subject, load_subject
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, paired

# subject, shots, how the answer is written, items, least ratio. Ten shots take lm-eval minutes, so fewer items.
SETTINGS = (
    (GEMMA, 0, "text", 48, 5.0),
    (SMOLLM2, 0, "text", 48, 3.0),
    (GEMMA, 10, "text", 24, 50.0),
    (SMOLLM2, 10, "text", 24, 25.0),
    (GEMMA, 0, "letter", 48, 2.0),
    (GEMMA, 10, "letter", 24, 10.0),
)


def run() -> list[Pair]:
    """Every setting; subjects are loaded once."""
    subjects = {name: load_subject(name, dtype="float32") for name in (GEMMA, SMOLLM2)}
    return [compare(subjects[name], shots, form, items, least) for name, shots, form, items, least in SETTINGS]


def compare(subject: Subject, shots: int, answer_as: str, num_items: int, least: float) -> Pair:
    """Assert equal likelihoods and picks, then time both."""
    task = resolve("capitals")
    form = chosen_format(task, answer_as)  # type: ignore[arg-type]
    demonstrations = task.draw("train", shots, seed=0)
    items = task.test_items(num_items)
    prompts = [render(item, form, style="completion", shots=demonstrations) for item in items]
    texts = [option_texts(item, form) for item in items]
    requests = [
        Instance("loglikelihood", {}, (prompt.text(), prompt.continuation(option)), index)
        for prompt, options in zip(prompts, texts, strict=True)
        for index, option in enumerate(options)
    ]
    model = HFLM(pretrained=subject.net, tokenizer=subject.tokenizer, batch_size=16, add_bos_token=subject.adds_bos)

    def ours() -> Sequence[Sequence[float]]:
        # Tokenising is part of the work on both sides.
        encoded = [encode_options(subject, prompt, options) for prompt, options in zip(prompts, texts, strict=True)]
        return score_options(subject, encoded).loglikelihoods

    def theirs() -> Sequence[Sequence[float]]:
        flat = iter(value for value, _ in model.loglikelihood(requests, disable_tqdm=True))
        return [[next(flat) for _ in options] for options in texts]

    check_equal(items, ours(), theirs())
    kind = "single-letter" if answer_as == "letter" else "multi-token"
    work = f"{kind} options, {shots}-shot, {subject.name}, {num_items} items"
    return paired(work, "lm-eval HFLM, float32, batch 16", ours, theirs, least=least, repetitions=2 if shots else 3)


def check_equal(items: Sequence[Example], ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> None:
    """Every option within 1e-4 nats of lm-eval's, which makes the picks the same outside ties."""
    for item, mine, other in zip(items, ours, theirs, strict=True):
        drift = max(abs(one - two) for one, two in zip(mine, other, strict=True))
        assert drift < 1e-4, (item.id, drift)


if __name__ == "__main__":
    run()
