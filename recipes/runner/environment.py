"""What a result was made with: library versions, git revision, machine. Recorded beside it, never part of its hash."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from educe.data.errors import UserError

_LIBRARIES = (
    "educe",
    "torch",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "deepspeed",
    "scikit-learn",
    "tokenizers",
    "numpy",
)


@cache
def environment() -> dict[str, Any]:
    """Versions, git state and machine as plain values."""
    import torch

    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
        "git": _git(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
    }


def on_cpu(device: str) -> bool:
    """Whether a model asked for on this device, or on `auto`, comes to lie on the CPU here."""
    import torch

    return device == "cpu" or (
        device == "auto" and not torch.cuda.is_available() and not torch.backends.mps.is_available()
    )


def check_device(device: str) -> None:
    """UserError where this machine lacks the device."""
    import torch

    kind, _, index = device.partition(":")
    held = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if int(index or 0) >= held.get(kind, 1):
        raise UserError(
            f"device {device!r} is not there: this machine has {held[kind]} of kind {kind}; use device: cpu"
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git() -> dict[str, Any]:
    """Revision of this checkout and whether it has uncommitted changes; unknown outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    try:
        revision = _ask_git(root, "rev-parse", "HEAD")
        return {"revision": revision, "dirty": bool(_ask_git(root, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"revision": "unknown", "dirty": None}


def _ask_git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
