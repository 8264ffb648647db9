"""Running code that nobody has read: a process of its own that may compute, answer, and nothing else. Linux only.

The process gives up every system call but those that a computation needs (seccomp): no file, no network, no process, no
signal. Time, memory and the length of its answer are bounded; what it prints is dropped; its environment is empty.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from educe.data.errors import UserError
from educe.data.untrusted import parse_json

# Limits of one run.
SECONDS, MEGABYTES, MAX_CHARACTERS = 2, 512, 20_000
# What the child ends with where the kernel does not let it give up its rights.
_NOT_CONFINED = 97
_CHILD = Path(__file__).with_name("sandbox_child.py")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """The values of the calls as Python writes them, None for one that raised; and what went wrong, in words.

    `stopped` says why the process was ended, which leaves no values; `errors` has what each call raised, or "".
    """

    values: tuple[str | None, ...]
    errors: tuple[str, ...]
    stopped: str = ""


def run_code(code: str, calls: Sequence[str], *, seconds: int = SECONDS) -> Ran:
    """Run the code and then evaluate each call, `seconds` of computing in all.

    UserError where the system cannot confine a process.
    """
    if sys.platform != "linux":
        raise UserError(f"code of a model is run in a sandbox that {sys.platform} lacks; use Linux")
    limits = {"seconds": seconds, "memory": MEGABYTES * 2**20, "characters": MAX_CHARACTERS}
    request = json.dumps({"code": code, "calls": list(calls), **limits}).encode()
    child = [sys.executable, "-I", "-S", str(_CHILD)]
    # Into a file, whose size is bounded, and not into a pipe, which would be read for as long as somebody writes.
    with TemporaryFile() as answer:
        try:
            ended = subprocess.run(
                child,
                input=request,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=seconds + 10,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _nothing(calls, f"it took more than {seconds + 10} s")
        answer.seek(0)
        text = answer.read().decode(errors="replace")
    if ended.returncode == _NOT_CONFINED:
        raise UserError(
            "code of a model is run in a sandbox, and this system does not let a process give up its rights (seccomp); "
            "use a machine or a container that does"
        )
    if ended.returncode:
        return _nothing(calls, f"it computed for more than {seconds} s, or ended itself (status {ended.returncode})")
    return _read(text, calls)


def _read(text: str, calls: Sequence[str]) -> Ran:
    """What the child answered; who writes something else there answers nothing."""
    try:
        values, errors = parse_json(text, source="the answer of a sandbox")
        if all(len(each) == len(calls) for each in (values, errors)):
            return Ran(
                values=tuple(None if one is None else str(one) for one in values), errors=tuple(map(str, errors))
            )
    except (UserError, ValueError, TypeError):
        pass
    return _nothing(calls, "it answered nothing that can be read")


def _nothing(calls: Sequence[str], stopped: str) -> Ran:
    return Ran(values=(None,) * len(calls), errors=("",) * len(calls), stopped=stopped)
