"""bitsandbytes is imported without fetching kernels from the hub, whoever imports it first, and without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

FAKE = """
from pathlib import Path
__version__ = "0.0"
def get_kernel(*args, **kwargs):
    Path(__file__).with_name("asked").write_text(repr(args))
"""


def run(code: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "kernels.py").write_text(FAKE)
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_nothing_is_asked_of_the_hub_and_nothing_said(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra 'quantized' is not installed")
    done = run("import educe.eval.model.load, peft; assert 'bitsandbytes' in sys.modules", folder=tmp_path)
    assert not (tmp_path / "asked").exists()
    assert "kernels" not in done.stderr


def test_the_package_itself_can_still_be_imported(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="the extra 'quantized' is not installed")
    code = """
import kernels, educe.eval.model, bitsandbytes
assert sys.modules["kernels"] is kernels
del sys.modules["kernels"]
import kernels
"""
    run(code, folder=tmp_path)
    assert not (tmp_path / "asked").exists()


def test_bitsandbytes_alone_would_ask(tmp_path: Path) -> None:
    """The control: where this fails, bitsandbytes asks no more, and the finder can go."""
    pytest.importorskip("bitsandbytes", reason="the extra 'quantized' is not installed")
    done = run("from bitsandbytes.functional import has_avx512bf16; print(bool(has_avx512bf16()))", folder=tmp_path)
    if done.stdout.strip() == "False":
        pytest.skip("this CPU has no bfloat16 instructions, so no kernel is asked for")
    assert (tmp_path / "asked").exists()
