"""What a run imports before its first cell, which has to wait for it."""

import subprocess
import sys
from pathlib import Path

from educe.recipes import catalog

STUDY = Path(catalog.__file__).parent / "studies" / "quickstart.yaml"
# What the first cell does not need, each a second or more: adapters, figures, reward training, optional trackers.
LATER = ("peft", "bitsandbytes", "matplotlib", "trl", "datasets", "wandb")
CODE = """
import sys
from educe.recipes.runner.run_study import run_study
from educe.recipes.runner.study import Study
Study.read(sys.argv[1]).cells()
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_the_first_cell_waits_for_nothing_that_it_does_not_need() -> None:
    done = subprocess.run([sys.executable, "-c", CODE, STUDY, *LATER], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
