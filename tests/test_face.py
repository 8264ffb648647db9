"""What `import educe` gives, in interpreters of their own."""

import subprocess
import sys
from pathlib import Path

import educe

NAMES = ["Model", "Study", "Task", "load_results", "run"]
HEAVY = "{'torch', 'transformers', 'scipy', 'numpy', 'pydantic'} & set(sys.modules)"


def python(code: str, *, cwd: Path) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_face_has_five_names_and_loads_nothing_before_they_are_used(tmp_path: Path) -> None:
    code = f"import sys, educe\nprint(educe.__all__, set(educe.__all__) <= set(dir(educe)), sorted({HEAVY}))"
    assert python(code, cwd=tmp_path) == f"{NAMES} True []"


def test_a_task_needs_no_torch(tmp_path: Path) -> None:
    assert python("import sys, educe\neduce.Task\nprint('torch' in sys.modules)", cwd=tmp_path) == "False"


def test_every_name_is_what_it_says() -> None:
    assert [getattr(educe, name).__name__ for name in NAMES] == ["Model", "Study", "Task", "load_results", "run_study"]
    assert not hasattr(educe, "Modle")
