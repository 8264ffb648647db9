"""A whole small curve against the usual way: for each cell load the model, train with TRL, save, evaluate with lm-eval.

Two recipes, four sizes, two seeds, each cell trained on 32 rows in all (the recipes' default is up to 256). Checked:
lm-eval gives one of our adapters the score that we gave it, up to one item. The usual way is two commands for each
cell; here it runs in one process, which spares it all its start-ups.

python -m tests.benchmarks.curve
"""

import math
import tempfile
from pathlib import Path

from lm_eval.models.huggingface import HFLM

from data.render import option_texts
from data.resolve import resolve
from data.task import Task
from eval.ask import prompter
from eval.encode import prompt_text
from eval.subject import Subject, load_subject
from eval.weights import bundled_folder
from recipes.iid_sft import IidSft
from recipes.minimal_lora import MinimalLora
from recipes.runner.study import Study
from tests.benchmarks.pairs import GEMMA, Pair, reported, timed
from tests.benchmarks.training import forget_precision, trl_trainer
from tests.harness import lm_eval_likelihoods
from train.encode import encode_rows

SIZES, SEEDS, ITEMS, PASSES = (4, 8, 16, 32), (0, 1), 100, 32
METHODS = {"iid_sft": IidSft, "minimal_lora": MinimalLora}
STUDY = {
    "name": "curve",
    "subjects": [GEMMA],
    "tasks": ["word_sentiment"],
    "recipes": [{recipe: {"passes": PASSES}} for recipe in METHODS],
    "examples": list(SIZES),
    "seeds": list(SEEDS),
    "test_items": ITEMS,
    "dtype": "float32",
}


def run() -> list[Pair]:
    """One pair: both sides take minutes."""
    forget_precision()
    study, task = Study.make(STUDY), resolve("word_sentiment")
    with tempfile.TemporaryDirectory() as folder:
        _, ours = timed(lambda: study.run(folder))
        check_score(Path(folder), task)
    _, theirs = timed(lambda: usual_way(task))
    cells = len(METHODS) * len(SIZES) * len(SEEDS)
    work = f"a curve of {cells} cells, {GEMMA}, {ITEMS} items"
    return [reported(work, "TRL stock, then lm-eval, per cell", [(ours, theirs)], least=8.0)]


def check_score(folder: Path, task: Task) -> None:
    """lm-eval gives the adapter of one of our cells the score that we gave it."""
    from recipes.runner.results import Results

    (cell, *_) = Results.read(folder).measurements
    name = f"{cell.method}*/n{cell.examples}-s{cell.seed}-*/adapter"
    (saved,) = folder.glob(f"cells/{GEMMA}/{task.name}/{name}")
    theirs = accuracy(load_subject(GEMMA, dtype="float32"), saved, task)
    assert cell.score is not None
    assert abs(theirs - cell.score) < 1.5 / ITEMS, (cell, theirs)


def usual_way(task: Task) -> None:
    """Every cell from nothing."""
    for make in METHODS.values():
        for size in SIZES:
            for seed in SEEDS:
                with tempfile.TemporaryDirectory() as folder:
                    accuracy(train(make(passes=PASSES), task, size, seed, folder), Path(folder), task)


def train(method: IidSft, task: Task, size: int, seed: int, folder: str) -> Subject:
    """Load, train with TRL's defaults and save the adapter."""
    subject = load_subject(GEMMA, dtype="float32")
    rows = encode_rows(subject, task.draw("train", size, seed=seed), prompter(subject, task))
    modules = list(method.modules) or "all-linear"
    trainer, _ = trl_trainer(subject, rows, steps=method.steps(size), rank=method.rank, modules=modules, settings={})
    trainer.train()
    trainer.save_model(folder)
    return subject


def accuracy(subject: Subject, adapter: Path, task: Task) -> float:
    """Share of test items whose most likely option is the answer, as lm-eval scores a model and an adapter on disk.

    The subject only writes the prompts.
    """
    model = HFLM(
        pretrained=str(bundled_folder(GEMMA)),
        peft=str(adapter),
        tokenizer=subject.tokenizer,
        dtype="float32",
        batch_size=16,
        device="cpu",
        add_bos_token=subject.adds_bos,
    )
    ask = prompter(subject, task)
    items = task.test_items(ITEMS)
    asked = [
        (prompt_text(subject, prompt), [prompt.continuation(option) for option in option_texts(item, prompt.format)])
        for item, prompt in zip(items, map(ask, items), strict=True)
    ]
    likelihoods = lm_eval_likelihoods(model, asked)
    assert all(math.isfinite(value) for values in likelihoods for value in values)
    right = [values.index(max(values)) == item.answer_index for item, values in zip(items, likelihoods, strict=True)]
    return sum(right) / len(items)


if __name__ == "__main__":
    run()
