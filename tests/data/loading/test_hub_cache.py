"""Hub datasets in a cache of Hugging Face's own layout: only the files of the named commit are read, and no code."""

import json
import time
from pathlib import Path

import pytest

from educe.data.errors import UserError
from educe.data.loading.hub import hub_task
from educe.data.splits import SPLITS

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's cache with one dataset at one commit, and a working directory with a decoy of its name."""
    folder = tmp_path / "hub" / "datasets--org--name" / "snapshots" / COMMIT
    decoy = tmp_path / "work" / "org" / "name"
    for place, said in ((folder, "true"), (decoy, "decoy")):
        place.mkdir(parents=True)
        rows = ({"question": f"{said} {i}?", "answer": str(i)} for i in range(60))
        (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "name.py").write_text("raise SystemExit('code of a dataset was run')")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "prepared")
    monkeypatch.chdir(tmp_path / "work")
    return folder


SIMPLE = {"question": "question", "answer": "answer"}


def test_a_local_folder_never_takes_the_place_of_a_dataset(cache: Path) -> None:
    """`./org/name` was read, and the commit recorded that was not."""
    task = hub_task("org/name@" + COMMIT, columns=SIMPLE)
    rows = [row for split in SPLITS for row in task.rows[split]]
    assert len(rows) == 60 and all(row.question.startswith("true") for row in rows)
    assert task.grader == "number match"


def test_a_commit_that_is_not_in_the_cache_is_one_line_at_once(cache: Path) -> None:
    start = time.monotonic()
    with pytest.raises(UserError, match=r"cannot fetch dataset 'hub:org/name@f{40}': .+ local copy") as error:
        hub_task("org/name@" + "f" * 40, columns=SIMPLE)
    assert "\n" not in str(error.value) and time.monotonic() - start < 5


def test_a_card_cannot_name_files_of_others(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text('{"question": "a?", "answer": "1"}\n')
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {tmp_path}/secret.jsonl\n---\n"
    (cache / "README.md").write_text(card)
    with pytest.raises(UserError, match="which is not one of its own"):
        hub_task("org/name@" + COMMIT, columns=SIMPLE)


def test_a_split_with_a_missing_part_is_refused(cache: Path) -> None:
    (cache / "train.jsonl").rename(cache / "train-00000-of-00002.jsonl")
    with pytest.raises(UserError, match=r"its file 'train-00001-of-00002.jsonl' is not in the cache"):
        hub_task("org/name@" + COMMIT, columns=SIMPLE)
