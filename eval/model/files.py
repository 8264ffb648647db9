"""The files of a folder that are a model: settings, weights, tokenizer and templates. No torch."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.untrusted import MAX_BYTES, open_regular, read_json

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
TEMPLATES = "additional_chat_templates"
# Settings, tokenizers and templates. What a hub model is fetched by, too: never pickles, never code.
SUFFIXES = (".jinja", ".json", ".model", ".tiktoken", ".txt")
PATTERNS = ("*.safetensors", *(f"*{suffix}" for suffix in SUFFIXES))
# Other formats' weights, and weights in sub-folders, are never read.
IGNORED_PATTERNS = ("*/*.safetensors", "consolidated*")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights: one, or those that the index names.

    UserError where there is neither, and for an index that names a file outside of the folder, a missing one or one in
    another format.
    """
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        raise UserError(f"no {WEIGHTS} in {folder} (other formats are not opened); convert the weights first")
    return [folder / name for name in sorted(set(weight_map(folder).values()))]


def weight_map(folder: Path) -> dict[str, str]:
    """The file of each tensor, by the index of a folder with several. UserError as for `weight_files`."""
    index = folder / INDEX
    held = read_mapping(index)
    files = held.get("weight_map")
    if not isinstance(files, dict) or not files:
        raise UserError(f"{index} has no weight_map; save the model again")
    if not isinstance(held.get("metadata"), dict):
        raise UserError(f"{index} has no metadata, without which it is not read; save the model again")
    for name in files.values():
        if not isinstance(name, str) or not name.endswith(".safetensors") or Path(name).name != name:
            raise UserError(f"{index} names {name!r}; only .safetensors files in the same folder are opened")
        if not (folder / name).exists():
            raise UserError(f"{index} names {name!r}, which is not there; fetch the model again")
    return files


def model_files(folder: Path) -> list[Path]:
    """Every file of a model's folder that is read, and no other.

    UserError as for `weight_files`, for a file that is too large, and for an adapter beside the weights.
    """
    if (folder / "adapter_config.json").exists():
        raise UserError(f"{folder} holds an adapter beside the weights; name its own folder: {{adapter: FOLDER}}")
    templates = folder / TEMPLATES
    files = [path for path in folder.iterdir() if path.suffix in SUFFIXES]
    if templates.is_dir():
        files += [path for path in templates.iterdir() if path.suffix == ".jinja"]
    for path in files:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} has more than {MAX_BYTES:,} bytes; give a smaller file")
    return sorted([*weight_files(folder), *files])


@contextmanager
def only(files: list[Path], *, root: Path) -> Iterator[Path]:
    """A scratch folder with links to these files of a folder and to nothing else.

    Libraries look for more files than a model needs: adapters, code, other formats. Here they find none.
    """
    with tempfile.TemporaryDirectory(prefix="educe-model-") as scratch:
        place = Path(scratch).resolve()
        for path in files:
            open_regular(path).close()  # refuses pipes and devices, at which a library would wait
            link = place / path.relative_to(root)
            link.parent.mkdir(exist_ok=True)
            os.symlink(path.resolve(), link)
        yield place


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. UserError where it is broken or holds something else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no mapping; save it again")
    return value


def file_sha256(path: Path, *, links: bool = True) -> str:
    """Hex sha256 of a regular file's bytes. UserError where it cannot be read, or is a link and none may be."""
    with open_regular(path, links=links) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # it has all that is needed


def files_sha256(files: list[Path], *, root: Path) -> str:
    """Hex sha256 of the names, from `root`, and the bytes of files."""
    listing = "\n".join(f"{path.relative_to(root)} {file_sha256(path)}" for path in files)
    return hashlib.sha256(listing.encode()).hexdigest()
