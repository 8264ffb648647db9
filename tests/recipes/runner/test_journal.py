"""Journals of cells at work as files: no damage becomes a number, and each is told in one line."""

import errno
import os
import shutil
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from educe.data.writing import make_parents
from educe.eval.model import journal as model_journal
from educe.recipes.cli import launch
from educe.recipes.runner import journal as runner_journal
from educe.recipes.runner import run_cell
from educe.recipes.runner.environment import _cpu_model, versions
from educe.recipes.runner.garbage import collect
from educe.recipes.runner.journal import CellJournal
from educe.recipes.runner.journal_file import ABOUT, damage, packed
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.store import Store
from educe.recipes.runner.verify import verify
from educe.recipes.training.fine_tune import FineTune
from tests.recipes.small import no_figures, parity_rows, run_cli, small_study, write_rows

STATE, OTHER = bytes(31) + b"s", bytes(31) + b"o"
ASKED = [bytes(31) + bytes([n]) for n in range(1, 4)]
PARTS = {each: {"sums": torch.tensor([0.5, -1e-300, float(n)]).double()} for n, each in enumerate(ASKED)}
ABOUT_IT = {"cell": "a", "version of torch": "1"}


def journal(path: Path, said: list[str] | None = None, about: dict[str, str] = ABOUT_IT) -> Any:
    say = (said if said is not None else []).append
    return closing(CellJournal(path, about, say=say, prepare=make_parents))


def kept(path: Path, said: list[str] | None = None, about: dict[str, str] = ABOUT_IT) -> dict[bytes, list[float]]:
    """What a run finds in a journal."""
    with journal(path, said, about) as found:
        read = {asked: found.read(asked, STATE) for asked in ASKED if found.knows(asked)}
    return {asked: values["sums"].tolist() for asked, values in read.items() if values is not None}


WHOLE = {asked: values["sums"].tolist() for asked, values in PARTS.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal" / "model" / "cell.bin"
    with journal(path) as made:
        for asked, values in PARTS.items():
            made.write({asked: values}, STATE)
    return path


def test_what_was_written_is_read_to_the_bit_and_continued(path: Path) -> None:
    said: list[str] = []
    assert kept(path, said) == WHOLE and said == ["goes on with 3 parts of answers from its journal"]
    with journal(path) as found:
        assert found.read(ASKED[0], OTHER) is None and not found.knows(STATE)
        assert found.read(ASKED[0], STATE) is not None
        found.write({ASKED[0]: {"sums": torch.zeros(1)}}, OTHER)
    assert kept(path) == WHOLE and damage(path) is None


def test_a_cell_that_writes_nothing_has_no_file(tmp_path: Path) -> None:
    with journal(tmp_path / "journal" / "a.bin"):
        pass
    assert not list(tmp_path.iterdir())


def test_no_flipped_bit_becomes_a_number(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    copy = tmp_path / "copy.bin"
    counts = set()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        copy.write_bytes(flipped)
        assert damage(copy), place
        said: list[str] = []
        found = kept(copy, said)
        assert found.items() < WHOLE.items(), place
        (line,) = said
        assert "computed again" in line, place
        counts.add(len(found))
    assert counts == {0, 1, 2}, "a record whose values are damaged is passed over"


def test_a_journal_that_was_cut_is_read_as_far_as_it_goes_and_then_continued(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    copy = tmp_path / "copy.bin"
    counts = []
    for length in range(1, len(data), 7):
        copy.write_bytes(data[:length])
        found = kept(copy)
        assert found.items() < WHOLE.items()
        counts.append(len(found))
        with journal(copy) as again:
            again.write(PARTS, STATE)
        assert kept(copy) == WHOLE and damage(copy) is None
    assert counts == sorted(counts) and set(counts) == {0, 1, 2}


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({**ABOUT_IT, "cell": "b"}, "it is of another cell"),
        ({**ABOUT_IT, "version of torch": "2"}, "it was written with another version of torch"),
        ({**ABOUT_IT, "code": "c"}, "it was written by other code"),
        ({**ABOUT_IT, "device": "d"}, "it was written on another device"),
        ({"cell": "a"}, "it says more of what it was written for"),
    ],
)
def test_a_journal_of_something_else_is_deleted_and_said(path: Path, about: dict[str, str], why: str) -> None:
    said: list[str] = []
    assert kept(path, said, about) == {} and not path.exists()
    assert said == [f"its journal is not used, because {why}; its answers are computed again"]


def test_links_are_neither_read_nor_written(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    for make in (os.symlink, os.link):
        place = tmp_path / "place.bin"
        make(path, place)
        said: list[str] = []
        with journal(place, said) as found:
            assert not found.knows(ASKED[0])
            found.write({ASKED[0]: {"sums": torch.zeros(1)}}, STATE)
        assert path.read_bytes() == before and len(said) == 1 and not place.is_symlink()
        place.unlink()


@pytest.mark.parametrize(
    "made",
    [
        b"", b"a", b"educe-1\n" * 100, bytes(1000), packed(ABOUT, b"[" * 10_000), packed(ABOUT, b"\xff"),
        packed(ABOUT, b'{"a": NaN}'), packed(ABOUT, b"[3]"),
    ],
)  # fmt: skip
def test_what_a_stranger_put_there_is_one_line(path: Path, made: bytes) -> None:
    path.write_bytes(made)
    said: list[str] = []
    assert kept(path, said) == {} and len(said) == 1 and "\n" not in said[0]


def test_values_that_are_no_safetensors_are_computed_again(path: Path) -> None:
    """Their checksum is right: a stranger wrote them."""
    with path.open("ab") as stream:
        stream.write(packed((ASKED[0], STATE), b"no safetensors"))
    assert kept(path) == {asked: values for asked, values in WHOLE.items() if asked != ASKED[0]}


def test_a_length_beyond_the_file_takes_no_memory(path: Path) -> None:
    head = struct.pack("<8s32s32sQ", b"educe-1\n", ASKED[0], STATE, 2**62)
    with path.open("ab") as stream:
        stream.write(head + zlib.crc32(head).to_bytes(4, "little"))
    assert kept(path) == WHOLE


def test_parts_take_the_place_of_those_that_they_contain(tmp_path: Path) -> None:
    first, second, sums = ASKED
    plain, cut, again = (tmp_path / f"{name}.bin" for name in ("plain", "cut", "again"))
    with journal(plain) as made:
        made.write({first: PARTS[first]}, STATE)
        made.write({sums: PARTS[sums]}, STATE)
    large = {"states": torch.zeros(1000)}
    for path, reopened in ((cut, False), (again, True)):
        with journal(path) as made:
            made.write({first: PARTS[first], second: large}, STATE)
            made.write({bytes(32): large}, STATE)
            if not reopened:
                made.write({sums: PARTS[sums]}, STATE, instead_of={second, bytes(32)})
        if reopened:
            with journal(path) as made:
                made.write({sums: PARTS[sums]}, STATE, instead_of={second, bytes(32)})
                assert made.read(second, STATE) is None
        assert path.read_bytes() == plain.read_bytes()


def test_records_of_a_model_that_was_trained_to_other_bits_do_not_add_up(path: Path) -> None:
    size = path.stat().st_size
    with journal(path) as made:
        for asked, values in PARTS.items():
            assert made.read(asked, OTHER) is None
            made.write({asked: values}, OTHER)
    assert path.stat().st_size == size and kept(path) == {} and damage(path) is None
    with journal(path) as made:
        assert made.read(ASKED[0], OTHER) is not None, "of two adapters of a search both are kept"
        made.write(PARTS, STATE)
    assert kept(path) == WHOLE and path.stat().st_size > 1.5 * size


def test_nothing_is_cut_where_another_process_has_appended(path: Path) -> None:
    with journal(path) as made, journal(path) as other:
        made.write({ASKED[0]: PARTS[ASKED[0]]}, STATE)
        other.write({STATE: PARTS[ASKED[0]]}, STATE)
        before = path.read_bytes()
        made.write({OTHER: PARTS[ASKED[0]]}, STATE, instead_of=set(ASKED))
    assert path.read_bytes().startswith(before) and damage(path) is None


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("call", ["open", "write", "ftruncate", "fsync"])
def test_a_cell_goes_on_without_a_journal_where_the_disk_is_full(
    call: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    before = descriptors()
    monkeypatch.setattr(runner_journal, "WRITE_SECONDS", 0.0)

    def full(*given: Any, **named: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with journal(path, said) as made:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            made.write({STATE: PARTS[ASKED[0]]}, STATE, instead_of=set(ASKED))
        assert not path.exists() and descriptors() == before, "the room is free at once"
        made.write(PARTS, STATE)
        assert not made.knows(ASKED[0]) and made.read(ASKED[0], STATE) is None
    (_, line) = said
    assert line.startswith("its journal cannot be written: No space left on device; goes on without one")
    assert not path.exists()


def test_a_part_that_cannot_be_read_any_more_is_computed_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    with journal(path) as found:
        with monkeypatch.context() as patch:
            patch.setattr(runner_journal, "read_record", broken)
            assert found.read(ASKED[0], STATE) is None
        assert found.read(ASKED[0], STATE) is not None


def test_a_journal_that_is_not_used_is_closed_at_once(path: Path) -> None:
    def interrupted(line: str) -> None:
        raise KeyboardInterrupt

    before = descriptors()
    with journal(path, about={"cell": "b"}):
        assert descriptors() == before
    with journal(path) as made:
        made.write(PARTS, STATE)
    with pytest.raises(KeyboardInterrupt):
        CellJournal(path, ABOUT_IT, say=interrupted, prepare=make_parents)
    assert descriptors() == before


def test_what_a_cell_asks_before_its_test_is_kept_and_what_it_depends_on_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_figures(monkeypatch)
    abouts: list[Any] = []
    together: list[bool] = []

    def opened(path: Path, about: Any, **named: Any) -> CellJournal:
        abouts.append(about)
        return CellJournal(path, about, **named)

    def seen(cls: Any, *given: Any) -> Any:
        together.append(model_journal._journal.get() is not None)
        return original.__func__(cls, *given)

    original = FineTune.together
    monkeypatch.setattr(run_cell, "CellJournal", opened)
    monkeypatch.setattr(FineTune, "together", classmethod(seen))
    recipe = {"iid_sft": {"rank": 2, "epochs": 1}}
    run_study(small_study(tmp_path, recipes=[recipe], examples=[2]), tmp_path / "one")
    assert together == [True] and len(abouts) == 1
    run_study(small_study(tmp_path, recipes=[recipe], examples=[2], seeds=[0, 1]), tmp_path / "cohort")
    assert together == [True, False] and len(abouts) == 3
    (about,) = {tuple(sorted((key, value) for key, value in each.items() if key != "cell")) for each in abouts}
    assert dict(about)["version of bitsandbytes"] == versions()["bitsandbytes"]
    assert dict(about)["code"] == model_journal.code_digest()
    assert dict(about)["device"].startswith(f"cpu, {_cpu_model()}, ")


def test_a_command_that_finds_its_result_deletes_what_a_kill_left_of_its_journal(tmp_path: Path) -> None:
    write_rows(tmp_path / "parity.jsonl", parity_rows())
    out = tmp_path / "out"
    task = f"file:{tmp_path / 'parity.jsonl'}"
    command = ["zero_shot", "--model", "tiny-random", "--task", task, "--test-items", "2", "--out", str(out)]
    launch(command)
    store = Store(out)
    (cell,) = store.listing()
    place = store.journal_path(cell)
    make_parents(place)
    place.write_bytes(b"left")
    launch(command)
    assert not (out / "journal").exists()


def test_verify_and_gc_know_journals(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_figures(monkeypatch)
    study = small_study(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}])
    out = tmp_path / "out"
    run_study(study, out)
    store = Store(out)
    done, waiting = study.cells()
    for place in (store.journal_path(done.listed), store.journal_path(waiting.listed), out / "journal/other.bin"):
        make_parents(place)
        place.write_bytes(path.read_bytes())
    shutil.rmtree(store.folder(waiting))
    # Of a folder all of which is unlisted, its path.
    names = [f"journal/{Path(done.listed.folder).parent}", "journal/other.bin"]
    assert sorted(line.split()[0] for line in verify(out).unread) == sorted(names)
    assert not any("journal" in line for line in verify(out).faults)
    store.journal_path(waiting.listed).write_bytes(path.read_bytes()[:-1])
    assert any("1 record of it damaged" in line for line in verify(out).faults)
    assert sorted(line.split(":")[0] for line in collect(out, delete=True))[1:] == sorted(names)
    capsys.readouterr()
    run_study(study, out)
    said = [line for line in capsys.readouterr().err.splitlines() if "journal" in line]
    assert len(said) == 1 and "it is of another" in said[0]
    assert not (out / "journal").exists() and run_cli("verify", out) == 0
