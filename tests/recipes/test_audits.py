"""OUT/audit.json: written when a study runs, kept while the rows stay, shown by `validate`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from educe.data.audit.audit import audit
from educe.data.audit.finding import Finding
from educe.data.errors import UserError
from educe.recipes.runner import audits
from educe.recipes.runner.results import load_results
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.store import Store
from tests.recipes.small import no_figures, parity_rows, run_cli, small_study, study_file, write_rows


def rows_with_long_answers() -> list[dict[str, Any]]:
    """Rows whose right answer is the longest option."""
    rows = []
    for n in range(200):
        choices = [f"a {n}", f"b {n}"]
        choices[n % 2] += " indeed"
        rows.append({"id": f"q{n}", "question": f"What of {n}?", "choices": choices, "answer": choices[n % 2]})
    return rows


def test_a_run_writes_the_audit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot"])
    out = tmp_path / "out"
    results = run_study(study, out)
    task = study.cells()[0].task
    assert results.audits == {task.name: tuple(audit(task))}
    counted = []
    monkeypatch.setattr(audits, "audit", lambda task: counted.append(task.name) or audit(task))
    run_study(study, out)
    assert counted == []
    # Rows that changed are read again.
    write_rows(tmp_path / "parity.jsonl", parity_rows(80))
    run_study(small_study(tmp_path, recipes=["zero_shot"]), out)
    assert counted == [task.name]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"parity": []}'])
def test_a_run_audits_again_where_the_audit_is_corrupt(
    tmp_path: Path, content: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    study, out = small_study(tmp_path, recipes=["zero_shot"]), tmp_path / "out"
    whole = run_study(study, out).audits
    (out / "audit.json").unlink() if content is None else (out / "audit.json").write_text(content)
    said = "missing; run" if content is None else r"corrupt .*; delete it and run"
    with pytest.raises(UserError, match=rf"audit.json is {said} the study again"):
        load_results(out)
    capsys.readouterr()
    assert run_study(study, out).audits == whole
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "audit.json" in line)
    assert line.startswith("educe: ") and line.endswith("; the tasks are audited again")


def test_tasks_that_were_read_before_stay(tmp_path: Path) -> None:
    first = small_study(tmp_path).cells()[0].task
    second = replace(first, name="other")
    store = Store(tmp_path / "out")
    with store.claim():
        for task in (first, second):
            audits.update_audits(store, [task])
    assert list(store.read_audits()) == [first.name, "other"]
    assert all(isinstance(each, Finding) for found in store.read_audits().values() for each in found.findings)


def test_validate_warns_and_still_says_yes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = study_file(tmp_path, recipes=["zero_shot"])
    write_rows(tmp_path / "parity.jsonl", rows_with_long_answers())
    assert run_cli("validate", path) == 0
    verdict, *lines = capsys.readouterr().out.splitlines()
    assert verdict == f"{path}: 1 cell, 2 warnings"
    warnings = [line for line in lines if line.startswith("warning: parity: ")]
    assert len(warnings) == 2
    assert "Always picking the longest option is right on 100%" in warnings[0]
