"""A step of eight runs that train together against eight steps of runs that train alone, on one thread.

Checked first, in float32: every run of the cohort has the losses that it has alone within 1e-4 nats, and the same picks
on 40 items outside ties. Timed with frozen maps in bfloat16 where the processor has it; both sides take 8 rows a run.
Then the peak memory of a process that trains eight together over that of one that trains one.

python -m tests.benchmarks.cohort
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

import torch

from educe.data.resolve import resolve
from educe.eval.measure import measure
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.progress import progress_listener
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.attach import temporary_changes
from educe.train.changes.peft import Lora
from educe.train.encode import encode_rows
from educe.train.limits import MAX_TOGETHER
from educe.train.run import Run
from educe.train.schedule import Schedule
from educe.train.sft import Finished, fine_tune_alone, fine_tune_together
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, reported
from tests.benchmarks.resident import peak_gb_of
from tests.benchmarks.training import Clock, forget_precision

ROWS, STEPS, PAIRS = 8, 3, 3
LEAST = {SMOLLM2: 1.35, GEMMA: 1.15}
TIE = 0.01  # nats: a pick within this of the next option is a tie


def run(names: Sequence[str] = (SMOLLM2, GEMMA)) -> list[Pair]:
    """Both models; steps, then memory in processes of their own."""
    torch.set_num_threads(1)
    pairs = []
    for name in names:
        model = load_model(name, dtype="float32")
        runs = runs_on(model)
        check(model, [replace(each, schedule=replace(each.schedule, precision="float32")) for each in runs[:4]])
        pairs.append(steps(model, runs))
    return [*pairs, *(memory(name) for name in names)]


def runs_on(model: Model, task_name: str = "first_names") -> list[Run]:
    """Eight runs of the quickstart's recipe, each on rows and first values of its own."""
    task = resolve(task_name)
    prompt_fn = make_prompt_fn(model, task)
    schedule = Schedule(learning_rate=5e-4, steps=STEPS, batch_size=ROWS)
    return [
        Run(
            rows=encode_rows(model, task.draw("train", STEPS * ROWS, seed=seed), prompt_fn),
            trainable=Lora(rank=8),
            schedule=schedule,
            seed=seed,
        )
        for seed in range(MAX_TOGETHER)
    ]


def check(model: Model, runs: Sequence[Run]) -> None:
    """Every run as it is alone: losses within 1e-4 nats, and the same picks outside ties."""
    forget_precision()
    task = resolve("first_names")
    prompt_fn, items = make_prompt_fn(model, task), task.test_items(40)
    for run, together in zip(runs, fine_tune_together(model, runs), strict=True):
        assert isinstance(together, Finished), together
        with temporary_changes(model):
            alone = fine_tune_alone(model, run)
            theirs = measure(alone.model, task, prompt_fn, items).outcomes
        with temporary_changes(model):
            ours = measure(together.put_on(model).model, task, prompt_fn, items).outcomes
        gaps = [abs(one["loss"] - two["loss"]) for one, two in zip(together.history, alone.history, strict=True)]
        assert max(gaps) < 1e-4, gaps
        same = [one.picked == two.picked or two.margin < TIE for one, two in zip(ours, theirs, strict=True)]
        assert all(same), (model.name, run.seed)
    print(f"{model.name}: {len(runs)} runs as alone", flush=True)


def steps(model: Model, runs: Sequence[Run]) -> Pair:
    """Median steps, in turns."""
    forget_precision()

    def together() -> float:
        return _step(lambda: fine_tune_together(model, runs))

    def alone() -> float:
        return sum(_step(lambda run=run: _alone(model, run)) for run in runs)  # type: ignore[misc]

    together()
    times = [(together(), alone()) for _ in range(PAIRS)]
    return reported(
        f"LoRA step of {len(runs)} runs x {ROWS} rows, {model.name}, one thread",
        "one after another",
        times,
        least=LEAST[model.name],
    )


def _step(train: object) -> float:
    clock = Clock()
    with progress_listener(lambda *_: clock.tick()):
        train()  # type: ignore[operator]
    return clock.median()


def _alone(model: Model, run: Run) -> None:
    with temporary_changes(model):
        fine_tune_alone(model, run)


def memory(name: str) -> Pair:
    """Peak memory of a process with one run over that of a process with eight."""
    peaks = [peak_gb_of([sys.executable, "-m", __spec__.name, name, str(count)]) for count in (MAX_TOGETHER, 1)]
    return reported(f"peak memory of {MAX_TOGETHER} runs, {name}", "one run", [tuple(peaks)], least=1 / 1.5, unit="GB")  # type: ignore[list-item]


def _train_only(name: str, count: int) -> None:
    torch.set_num_threads(1)
    model = load_model(name, dtype="float32")
    fine_tune_together(model, runs_on(model)[:count])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _train_only(sys.argv[1], int(sys.argv[2]))
    else:
        run(sys.argv[1:] or (SMOLLM2, GEMMA))
