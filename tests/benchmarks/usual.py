"""The usual way to one cell, as two commands: train with TRL's defaults and save, then load and evaluate with lm-eval.

Both print the seconds of the work itself, without imports and loading; evaluation then prints the score.

python -m tests.benchmarks.usual train iid_sft 8 0 /tmp/adapter 100 32
python -m tests.benchmarks.usual evaluate /tmp/adapter /tmp/adapter/asked.json
"""

import json
import math
import sys
import time
from pathlib import Path

from tests.benchmarks.pairs import GEMMA


def train(recipe: str, size: int, seed: int, folder: Path, *, items: int, passes: int) -> float:
    """Train an adapter on the rows of our cell, and write it with the test's questions beside it; the seconds."""
    from educe.data.formats.render import option_texts
    from educe.data.resolve import resolve
    from educe.eval.model.encode import prompt_text
    from educe.eval.model.load import load_model
    from educe.eval.prompting.prompts import make_prompt_fn
    from educe.recipes.catalog import make_method
    from educe.recipes.training.fine_tune import FineTune
    from educe.train.changes.peft import Lora
    from educe.train.encode import encode_rows
    from tests.benchmarks.training import trl_trainer

    model, task = load_model(GEMMA, dtype="float32"), resolve("word_sentiment")
    _, method = make_method({recipe: {"max_examples_seen": passes}})
    assert isinstance(method, FineTune) and isinstance(method.change, Lora)
    prompt_fn = make_prompt_fn(model, task)
    rows = encode_rows(model, task.draw("train", size, seed=seed), prompt_fn)
    modules = list(method.change.modules) or "all-linear"
    started = time.perf_counter()
    trainer, _ = trl_trainer(
        model, rows, steps=max(method.steps(size)), rank=method.change.rank, modules=modules, settings={}
    )
    trainer.train()
    trainer.save_model(str(folder))
    seconds = time.perf_counter() - started
    asked = [
        {
            "context": prompt_text(model, prompt),
            "options": [prompt.continuation(option) for option in option_texts(item, prompt.format)],
            "answer": item.answer_index,
        }
        for item in task.test_items(items)
        for prompt in [prompt_fn(item)]
    ]
    (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
    return seconds


def evaluate(adapter: Path, questions: Path) -> tuple[float, float]:
    """Seconds, and the share of the items whose most likely option is the answer, as lm-eval scores it from disk."""
    import torch
    from lm_eval.models.huggingface import HFLM

    from educe.eval.model.weights import bundled_folder
    from tests.harness import lm_eval_likelihoods

    asked = json.loads(questions.read_text("utf-8"))
    model = HFLM(
        pretrained=str(bundled_folder(GEMMA)),
        peft=str(adapter),
        dtype="float32",
        batch_size=16,
        device="cuda" if torch.cuda.is_available() else "cpu",
        add_bos_token=True,
    )
    started = time.perf_counter()
    likelihoods = lm_eval_likelihoods(model, [(each["context"], each["options"]) for each in asked])
    seconds = time.perf_counter() - started
    assert all(math.isfinite(value) for values in likelihoods for value in values)
    right = [values.index(max(values)) == each["answer"] for each, values in zip(asked, likelihoods, strict=True)]
    return seconds, sum(right) / len(right)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        recipe, size, seed, folder, items, passes = sys.argv[2:]
        print(train(recipe, int(size), int(seed), Path(folder), items=int(items), passes=int(passes)))
    else:
        print(*evaluate(Path(sys.argv[2]), Path(sys.argv[3])))
