"""What is made here before it can be loaded: organisms and models from scratch. They are made on a higher floor.

This is where they lie, and whether they may be loaded.
"""

from pathlib import Path

from educe.data.errors import UserError
from educe.eval.model.cache import MANIFEST, cache_folder, find_corruption
from educe.eval.model.certificate import ADAPTER_FILES, CERTIFICATE, Certificate, check_certificate
from educe.eval.model.files import file_sha256
from educe.eval.model.source import Source

_FIX = "`educe organisms STUDY.yaml` makes all that a study needs"


def adapter_folder(source: Source) -> Path | None:
    """The folder of the adapter that belongs to a model, named or in the cache; None where there is none."""
    if source.adapter:
        return Path(source.adapter)
    return cache_folder() / "organisms" / source.identity[:16] if source.organism else None


def scratch_folder(source: Source, *, made: bool = False) -> Path:
    """The folder of a model from scratch in the cache. UserError where it has to be `made` and is not whole."""
    folder = cache_folder() / "scratch" / f"{source.location.partition(':')[2]}-{source.base.identity[:16]}"
    if made and not folder.is_dir():
        raise UserError(f"model {source.name!r} is not made yet; {_FIX}")
    if made and (corruption := find_corruption(folder)):
        raise UserError(f"model {source.name!r} in {folder} is corrupt ({corruption}); {_FIX} again")
    return folder


def is_made(source: Source) -> bool:
    """Whether all that has to be made here of a model is in the cache, and whole."""
    folders = [scratch_folder(source)] if source.where == "scratch" else []
    if source.organism and not source.adapter and (folder := adapter_folder(source)):
        folders.append(folder)
    return all(folder.is_dir() and find_corruption(folder) is None for folder in folders)


def checked_adapter(source: Source) -> Path | None:
    """The folder of the model's adapter, where it has one; an organism's with its certificate checked.

    UserError as for `certificate_of`.
    """
    if source.organism:
        certificate_of(source)
    return adapter_folder(source)


def certificate_of(source: Source) -> Certificate:
    """The certificate of an organism. UserError where it is not made yet, and as for `check_certificate`."""
    folder = adapter_folder(source)
    assert folder is not None and source.organism, "not an organism"
    if not folder.is_dir():
        raise UserError(f"organism {source.name!r} is not made yet; {_FIX}")
    if not source.adapter and (corruption := find_corruption(folder)):
        raise UserError(f"organism {source.name!r} in {folder} is corrupt ({corruption}); {_FIX} again")
    return check_certificate(folder, organism=source.organism, base=source.base.identity, name=source.name)


def made_facts(source: Source) -> str:
    """The hashes of what was made of a model, for its fingerprint; empty where nothing was."""
    files = []
    if source.where == "scratch":
        files.append(scratch_folder(source) / MANIFEST)
    if source.organism and (folder := adapter_folder(source)):
        files += [folder / name for name in (CERTIFICATE, *ADAPTER_FILES)]
    return "".join(f" {file_sha256(file)}" for file in files)
