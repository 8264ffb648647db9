"""What a model is found to be without its weights in memory: for a person to check before a run."""

from dataclasses import dataclass, replace
from pathlib import Path

from educe.data.hub_cache import NotFetched, is_listed
from educe.eval.model.complete import declared_tensors
from educe.eval.model.files import only, weight_files
from educe.eval.model.load import checked_place, kind_of, read_tokenizer, source_folder
from educe.eval.model.organism import certificate_of, is_made
from educe.eval.model.source import Kind, Source
from educe.eval.model.weights import check_gguf, is_prepared


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A model's kind, None where it is not known yet, and what was found in words."""

    kind: Kind | None
    found: str


def outline(source: Source) -> Outline:
    """Check all of a model's files that are here, but for the numbers in its weights. Nothing is fetched.

    UserError where it could not be loaded. An adapter is only checked when it is loaded.
    """
    if source.organism:
        return _outline_of_organism(source)
    if source.where == "scratch":
        made = is_made(source)
        return Outline(kind=source.kind, found="made, into the cache" if made else "not made yet, which takes minutes")
    if source.where == "tiny":
        return Outline(kind=source.kind, found="made when it is loaded")
    if source.where in ("bundled", "gguf") and is_prepared(source):
        return Outline(kind=source.kind, found="converted into the cache, whose hashes are compared when it is loaded")
    if source.where == "bundled":
        return Outline(kind=source.kind, found="not fetched yet")
    if source.where == "gguf":
        file = Path(source.location)
        with only([file], root=file.parent) as place:
            header = check_gguf(file, place)[0]
        return Outline(kind=source.kind, found=f"{len(header.tensors)} tensors that fit their settings")
    try:
        folder = source_folder(source, fetch=False)
    except NotFetched:
        return Outline(kind=source.kind, found="not fetched yet, so nothing of it was checked")
    with checked_place(source, folder) as place:
        kind = kind_of(source, read_tokenizer(source, folder, place))
    found = f"{len(declared_tensors(weight_files(folder)))} tensors that fit their settings"
    if source.where == "hub" and not is_listed(folder):
        found += "; fetched by another tool, so whether other files are missing is not known"
    return Outline(kind=kind, found=found)


def _outline_of_organism(source: Source) -> Outline:
    """That of the base, and whether the organism is made. UserError where its certificate does not fit."""
    base = outline(source.base)
    if not is_made(source):
        return replace(base, found=f"{base.found}; an organism that is not made yet, which takes minutes")
    found = certificate_of(source)
    return replace(base, found=f"{base.found}; an organism, {found.kind} on {found.task}, whose certificate fits")
