"""A study over files that no one here wrote, on a real model, all three kinds of task."""

import pytest

import educe

MMLU = ["anatomy", "computer_security"]


@pytest.mark.slow
@pytest.mark.model
def test_mmlu_bigbench_and_gsm8k_run_through(test_data, tmp_path):
    study = educe.Study.make(
        {
            "name": "real",
            "models": ["smollm2-135m-instruct"],
            "tasks": [
                *({f"file:{test_data}/mmlu/test/{name}_test.csv": {"answer_as": "letter"}} for name in MMLU),
                f"bigbench:{test_data}/bigbench/sports_understanding/task.json",
                {f"file:{test_data}/gsm8k/test.jsonl": {"train": f"{test_data}/gsm8k/train.jsonl", "name": "gsm8k"}},
            ],
            "recipes": ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"epochs": 1}}],
            "examples": [8],
            "test_items": 20,
        }
    )
    results = educe.run(study, tmp_path)
    assert not results.failures
    assert len(results.measurements) == 4 * 3
    assert {measurement.n for measurement in results.measurements} == {20}
    assert {measurement.chance for measurement in results.measurements} == {0.25, 0.5, None}
    assert (tmp_path / "report.html").is_file()
