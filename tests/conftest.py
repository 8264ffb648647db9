"""What every test may count on: no hub, no tracker on the line, no screen, and a folder of public benchmark files."""

import os
from pathlib import Path

import pytest

# Read by libraries when they are first imported, hence set before any test module is.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("OMP_NUM_THREADS", "2")

REPOSITORY = Path(__file__).resolve().parent.parent
# Processes that tests start import this code, too, whatever is installed. The folder educe/ of the repository is only a
# part of the package, so it must not be found first.
os.environ["PYTHONPATH"] = f"{REPOSITORY / 'build' / 'links'}{os.pathsep}{REPOSITORY}"
os.environ["PYTHONSAFEPATH"] = "1"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of public benchmark files (mmlu, bigbench ...): EDUCE_TEST_DATA, or shared/data beside the repository."""
    named = os.environ.get("EDUCE_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no benchmark files at {folder}; name their folder in EDUCE_TEST_DATA")
    return folder
