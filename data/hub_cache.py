"""Models and datasets of the Hugging Face hub: fetched at a pinned commit into the hub's cache, read as a folder.

A snapshot is whole where it has every file that the hub lists of the commit. The list comes with a fetch and stays in
the hub's cache. A snapshot that other tools fetched file by file has none.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from educe.data.errors import UserError, one_line
from educe.data.untrusted import open_regular, read_bytes, read_json

RepoKind = Literal["model", "dataset"]
# Larger files are weights or rows. Hashing them would take as long as loading them, so only their size is compared.
_HASHED_BYTES = 64 << 20


class NotFetched(UserError):
    """A snapshot of which the cache has nothing."""


def parse_hub_path(path: str, *, kind: RepoKind, what: str) -> tuple[str, str]:
    """ORG/NAME@COMMIT -> name and commit.

    UserError without a commit, or with a branch, a tag or a part of a hash, which can move. It offers the commit that
    the hub has there now, where the hub answers; nothing goes on with a commit that nobody wrote down.
    """
    name, _, revision = path.partition("@")
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return name, revision
    found = _commit_now(name, revision or None, kind)
    fix = f"write hub:{name}@{found or 'COMMIT'}"
    if not revision:
        offered = ", the hub's newest commit" if found else ""
        raise UserError(f"{what} has no revision; {fix}{offered}, so that it can be repeated")
    offered = f", the commit of {revision!r} now" if found else ", its 40 digits"
    raise UserError(f"{what}: {revision!r} is no full commit hash and can move; {fix}{offered}")


def _commit_now(name: str, revision: str | None, kind: RepoKind) -> str | None:
    """The commit that a repository of the hub is at, or at a branch or tag; None where the hub does not say."""
    if not _hub_answers():
        return None
    from huggingface_hub import HfApi

    with suppress(Exception):  # whatever is wrong, the line without a commit says what to write, too
        sha = HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=5).sha
        return sha if sha and re.fullmatch(r"[0-9a-f]{40}", sha) else None
    return None


def snapshot_folder(
    name: str,
    revision: str,
    *,
    kind: RepoKind,
    patterns: Sequence[str],
    ignore: Sequence[str] = (),
    fetch: bool = True,
) -> Path:
    """The folder with the files of ORG/NAME at a commit that fit the patterns; fetched where the cache lacks them.

    A folder ./ORG/NAME is never looked at. UserError where the files can neither be fetched nor found (NotFetched where
    there is nothing), where one is not as the hub lists it, and for a snapshot that is seen to lack some.
    """
    # Deferred: it takes longer to import than all of the catalog.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    allowed, ignored = list(patterns), list(ignore)
    answers = fetch and _hub_answers()
    what, fix = f"cannot fetch {kind} 'hub:{name}@{revision}'", "check its name, the commit and the network"
    fix += " (HF_HUB_OFFLINE), or give a local copy"
    with one_line(what, fix):
        try:
            found = snapshot_download(
                name,
                repo_type=kind,
                revision=revision,
                allow_patterns=allowed,
                ignore_patterns=ignored,
                local_files_only=not answers,
            )
        except IncompleteSnapshotError as error:
            found = error.snapshot_path  # what it lacks is said below
        except LocalEntryNotFoundError as error:
            if answers:
                raise
            asked = "the hub was not reached" if fetch else "nothing is fetched now"
            raise NotFetched(f"{what}: it is not in the cache, and {asked}; {fix}") from error
    folder = Path(found)
    assert folder.name == revision, f"{folder} is not of the commit that was asked for"
    _check_snapshot(folder, allowed, ignored, what=f"{kind} 'hub:{name}@{revision}'")
    return folder


def is_listed(folder: Path) -> bool:
    """Whether the cache has the hub's list of a snapshot's commit, which its files were compared with."""
    return _listing(folder) is not None


def _listing(snapshot: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """Size and hashes of each file of a commit, by path, as the hub's library keeps them; None where it has none."""
    path = snapshot.parent.parent / "trees" / f"{snapshot.name}.json"
    if not path.exists():
        return None
    kept = read_json(path)
    if not isinstance(kept, dict) or kept.get("format_version") != 1:
        return None
    files = kept.get("files")
    if not isinstance(files, dict) or not all(isinstance(each, dict) for each in files.values()):
        raise UserError(f"{path} is no list of files; delete it")
    return files


def _check_snapshot(folder: Path, allowed: list[str], ignored: list[str], *, what: str) -> None:
    """UserError where a snapshot has other files than the hub lists, or, without a list, lacks some for certain."""
    from huggingface_hub.utils import filter_repo_objects

    def chosen(paths: Sequence[str]) -> list[str]:
        return sorted(filter_repo_objects(paths, allow_patterns=allowed, ignore_patterns=ignored))

    held = chosen([str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file()])
    listing = _listing(folder)
    if listing is None:
        _check_finished(folder, held, what=what)
        return
    listed = chosen(list(listing))
    for path in sorted({*listed, *held}):
        if path not in listing:
            raise UserError(f"{what}: {folder / path} is not a file of this commit; delete it")
        if not (folder / path).exists():
            raise UserError(f"{what}: {path} was not fetched; fetch it again where the hub can be reached")
        if not _is_as_listed(folder / path, listing[path]):
            raise UserError(f"{what}: {folder / path} is not as the hub lists it; delete it and fetch it again")


def _check_finished(folder: Path, held: Sequence[str], *, what: str) -> None:
    """UserError for a snapshot whose cache shows that a download did not end, or that a file was deleted since."""
    for path in held:
        if not (folder / path).exists():
            raise UserError(f"{what}: {folder / path} leads nowhere; fetch it again where the hub can be reached")
    if unfinished := sorted((folder.parent.parent / "blobs").glob("*.incomplete")):
        raise UserError(f"{what}: its download did not end ({unfinished[0]}); fetch it again, or delete that file")


def _is_as_listed(path: Path, listed: Mapping[str, Any]) -> bool:
    with open_regular(path) as stream:
        size = stream.seek(0, os.SEEK_END)
    if size != listed.get("size") or size > _HASHED_BYTES:
        return bool(size == listed.get("size"))
    data = read_bytes(path)
    if "lfs_sha256" in listed:
        return bool(hashlib.sha256(data).hexdigest() == listed["lfs_sha256"])
    # Git's own hash: no proof against forgers, but the only one that the hub lists for a small file.
    return bool(hashlib.sha1(b"blob %d\0" % size + data, usedforsecurity=False).hexdigest() == listed.get("blob_id"))


def _hub_answers() -> bool:
    """Whether the hub can be reached. The download would try an unreachable one for half a minute."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return False
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=5).close()
    except HTTPError:  # an answer, too
        return True
    except OSError:
        return False
    return True
