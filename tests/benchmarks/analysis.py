"""Reading and reporting a finished study of 2,000 cells with 1,000 items each: `educe report`, as a process of its own.
And 10,000 bootstrap resamples of 10,000 items, right or wrong and graded.

Two models, ten tasks (items of every other one come in clusters), eight recipes, six sizes and three seeds, made up
and written by the store. "Against" are the 60 s and 2 GB that are promised, so a ratio above 1 is room to spare; beside
them stands how long a fixed loop took before and after, because the speed of shared machines drifts. Checked: every
cell has a row in results.csv with the score that was made up for it, and the page is there; the resampled means spread
as the central limit theorem says.

python -m tests.benchmarks.analysis
"""

import csv
import hashlib
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from educe.data.example import Example
from educe.eval.analysis.statistics.intervals import score_interval
from educe.eval.analysis.statistics.resample import resampled_means
from educe.eval.details import Details, TrainingDetails
from educe.eval.measurement import Measurement, Outcome, Outcomes, Precision, Provenance
from educe.eval.spend import Spend
from educe.recipes.runner.cell import Cell
from educe.recipes.runner.environment import git_state, machine, versions
from educe.recipes.runner.store import Store
from educe.recipes.runner.study import Study
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, reported, timed
from tests.benchmarks.resident import peak_gb_of
from tests.recipes.made import measurement_of, provenance_of

TASKS, ITEMS, IN_CLUSTER, OPTIONS, STEPS = 10, 1_000, 5, ("alpha", "beta", "gamma", "delta"), 32
TRAINED = ("iid_sft", "minimal_lora", "prompt_tuning", "ia3", "full_fine_tune")
SHOTS, SIZES, SEEDS = (2, 8, 32), (4, 8, 16, 32, 64, 128), (0, 1, 2)
MOST_SECONDS, MOST_GB = 60.0, 2.0
RESAMPLES = 10_000


def run() -> list[Pair]:
    """Seconds of a bootstrap, and seconds and peak memory of one report."""
    return [*_bootstrap(), *_whole_report()]


def _bootstrap() -> list[Pair]:
    graded = np.random.default_rng(0).random(RESAMPLES)
    made = []
    for kind, scores in (("right or wrong", (graded < 0.3).astype(float)), ("graded", graded)):

        def draw(scores: np.ndarray = scores) -> np.ndarray:
            return resampled_means(scores[None, :], np.arange(RESAMPLES), np.random.default_rng(1), RESAMPLES)

        assert abs(draw().std() / (scores.std() / RESAMPLES**0.5) - 1) < 0.05
        times = [(timed(draw)[1], 1.0) for _ in range(5)]
        work = f"{RESAMPLES:,} resamples of {RESAMPLES:,} items, {kind}"
        made.append(reported(work, "the promise", times, least=1.0))
    return made


def _whole_report() -> list[Pair]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scores = write_study(folder)
        before = timed(_fixed_loop)[1]
        peak, seconds = timed(lambda: _report(folder / "run"))
        loop = statistics.mean([before, timed(_fixed_loop)[1]])
        _check(folder / "run", scores)
    work = f"report of {len(scores):,} cells x {ITEMS:,} items"
    promise = f"the promise; a fixed loop took {loop:.2f} s"
    return [
        reported(work, promise, [(seconds, MOST_SECONDS)], least=1.0),
        reported(f"{work}, peak memory", promise, [(peak, MOST_GB)], least=1.0, unit="GB"),
    ]


def write_study(folder: Path) -> dict[tuple[str, ...], float]:
    """A finished run directory under folder/run; the score of every cell, by what names it in results.csv."""
    study = Study.make(
        {
            "name": "analysis",
            "models": [SMOLLM2, GEMMA],
            "tasks": [_write_task(folder, number) for number in range(TASKS)],
            "recipes": ["zero_shot", *({"few_shot": {"shots": shots}} for shots in SHOTS), *TRAINED],
            "examples": list(SIZES),
            "seeds": list(SEEDS),
            "test_items": ITEMS,
        }
    )
    cells, store, scores = study.cells(), Store(folder / "run"), {}
    with store.claim():
        store.begin(study_text=study.text(), cells=cells)
        for cell in cells:
            made = _measurement(cell)
            store.write(cell, made, save_adapter=None)
            scores[made.model, made.task, made.recipe, str(made.examples), str(made.seed)] = made.score
    return scores


def _write_task(folder: Path, number: int) -> dict[str, dict[str, str]]:
    """Files of one task, and how a study names them."""
    paths = {split: folder / f"task{number}{ending}.jsonl" for split, ending in (("test", ""), ("train", "-train"))}
    for split, count in (("test", ITEMS), ("train", 4 * max(SIZES))):
        rows = [
            {
                "id": f"{split}-{i:05d}",
                "question": f"What stands at place {i} of the {split} list number {number}?",
                "choices": OPTIONS,
                "answer": OPTIONS[(i * 7 + number) % 4],
                "cluster": f"{split}-passage-{i // IN_CLUSTER}" if number % 2 else None,
            }
            for i in range(count)
        ]
        paths[split].write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return {f"file:{paths['test']}": {"train": str(paths["train"])}}


def _measurement(cell: Cell) -> Measurement:
    """A made-up result: hard and easy items, alike for all cells of a task, and cells that gain with their examples."""
    rng = np.random.default_rng(int(cell.key[:16], 16))
    hardness = np.random.default_rng(int(cell.task.fingerprint[:16], 16)).normal(0.0, 1.5, ITEMS)
    wide = np.repeat(rng.normal(0.0, 0.7, -(-ITEMS // IN_CLUSTER)), IN_CLUSTER)[:ITEMS]
    right = np.array([item.answer_index for item in cell.items])
    loglikelihoods = rng.normal(-4.0, 1.0, (ITEMS, len(OPTIONS)))
    loglikelihoods[np.arange(ITEMS), right] += 0.3 + 0.4 * np.log2(cell.examples + 1) ** 0.5 + wide - hardness
    outcomes = Outcomes.of(map(_outcome, cell.items, loglikelihoods))
    scores = outcomes.scores.tolist()
    interval = score_interval(scores, outcomes.clusters)
    trains, shots = cell.method.role == "training", cell.method.workload(cell.task, cell.examples).shots
    return measurement_of(
        cell,
        study="analysis",
        budget_setting=cell.method.budget_setting,
        size_settings=cell.method.size_settings,
        score=sum(scores) / ITEMS,
        low=interval.low,
        high=interval.high,
        interval=interval.kind,
        n=ITEMS,
        chance=1 / len(OPTIONS),
        spend=Spend(
            labelled_examples=cell.examples or shots,
            train_flops=1e10 * (256 + cell.examples) if trains else 0.0,
            flops_per_answer=1e10 * (1 + shots),
            trainable_parameters=1_000 * (1 + TRAINED.index(cell.method_name)) if trains else 0,
            seconds=float(rng.uniform(20, 60)),
        ),
        outcomes=outcomes,
        training=tuple(
            {"step": step, "loss": float(loss), "learning_rate": 5e-4, "supervised_tokens": 16}
            for step, loss in enumerate(rng.uniform(0, 2, STEPS if trains else 0))
        ),
        details=Details(training=TrainingDetails(precision="bfloat16") if trains else None),
        provenance=_provenance(cell),
    )


def _outcome(item: Example, loglikelihoods: np.ndarray) -> Outcome:
    picked = int(loglikelihoods.argmax())
    runner_up, best = np.sort(loglikelihoods)[-2:]
    return Outcome(
        id=item.id,
        cluster=item.cluster,
        score=float(picked == item.answer_index),
        answer=item.answer,
        answer_index=item.answer_index,
        picked=item.choices[picked],
        margin=float(best - runner_up),
        loglikelihoods=tuple(loglikelihoods.tolist()),
        option_tokens=(1, 2, 1, 2),
    )


def _provenance(cell: Cell) -> Provenance:
    """As a real cell records it."""
    shots = cell.method.workload(cell.task, cell.examples).shots
    shown = "".join(f"Question: demonstration {i} of seed {cell.seed}\n" for i in range(shots))
    trains = cell.method.role == "training"
    return provenance_of(
        cell,
        versions=versions(),
        git=git_state(),
        machine=machine(),
        threads=1,
        device="cpu",
        precision=Precision(weights="float32", layers="float32", training="bfloat16" if trains else None),
        model_fingerprint=hashlib.sha256(cell.source.name.encode()).hexdigest(),
        model_revision="",
        model_kind=cell.source.kind or "base",
        first_prompt=f"{shown}Question: {cell.items[0].question}\nAnswer:",
    )


def _report(folder: Path) -> float:
    """Write the report of a run directory as the command does, and give the peak of its memory in GB."""
    return peak_gb_of([sys.executable, "-c", "from educe.recipes.cli import main; main()", "report", str(folder)])


def _check(folder: Path, scores: dict[tuple[str, ...], float]) -> None:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ("model", "task", "recipe", "examples", "seed")
    assert {tuple(row[name] for name in columns): float(row["score"]) for row in rows} == scores
    page = (folder / "report.html").read_text("utf-8")
    assert page.rstrip().endswith("</html>") and f"{len(scores):,}".replace(",", "") in page
    print(f"report.html: {len(page) / 1e6:.1f} MB, {page.count('<tr>'):,} table rows", flush=True)


def _fixed_loop() -> int:
    """Work that is the same every time: what else runs on the machine shows in its seconds."""
    total = 0
    for number in range(10_000_000):
        total += number & 7
    return total


if __name__ == "__main__":
    run()
