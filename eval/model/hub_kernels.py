"""bitsandbytes without the kernels that it would fetch: nothing from the hub is run that no study names.

Where a CPU has bfloat16 instructions, importing bitsandbytes asks the package `kernels` for compiled code of a hub
repository, at whatever commit it is by then, and warns where that package is missing. Several libraries (PEFT,
transformers' trainer) import bitsandbytes wherever it is installed, so a finder watches for it.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_LIBRARY, _FETCHER = "bitsandbytes", "kernels"


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _without_fetcher():
            super().exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where bitsandbytes is found as ever, with a loader that has no fetcher; nothing for any other name."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _LIBRARY else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


@contextmanager
def _without_fetcher() -> Iterator[None]:
    """Inside the block, `import kernels` fails as where it is not installed: None is Python's mark for that."""
    before = sys.modules.get(_FETCHER)
    sys.modules[_FETCHER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[_FETCHER]
        else:
            sys.modules[_FETCHER] = before


def keep_out() -> None:
    """From now on bitsandbytes is imported without fetching, and without a warning that no user can act on."""
    logging.getLogger(_LIBRARY).setLevel(logging.ERROR)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
