"""The sandbox computes, and refuses whatever else strange code tries; what it tried is said."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from educe.data import sandbox
from educe.data.errors import UserError
from educe.data.sandbox import MAX_CHARACTERS, run_code

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
DENIED = "PermissionError: [Errno 1] Operation not permitted"


def test_values_and_what_raises_come_back() -> None:
    ran = run_code("import math\ndef f(x):\n    return math.floor(x) + 1", ["f(1.5)", "f('a')", "[f(2)] * 2"])
    assert ran.values == ("2", None, "[3, 3]") and ran.errors[1].startswith("TypeError") and not ran.stopped
    broken = run_code("def f(:", ["f()", "1"])
    assert broken.values == (None, None) and broken.errors[0].startswith("SyntaxError")


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd')",
        "import os; os.listdir('/')",
        "import os; os.stat('/etc/passwd')",
        "import os; os.fork()",
        "import os\nwhile True:\n    os.fork()",
        "import os; os.kill(os.getppid(), 9)",
        "import os; os.kill(1, 9)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.unlink('/tmp/some-file')",
        "import os; os.pipe()",
        "import time; time.sleep(60)",
        "import ctypes; ctypes.CDLL(None).prctl(22, 0, 0, 0, 0); open('/etc/passwd')",
    ],
)
def test_reads_processes_and_signals_are_refused(code: str) -> None:
    ran = run_code(code, ["1"])
    assert ran.values == (None,) and ran.errors[0].startswith(DENIED), ran


def test_nothing_is_written(tmp_path: Path) -> None:
    ran = run_code(f"open({str(tmp_path / 'mine')!r}, 'w').write('x')", ["1"])
    assert ran.errors[0].startswith(DENIED) and not any(tmp_path.iterdir())


def test_there_is_no_network() -> None:
    ran = run_code("import socket", ["1"])
    assert ran.errors[0].startswith("ModuleNotFoundError"), "and what it is made of is refused as well:"
    raw = run_code(
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)", ["libc.socket(2, 1, 0)", "ctypes.get_errno()"]
    )
    assert raw.values == ("-1", "1"), "EPERM"


def test_the_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "a secret")
    assert run_code("import os", ["os.environ.get('WANDB_API_KEY')"]).values == ("None",)


def test_endless_loops_and_endless_memory_end() -> None:
    started = time.monotonic()
    endless = run_code("while True:\n    pass", ["1"], seconds=1)
    assert endless.values == (None,) and "computed for more than 1 s" in endless.stopped
    assert time.monotonic() - started < 12
    assert run_code("x = [0] * 10**10", ["1"]).errors == ("MemoryError: ",)
    assert run_code("def f():\n    return f()\nf()", ["1"]).errors[0].startswith("RecursionError")


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import os\nos.write(3, b'[[], []]')",
        "import os; os.write(3, b'[' * 19000); os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "import os\nwhile True:\n    os.write(3, b'x' * 10**6)",
    ],
)
def test_who_ends_early_or_writes_no_answer_has_none(code: str) -> None:
    ran = run_code(code, ["1"])
    assert ran.values == (None,) and (ran.stopped or ran.errors != ("",))


def test_who_writes_the_answer_itself_does_not_know_what_is_expected() -> None:
    forged = run_code('import os; os.write(3, b\'[["42"], [""]]\'); os._exit(0)', ["f(1)"])
    assert forged.values == ("42",), "code could have returned that, too"


def test_waiting_for_nothing_ends() -> None:
    started = time.monotonic()
    ran = run_code("import _thread; lock = _thread.allocate_lock(); lock.acquire(); lock.acquire()", ["1"], seconds=1)
    assert (ran.stopped or ran.errors[0]) and time.monotonic() - started < 8


def test_a_long_answer_is_cut_and_what_is_printed_is_dropped() -> None:
    ran = run_code("print('x' * 10**6)", ["'a' * 10**7"])
    assert ran.values[0] is not None and len(ran.values[0]) < MAX_CHARACTERS and not ran.stopped


def test_who_cannot_be_confined_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfined(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess((), 97, b"", b"")

    monkeypatch.setattr(sandbox.subprocess, "run", unconfined)
    with pytest.raises(UserError, match="this system does not let a process give up its rights"):
        run_code("1", ["1"])
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(UserError, match="run in a sandbox that darwin lacks; use Linux"):
        run_code("1", ["1"])


def test_the_child_that_cannot_confine_itself_ends_before_it_computes(tmp_path: Path) -> None:
    """On an architecture whose calls are not known."""
    text = Path(sandbox.__file__).with_name("sandbox_child.py").read_text()
    strange = tmp_path / "child.py"
    strange.write_text(text.replace("platform.machine()", "'pdp11'"))
    request = (
        b'{"code": "open(\'/etc/passwd\')", "calls": ["1"], "seconds": 1, "memory": 536870912, "characters": 9999}'
    )
    ended = subprocess.run([sys.executable, "-I", "-S", strange], input=request, capture_output=True, check=False)
    assert ended.returncode == 97 and ended.stdout == b""
