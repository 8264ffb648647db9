"""Models on the Hugging Face hub: fetched at a pinned commit into the hub's own cache, then read as a folder."""

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants, snapshot_download

from educe.eval.model.files import PATTERNS
from educe.eval.model.reading import one_line

# Other formats' weights, and weights in sub-folders, are never read.
_IGNORED = ("*/*.safetensors", "consolidated*")


def snapshot_folder(name: str, revision: str) -> Path:
    """The folder with the files of ORG/NAME at a commit; fetched where they are not in the hub's cache yet.

    A folder ./ORG/NAME is never looked at. UserError where the files can neither be fetched nor found.
    """
    what = f"cannot fetch model 'hub:{name}@{revision}'"
    with one_line(what, "check its name, the commit, the network and HF_HUB_OFFLINE"):
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(PATTERNS),
            ignore_patterns=list(_IGNORED),
            local_files_only=not _hub_answers(),
        )
    assert Path(folder).name == revision, f"{folder} is not of the commit that was asked for"
    return Path(folder)


def _hub_answers() -> bool:
    """Whether the hub can be reached. The download would try an unreachable one for half a minute."""
    if constants.is_offline_mode():
        return False
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=5).close()
    except HTTPError:  # an answer, too
        return True
    except OSError:
        return False
    return True
