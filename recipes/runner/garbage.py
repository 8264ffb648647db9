"""What no cell of a study needs in its run directory: results of earlier studies, and what killed runs left."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from educe.eval.analysis.formatting import format_count
from educe.recipes.runner.store import Store
from educe.recipes.runner.verify import unlisted


def collect(folder: Path, *, delete: bool) -> Iterator[str]:
    """A line for each with its size, and a sum; deleted where that is asked. UserError where there is no run.

    Results of cells that the study does not list cannot be made again but by running them: they are deleted, too.
    """
    store = Store(folder)
    store.listing()
    if delete:
        with store.claim():  # clears the scratch folder; nobody else writes meanwhile
            yield from _collect(store, delete=True)
    else:
        yield from _collect(store, delete=False)


def _collect(store: Store, *, delete: bool) -> Iterator[str]:
    found = sorted({*unlisted(store), *_left(store)})
    sizes = [_size(store.root / each) for each in found]
    for each, size in zip(found, sizes, strict=True):
        if delete:
            _remove(store.root / each)
        yield f"{each}: {_bytes(size)}"
    what = "deleted" if delete else "not needed (delete with --delete)"
    yield f"{format_count(len(found), 'thing')}, {_bytes(sum(sizes))} {what}"


def _left(store: Store) -> Iterator[str]:
    """What a run leaves beside its cells: half-written results, and the logs of Slurm's jobs."""
    for name in (".scratch", "slurm"):
        if (store.root / name).is_dir() and any((store.root / name).iterdir()):
            yield name


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((Path(inside) / name).lstat().st_size for inside, _, names in os.walk(path) for name in names)


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
