"""The recorded revision is that of educe's own checkout, or unknown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from educe.eval.measurement import GitState
from educe.recipes.runner.environment import git_state, git_state_of
from tests.conftest import REPOSITORY

FOLDERS = ("data", "eval", "train", "recipes", "educe")
UNKNOWN = GitState(revision="unknown", dirty=None)


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with our folders, all committed."""
    root = tmp_path / "checkout"
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").write_text("")
    (root / ".gitignore").write_text("__pycache__/\n.venv/\n")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


def test_a_clean_checkout_is_clean(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("beside the package")
    (checkout / "data" / "__pycache__").mkdir()
    (checkout / "data" / "__pycache__" / "a.pyc").write_text("")
    state = git_state_of(checkout)
    assert len(state.revision) == 40 and state.dirty is False


@pytest.mark.parametrize("name", ["data/new.py", "recipes/deep/new.py", "eval/__init__.py"])
def test_new_and_changed_source_is_dirty(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("changed = True\n")
    assert git_state_of(checkout).dirty is True


def test_a_repository_around_the_installation_is_not_recorded(checkout: Path) -> None:
    inside = checkout / ".venv" / "site-packages" / "educe"
    for folder in FOLDERS:
        (inside / folder).mkdir(parents=True)
        (inside / folder / "__init__.py").write_text("")
    assert git_state_of(inside) == UNKNOWN


def test_a_repository_that_does_not_track_the_package_is_not_recorded(checkout: Path) -> None:
    git(checkout, "rm", "-rq", "--cached", "data")
    assert git_state_of(checkout) == UNKNOWN


def test_this_checkout_is_recorded() -> None:
    assert len(git_state().revision) == 40


@pytest.mark.parametrize("name", ["data.py", "eval.py", "train.py", "recipes.py"])
def test_a_file_in_the_working_directory_does_not_take_the_place_of_a_floor(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("raise SystemExit('taken over')")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "build" / "links")}
    command = [sys.executable, "-m", "educe.recipes.cli", "ls", "recipes"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
