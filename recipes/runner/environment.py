"""What a result was made with: library versions, git revision, machine. Recorded beside it, never part of its hash."""

import os
import platform
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from educe.data.errors import UserError
from educe.eval.measurement import GitState
from educe.recipes.runner.processes import gpu_names, takes_gpus

_LIBRARIES = (
    "educe",
    "torch",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "bitsandbytes",
    "deepspeed",
    "scikit-learn",
    "tokenizers",
    "numpy",
)

# The folders of the package, as a checkout has them.
_FOLDERS = ("data", "eval", "train", "recipes", "educe")


@cache
def versions() -> dict[str, str]:
    """The version of Python and of every library that can move a result."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def machine() -> str:
    """Operating system, processor and number of cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def device_name(device: torch.device) -> str:
    """What computes: the device's type, the GPU's name, and the model and the instruction set of the CPU."""
    gpu = [torch.cuda.get_device_name(device)] if device.type == "cuda" else []
    return ", ".join([device.type, *gpu, _cpu_model(), torch.backends.cpu.get_cpu_capability()])


@cache
def _cpu_model() -> str:
    """The CPU's name as Linux has it; elsewhere what the system calls it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def on_cpu(device: str) -> bool:
    """Whether a model is loaded on the CPU of this machine, for a device as a study names it."""
    return device == "cpu" or (
        device == "auto" and not torch.cuda.is_available() and not torch.backends.mps.is_available()
    )


def cuda_devices(device: str) -> list[str]:
    """The GPUs that workers may have, named as CUDA_VISIBLE_DEVICES does; none where the study names one."""
    count = torch.cuda.device_count() if takes_gpus(device) else 0
    return gpu_names(count) if count else []


def gpu_groups(device: str, size: int) -> list[str]:
    """The GPUs that workers may have in groups of `size`, each as CUDA_VISIBLE_DEVICES names it."""
    names = cuda_devices(device)
    return [",".join(names[start : start + size]) for start in range(0, len(names) - size + 1, size)]


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
    """The state of the checkout that this code is in; unknown where it is installed elsewhere."""
    return git_state_of(Path(__file__).resolve().parents[2])


def git_state_of(root: Path) -> GitState:
    """The state of a checkout of educe at `root`; unknown where that is none, even inside another repository.

    Changed files of the checkout make it dirty, and so do files of our own folders that git neither tracks nor ignores.
    """
    try:
        # The package in site-packages is not the project around it, which may have it in a virtual environment.
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root.resolve():
            raise FileNotFoundError("another repository")
        _git(root, "ls-files", "--error-unmatch", *(f"{folder}/__init__.py" for folder in _FOLDERS))
        revision = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *_FOLDERS)
        return GitState(revision=revision, dirty=bool(changed or new))
    except (OSError, subprocess.CalledProcessError):
        return GitState(revision="unknown", dirty=None)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
