"""Files of other tools in their documented shapes, for tests."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow

TIME = "2026-01-02T03-04-05.678901"


def sample(name: Any, value: Any, *, epoch: int = 1, **changed: Any) -> dict[str, Any]:
    """A sample of an Inspect log, scored by `match`."""
    made = {
        "id": name,
        "epoch": epoch,
        "input": f"question {name}",
        "target": "yes",
        "scores": {"match": {"value": value, "answer": "yes"}},
        "metadata": {},
    }
    return {**made, **changed}


def header(samples: Sequence[Any], *, model: str = "mock/one", task: str = "sums", **changed: Any) -> dict[str, Any]:
    """The rest of the log."""
    made = {
        "version": 2,
        "status": "success",
        "eval": {"task": task, "model": model, "config": {"epochs": 1}},
        "results": {"total_samples": len(samples), "scores": []},
    }
    return {**made, **changed}


def write_json_log(path: Path, samples: Sequence[Any], **changed: Any) -> Path:
    """An Inspect log as one JSON file."""
    path.write_text(json.dumps({**header(samples, **changed), "samples": samples}))
    return path


def write_eval_log(path: Path, samples: Sequence[Any], *, zstd: bool = False, **changed: Any) -> Path:
    """An Inspect log as a zip."""
    members = {f"samples/{each['id']}_epoch_{each['epoch']}.json": json.dumps(each) for each in samples}
    return write_zip(path, members | {"header.json": json.dumps(header(samples, **changed))}, zstd=zstd)


def write_zip(path: Path, members: Mapping[str, str], *, zstd: bool = False) -> Path:
    """A zip, deflated or packed by Zstandard, which the zipfile of this Python cannot write."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if zstd else zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, frames(text) if zstd else text)
    if zstd:
        relabel(path, members)
    return path


def frames(text: str) -> bytes:
    """The text in two Zstandard frames, as Inspect writes large members."""
    data, middle = text.encode(), len(text.encode()) // 2
    return b"".join(bytes(pyarrow.compress(part, codec="zstd")) for part in (data[:middle], data[middle:]))


def relabel(path: Path, members: Mapping[str, str]) -> None:
    """Say in both headers of each member that it is packed by Zstandard, with the size and checksum of its text."""
    with zipfile.ZipFile(path) as archive:
        places = {each.filename: each.header_offset for each in archive.infolist()}
        central = archive.start_dir
    data = bytearray(path.read_bytes())
    for name, text in members.items():
        real = text.encode()
        # The central header has two more bytes at its start, the version that wrote it.
        for start in (places[name], central + 2):
            struct.pack_into("<H", data, start + 8, 93)
            struct.pack_into("<I", data, start + 14, zlib.crc32(real))
            struct.pack_into("<I", data, start + 22, len(real))
        lengths = struct.unpack_from("<HHH", data, central + 28)
        central += 46 + sum(lengths)
    path.write_bytes(data)


def write_samples(folder: Path, rows: Iterable[Mapping[str, Any]], *, task: str = "sums", **results: Any) -> Path:
    """Samples of lm-evaluation-harness, with the results file beside them unless `results` says `about=None`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    path = folder / f"samples_{task}_{TIME}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = {row["doc_id"] for row in rows}
    about = {"model_name": folder.name, "n-samples": {task: {"original": 9, "effective": len(names)}}, **results}
    (folder / f"results_{TIME}.json").write_text(json.dumps(about))
    return path


def line(number: int, acc: Any, **changed: Any) -> dict[str, Any]:
    """One line of samples, scored by `acc`."""
    made = {
        "doc_id": number,
        "doc": {"question": f"question {number}", "book": number // 2},
        "target": "0",
        "filter": "none",
        "metrics": ["acc"],
        "acc": acc,
    }
    return {**made, **changed}
