"""The published archive of BIG-bench: names, the pin, what is kept of it; and all of its tasks (slow)."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.loading import bigbench_archive
from educe.data.loading.bigbench import bigbench_task
from educe.data.loading.bigbench_archive import NAMES, SHA256, VERSION, archived, unpack
from educe.data.resolve import resolve
from educe.data.task import Task
from educe.eval.measure import measure
from educe.eval.prompting.prompts import make_prompt_fn
from tests.nets import tiny

EXAMPLES = [{"input": f"Q{number}", "target_scores": {"yes": 1, "no": 0}} for number in range(40)]
# Pools that are refused, and why; each of their subtasks is a task. Two are no pools: a file with a key twice, and one
# that asks two questions of which only the options differ (rows that ask the same are in one split).
REFUSED = {
    "cause_and_effect": "list the choices", "undo_permutation": "list the choices",
    "kanji_ascii": "have choices", "minute_mysteries_qa": "have choices", "periodic_elements": "have choices",
    "unit_conversion": "have choices", "intersect_geometry": "bytes, over", "multiemo": "bytes, over",
    "real_or_fake_text": "answers in other words",
    "timedial": "key 'append_choices_to_input' comes twice",
    "logical_sequence": "2 cluster(s), which are kept whole, are too few to split",
}  # fmt: skip
# Tasks with rows that cannot be asked, and how many.
FAULTY = {
    "contextual_parametric_knowledge_conflicts": 1, "cryobiology_spanish": 1, "gem": 3, "language_identification": 2,
    "parsinlu_qa": 24, "physics_questions": 1, "polish_sequence_labeling": 2,
}  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with the members of two tasks, one with a subtask, that is taken for the published one."""
    root = f"bigbench-{VERSION}/bigbench/benchmark_tasks"
    for place, described in (
        ("winowhy/task.json", {"name": "other words", "examples": EXAMPLES}),
        ("arithmetic/task.json", {"name": "arithmetic"}),
        ("arithmetic/1_digit/task.json", {"name": "1_digit", "examples": EXAMPLES}),
        ("arithmetic/1_digit/results/task.json", {"name": "too deep"}),
        ("winowhy/README.md", {}),
    ):
        file = tmp_path / "tree" / root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(described), "utf-8")
    archive = tmp_path / f"bigbench-{VERSION}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "tree" / f"bigbench-{VERSION}", f"bigbench-{VERSION}")
    monkeypatch.setattr(bigbench_archive, "SHA256", bigbench_archive.sha256_of(archive))
    monkeypatch.setattr(bigbench_archive, "_fetched", lambda scratch: shutil.copy(archive, scratch / archive.name))
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_one_task_of_the_archive_is_kept(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("bigbench:winowhy").name == "winowhy"
    kept = sorted(str(file.relative_to(made)) for file in made.rglob("*") if file.is_file())
    folder = f"bigbench/{VERSION}-{bigbench_archive.SHA256[:12]}/winowhy"
    assert kept == [f"{folder}/sha256.json", f"{folder}/task.json"]
    monkeypatch.setattr(bigbench_archive, "_fetched", lambda scratch: pytest.fail("fetched again"))
    assert len(bigbench_task("winowhy").rows["test"])


def test_a_subtask_has_a_name_of_its_own_and_a_wrong_one_a_near_one(made: Path) -> None:
    assert bigbench_task("arithmetic/1_digit").name == "arithmetic-1_digit"
    assert bigbench_task("arithmetic").name == "arithmetic"
    with pytest.raises(UserError, match="did you mean '1_digit'"):
        bigbench_task("arithmetic/1_digits")
    with pytest.raises(UserError, match="'winowhy' has no subtasks"):
        bigbench_task("winowhy/easy")
    with pytest.raises(UserError, match=r"bigbench:winowy: did you mean 'winowhy'.*or give the path of a task.json"):
        bigbench_task("winowy")


def test_what_was_changed_since_is_fetched_again(made: Path) -> None:
    found = archived("winowhy")
    assert found is not None
    whole = found.file.read_bytes()
    found.file.write_bytes(whole.replace(b"Q1", b"Q7"))
    again = archived("winowhy")
    assert again is not None and again.file.read_bytes() == whole


def test_another_archive_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"other")
    with pytest.raises(UserError, match="not the pinned one; refused"):
        unpack(tmp_path / "other.tar.gz", "winowhy", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_an_index_that_cannot_be_reached_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"cannot fetch bigbench==1.0.0 from PyPI \(ERROR: No matching"):
        bigbench_task("winowhy")
    assert not any(file.is_file() for file in tmp_path.rglob("*")), "nothing half-made stays"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the archive's tasks, unpacked once: of EDUCE_TEST_BIGBENCH, the archive, or as pip fetches it."""
    scratch = tmp_path_factory.mktemp("bigbench")
    try:
        named = os.environ.get("EDUCE_TEST_BIGBENCH")
        archive = Path(named) if named else bigbench_archive._fetched(scratch)
    except UserError as error:
        pytest.skip(f"the archive of BIG-bench cannot be had: {error}; name it in EDUCE_TEST_BIGBENCH")
    assert bigbench_archive.sha256_of(archive) == SHA256
    with tarfile.open(archive) as packed:
        wanted = (each for each in packed if each.name.endswith("/task.json"))
        packed.extractall(scratch, members=wanted, filter="data")
    yield scratch / f"bigbench-{VERSION}" / "bigbench" / "benchmark_tasks"
    shutil.rmtree(scratch)


def _load(published: Path, name: str) -> Task:
    path = str(published / name / "task.json")
    if name in FAULTY:
        with pytest.raises(UserError, match="faulty: drop"):
            bigbench_task(path).rows  # noqa: B018 - reading the rows is what fails
    return bigbench_task(path, faulty="drop" if name in FAULTY else "error")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_published_task_is_scored(published: Path, name: str) -> None:
    """On its two shortest test rows, or for a pool that is refused on those of its first subtask."""
    if name in REFUSED:
        with pytest.raises(UserError) as error:
            bigbench_task(str(published / name / "task.json")).rows  # noqa: B018 - reading may be what fails
        assert REFUSED[name] in str(error.value)
        if not list((published / name).glob("*/task.json")):
            return
        subtask = min((published / name).glob("*/task.json"), key=lambda file: file.stat().st_size)
        task = bigbench_task(str(subtask), faulty="drop")
    else:
        task = _load(published, name)
    model = tiny()
    items = sorted(task.rows["test"], key=lambda row: len(row.question) + len("".join(row.choices)))[:2]
    outcomes = measure(model, task, make_prompt_fn(model, task), items).outcomes
    assert len(outcomes) == len(items) and all(0 <= outcome.score <= 1 for outcome in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emojis_emotion_prediction", "reasoning_about_colored_objects", "color"])
def test_published_scores_are_those_of_multiple_choice_grade(published: Path, name: str) -> None:
    """The mean of target_scores[choice[argmax(log_prob)]], as api/task_metrics.py of the archive has it.

    One task is graded, one has several right options, and one is of four subtasks.
    """
    task, model = _load(published, name), tiny()
    files = [published / name / "task.json", *(published / name).glob("*/task.json")]
    read = [example for file in files for example in json.loads(file.read_text("utf-8")).get("examples", [])]
    scores = {(example["input"].strip(), frozenset(example["target_scores"])): example["target_scores"]
              for example in read}  # fmt: skip
    items = task.test_items(12)
    outcomes = measure(model, task, make_prompt_fn(model, task), items).outcomes
    total = 0.0
    for item, outcome in zip(items, outcomes, strict=True):
        target_scores = scores[item.question, frozenset(item.choices)]
        best = max(range(len(item.choices)), key=outcome.loglikelihoods.__getitem__)
        total += target_scores[item.choices[best]]
    assert sum(outcome.score for outcome in outcomes) == pytest.approx(total)
