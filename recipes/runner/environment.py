"""What a result was made with: library versions, git revision, machine. Recorded beside it, never part of its hash."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from educe.data.errors import UserError
from educe.eval.measurement import GitState

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
def versions() -> dict[str, str]:
    """The version of Python and of every library that can move a result."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def machine() -> str:
    """Operating system, processor and number of cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def on_cpu(device: str) -> bool:
    """Whether a model is loaded on the CPU of this machine, for a device as a study names it."""
    return device == "cpu" or (
        device == "auto" and not torch.cuda.is_available() and not torch.backends.mps.is_available()
    )


def check_device(device: str) -> None:
    """UserError where this machine lacks the device."""
    kind, _, index = device.partition(":")
    available = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if int(index or 0) >= available.get(kind, 1):
        raise UserError(
            f"device {device!r} is not there: this machine has {available[kind]} of kind {kind}; use device: cpu"
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@cache
def git_state() -> GitState:
    """The state of this checkout; unknown outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    try:
        revision = _git(root, "rev-parse", "HEAD")
        return GitState(revision=revision, dirty=bool(_git(root, "status", "--porcelain", "--untracked-files=no")))
    except (OSError, subprocess.CalledProcessError):
        return GitState(revision="unknown", dirty=None)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
