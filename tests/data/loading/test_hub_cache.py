"""Hub datasets in a cache of Hugging Face's own layout: only the files of the named commit are read, and no code."""

import gzip
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


def refused(name: str = "org/name@" + COMMIT) -> str:
    """The one line that a dataset is refused with."""
    with pytest.raises(UserError) as error:
        hub_task(name, columns=SIMPLE)
    assert "\n" not in str(error.value)
    return str(error.value)


GOOD = {"question": "a?", "answer": "1"}


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("train.csv", b"question,answer\na?,1\nb?,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("train.jsonl", json.dumps(GOOD).encode() + b"\n{broken\n", "cannot be read: "),
        ("train.jsonl", b'{"question": "\xff?", "answer": "1"}\n' * 3, "cannot be read: "),
        ("train.csv", b"question,answer\n\xff?,1\n", "'utf-8' codec can't decode"),
        ("train.parquet", b"PAR1 not at all", "cannot be read: "),
        ("train.jsonl", b'{"question": "a?", "answer": "1"}\n[1]\n"text"\n', "cannot be read: "),
    ],
)  # fmt: skip
def test_damaged_rows_are_one_line(cache: Path, file: str, content: bytes, says: str) -> None:
    """A failure of the library has its cause as the reason."""
    (cache / "train.jsonl").unlink()
    (cache / file).write_bytes(content)
    line = refused()
    assert says in line and line.endswith("save the rows to a file and use file:")
    assert "DatasetGenerationError" not in line


@pytest.mark.parametrize("name", ["train.jsonl.gz", "train.jsonl", "train.csv.gz", "train.jsonl.zst"])
@pytest.mark.parametrize("whole", [True, False])
def test_compressed_rows_are_refused(cache: Path, name: str, whole: bool) -> None:
    """What a compressed file unpacks to has no limit. It is known by its content, not its name alone."""
    packed = gzip.compress((json.dumps(GOOD) + "\n").encode() * 100)
    (cache / "train.jsonl").unlink()
    (cache / name).write_bytes(packed if whole else packed[:30])
    line = refused()
    assert "is compressed or not of .parquet" in line or (not whole and "Compressed file ended" in line)


@pytest.mark.parametrize(
    "card",
    [
        "configs: [", "configs: &a [*a]", "a: 1\na: 2", "!!python/object/apply:os.system ['true']", "x: .inf",
        "configs:\n- config_name: default\n  data_files: {{{}: 1}}", "\x00",
    ],
)  # fmt: skip
def test_a_broken_card_is_one_line_of_the_gate(cache: Path, card: str) -> None:
    (cache / "README.md").write_text(f"---\n{card}\n---\n")
    line = refused()
    assert line.startswith("hub:org/name: its card") and "broken YAML" in line


def test_a_card_that_is_not_utf_8_is_one_line(cache: Path) -> None:
    (cache / "README.md").write_bytes(b"---\nlicense: \xff\n---\n")
    assert "README.md: byte 13 is not UTF-8" in refused()


@pytest.mark.parametrize("setting", ["data_files", "data_dir"])
@pytest.mark.parametrize(
    "file",
    [
        "https://example.org/rows.jsonl", "hf://datasets/other/name/rows.jsonl", "s3://bucket/rows.csv",
        "zip://rows.csv::https://example.org/rows.zip", "/etc/passwd", "~/rows.jsonl", "../rows.jsonl",
        "a/../../rows.jsonl", "..\\rows.jsonl", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_a_foreign_file_in_a_card_is_refused_before_the_library_looks(
    cache: Path, monkeypatch: pytest.MonkeyPatch, setting: str, file: str
) -> None:
    """The library asks the network for a URL while it resolves the names."""
    monkeypatch.setattr("datasets.load_dataset_builder", lambda *_: pytest.fail("the library was asked"))
    named = [file, [file], [{"split": "train", "path": file}], [{"split": "train", "path": ["train.jsonl", file]}]]
    for value in named if setting == "data_files" else named[:1]:
        settings = {"configs": [{"config_name": "other"}, {"config_name": "default", setting: value}]}
        (cache / "README.md").write_text(f"\n---\r\n{json.dumps(settings)}\r\n---\n# Text\n")
        assert f"its card names the file {file!r}, which is not one of its own" in refused()
        (cache / "README.md").unlink()
        (cache / ".huggingface.yaml").write_text(json.dumps(settings))
        assert f"its card names the file {file!r}" in refused()
        (cache / ".huggingface.yaml").unlink()


def test_a_card_may_name_files_of_its_own(cache: Path) -> None:
    (cache / "data").mkdir()
    (cache / "train.jsonl").rename(cache / "data" / "rows.jsonl")
    settings = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.jsonl"}]}]}
    (cache / "README.md").write_text(f"---\n{json.dumps(settings)}\n---\n")
    assert sum(len(hub_task("org/name@" + COMMIT, columns=SIMPLE).rows[split]) for split in SPLITS) == 60


def test_images_that_a_row_names_are_never_looked_up(cache: Path, tmp_path: Path) -> None:
    rows = [{**GOOD, "question": f"{i}?", "image": {"path": "https://example.org/x.png"}} for i in range(60)]
    (cache / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    features = [{"name": name, "dtype": "string"} for name in GOOD] + [{"name": "image", "dtype": "image"}]
    (cache / "README.md").write_text(f"---\n{json.dumps({'dataset_info': {'features': features}})}\n---\n")
    assert sum(len(hub_task("org/name@" + COMMIT, columns=SIMPLE).rows[split]) for split in SPLITS) == 60
