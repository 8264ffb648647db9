"""What no cell of a study needs in its run directory: results of earlier studies, and what killed runs left."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from educe.recipes.runner.store import Store, remove
from educe.recipes.runner.verify import unlisted

# A cell's folder ends in its seed and its hash.
_SEED = re.compile(r"-s\d+-[0-9a-f]{16}$")


def collect(folder: Path, *, delete: bool) -> Iterator[str]:
    """A line for each with its size, and a sum; deleted where that is asked. UserError where there is no run.

    Results of other seeds of the study's own conditions are kept: that they were left out is what claims have to know.
    """
    store = Store(folder)
    store.listing()
    with store.claim():  # nobody else writes meanwhile
        found = [each for each in unlisted(store) if not _is_other_seed(store, each)]
        found += ["slurm"] if (folder / "slurm").is_dir() else []
        sizes = [_size(folder / each) for each in found]
        for each, size in zip(found, sizes, strict=True):
            if delete:
                remove(folder / each)
            yield f"{each}: {_bytes(size)}"
    yield f"{len(found):,} not needed, {_bytes(sum(sizes))}; {'deleted' if delete else 'delete with --delete'}"


def _is_other_seed(store: Store, path: str) -> bool:
    return _SEED.sub("", path) in {_SEED.sub("", f"cells/{each.folder}") for each in store.listing()}


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((Path(inside) / name).lstat().st_size for inside, _, names in os.walk(path) for name in names)


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
