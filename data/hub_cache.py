"""Models and datasets of the Hugging Face hub: fetched at a pinned commit into the hub's cache, read as a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from educe.data.errors import one_line


def snapshot_folder(
    name: str,
    revision: str,
    *,
    kind: Literal["model", "dataset"],
    patterns: Sequence[str],
    ignore: Sequence[str] = (),
) -> Path:
    """The folder with the files of ORG/NAME at a commit that fit the patterns; fetched where the cache lacks them.

    A folder ./ORG/NAME is never looked at. UserError where the files can neither be fetched nor found.
    """
    # Deferred: it takes longer to import than all of the catalog.
    from huggingface_hub import snapshot_download

    what, fix = f"cannot fetch {kind} 'hub:{name}@{revision}'", "check its name, the commit and the network"
    with one_line(what, f"{fix} (HF_HUB_OFFLINE), or give a local copy"):
        folder = snapshot_download(
            name,
            repo_type=kind,
            revision=revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(ignore),
            local_files_only=not _hub_answers(),
        )
    assert Path(folder).name == revision, f"{folder} is not of the commit that was asked for"
    return Path(folder)


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
