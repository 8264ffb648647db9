"""What runs inside the sandbox (sandbox.py): confines itself and computes. Reads a request, writes an answer.

It is run as a file and imports nothing of educe. The modules that it imports are all that the code may import: after it
has confined itself no file opens.
"""

import bisect  # noqa: F401
import collections  # noqa: F401
import ctypes
import functools  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import math  # noqa: F401
import operator  # noqa: F401
import os
import platform
import random  # noqa: F401
import re  # noqa: F401
import resource
import string  # noqa: F401
import struct
import sys
from typing import Any, NoReturn

MAX_CHARACTERS = 2000  # of one value
_NOT_CONFINED = 97
# The number of the architecture, and of the calls that a computation needs: read, write, close, fstat, lseek, mmap,
# mprotect, munmap, brk, three of signals, mremap, madvise, getpid, exit, gettimeofday, sigaltstack, clock_gettime,
# exit_group, getrandom, sched_yield. None of them waits. From the kernel's tables.
_CALLS = {
    "x86_64": (0xC000003E, (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 25, 28, 39, 60, 96, 131, 228, 231, 318, 24)),
    "aarch64": (
        0xC00000B7,
        (63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 216, 233, 172, 93, 169, 132, 113, 94, 278, 124),
    ),
}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL, _ALLOW, _REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | 1  # 1 is EPERM
_NO_NEW_RIGHTS, _SECCOMP, _FILTER = 38, 22, 2


def confine(*, seconds: int, memory: int, characters: int) -> None:
    """Bound time and memory, and give up every other system call. Ends the process where that cannot be done."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    sizes = ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, characters), (resource.RLIMIT_CORE, 0))
    for limit, value in sizes:
        resource.setrlimit(limit, (value, value))
    architecture, allowed = _CALLS.get(platform.machine(), (0, ()))
    # In order: is it this architecture, which call is it, one line for each that is allowed, refuse, allow.
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_EQUAL, len(allowed) - place, 0, call) for place, call in enumerate(allowed)]
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    if not allowed or libc.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0) or libc.prctl(_SECCOMP, _FILTER, header, 0, 0):
        os._exit(_NOT_CONFINED)


def answers(code: str, calls: list[str]) -> tuple[list[str | None], list[str]]:
    """The value of each call after the code, as Python writes it, or what it raised."""
    names: dict[str, Any] = {"__name__": "answer"}
    values: list[str | None] = []
    errors: list[str] = []
    failed = _raised(lambda: exec(code, names))
    for call in calls:
        found: list[str] = []
        error = failed or _raised(lambda call=call, found=found: found.append(repr(eval(call, names))))
        values.append(found[0][:MAX_CHARACTERS] if found else None)
        errors.append(error)
    return values, errors


def _raised(act: Any) -> str:
    """What it raises, in words; empty where it raises nothing."""
    try:
        act()
    except BaseException as error:  # whatever strange code raises, SystemExit too
        return f"{type(error).__name__}: {error}"[:200]
    return ""


def main() -> NoReturn:
    """Read a request from standard input, and write the answer where standard output goes."""
    request = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    os.closerange(answer + 1, 256)
    confine(**{limit: request[limit] for limit in ("seconds", "memory", "characters")})
    text = json.dumps(answers(request["code"], request["calls"]))
    os.write(answer, text.encode())
    os._exit(0)


if __name__ == "__main__":
    main()
