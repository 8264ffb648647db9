"""Logs that Inspect and lm-evaluation-harness themselves write: `educe compare` reads what they computed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from educe.eval.analysis.statistics.paired import paired_difference
from educe.recipes.runner.interop.compare import compare_arguments

RIGHT, OTHER = [1, 1, 1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1, 0, 0]

INSPECT = """
import json, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import match
from inspect_ai.solver import solver

folder, form, right, epochs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4])

@solver
def fixed():
    async def solve(state, generate):
        answer = state.target.text if right[int(state.sample_id[1:])] and state.epoch == 1 else "no"
        state.output = ModelOutput.from_content("mockllm/model", answer)
        return state
    return solve

rows = [Sample(id=f"q{n}", input=f"{n} + {n}?", target=str(2 * n), metadata={"half": n // 4})
        for n in range(len(right))]
task = Task(dataset=MemoryDataset(rows), solver=fixed(), scorer=match(), name="sums")
(log,) = eval(task, model="mockllm/" + folder.rpartition("/")[2], log_dir=folder, log_format=form, display="none",
              epochs=epochs)
print("MEAN", log.results.scores[0].metrics["accuracy"].value)
"""

LM_EVAL = """
import json, sys
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

folder, right, data = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]

class Fixed(LM):
    def loglikelihood(self, requests, **_):
        # The right option is always the first one.
        return [(0.0 if (each.idx == 0) == bool(right[each.doc["number"]]) else -1.0, False) for each in requests]
    def generate_until(self, requests, **_): raise NotImplementedError
    def loglikelihood_rolling(self, requests, **_): raise NotImplementedError

config = {"task": "sums", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": data}},
          "test_split": "test", "output_type": "multiple_choice", "doc_to_text": "{{question}}",
          "doc_to_choice": "choices", "doc_to_target": 0,
          "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
tracker = EvaluationTracker(output_path=folder)
found = simple_evaluate(model=Fixed(), tasks=[config], log_samples=True, bootstrap_iters=0,
                        task_manager=TaskManager(include_defaults=False))
samples = found.pop("samples")
tracker.save_results_aggregated(results=found, samples=samples)
tracker.save_results_samples(task_name="sums", samples=samples["sums"])
print("MEAN", found["results"]["sums"]["acc,none"])
"""


def written(script: str, *arguments: object) -> float:
    """The mean that the tool computed of what it has just written."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return float(done.stdout.rpartition("MEAN")[2])


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2])
def test_logs_of_inspect(epochs: int, tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="pip install inspect-ai")
    means = {
        name: written(INSPECT, tmp_path / name, form, json.dumps(scores), epochs)
        for name, form, scores in (("a", "json", OTHER), ("b", "eval", RIGHT))
    }
    (found,) = compare_arguments([str(tmp_path / "a"), str(tmp_path / "b")]).compared
    ours, theirs = ([each / epochs for each in side] for side in (RIGHT, OTHER))
    assert found.gain == paired_difference(ours, theirs)
    assert (found.score, found.other_score) == pytest.approx((means["b"], means["a"]))
    assert (found.result.name, found.result.task) == ("mockllm/b", "sums")
    halves = compare_arguments([str(tmp_path / "a"), str(tmp_path / "b")], cluster="half")
    assert halves.compared[0].gain == paired_difference(ours, theirs, ["0"] * 4 + ["1"] * 4)


@pytest.mark.slow
def test_samples_of_lm_eval(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm-eval is an extra: pip install 'educe[interop]'")
    data = tmp_path / "sums.jsonl"
    rows = [
        {"number": n, "question": f"{n} + {n}?", "choices": [str(2 * n), str(2 * n + 1)]} for n in range(len(RIGHT))
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    means = {
        name: written(LM_EVAL, tmp_path / name, json.dumps(scores), data)
        for name, scores in (("a", OTHER), ("b", RIGHT))
    }
    shown = compare_arguments([str(tmp_path / "a"), str(tmp_path / "b")])
    (found,) = shown.compared
    assert found.gain == paired_difference(RIGHT, OTHER)
    assert (found.score, found.other_score) == pytest.approx((means["b"], means["a"]))
    assert found.result.task == "sums" and "has acc_norm, too" in shown.text()
