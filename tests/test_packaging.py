"""What a wheel has, and that it works beside a user's own files."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FLOORS = ("data", "eval", "train", "recipes")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the tracked files, which pip may litter."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((REPOSITORY / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "-w", str(out), str(copy)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("educe-*.whl")
    return path


def tracked() -> list[str]:
    """Every file of the repository that git knows, or would add."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def test_a_wheel_has_every_file_of_every_floor(wheel: Path) -> None:
    wanted = {f"educe/{name}" for name in tracked() if name.startswith(tuple(f"{floor}/" for floor in FLOORS))}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == wanted | {"educe/__init__.py"}


def test_an_unpacked_wheel_runs_beside_a_users_own_files(wheel: Path, tmp_path: Path) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    work.mkdir()
    for name in FLOORS:
        (work / f"{name}.py").write_text(f"raise RuntimeError('the user's own {name}')")
    environment = {**os.environ, "PYTHONPATH": f"{work}{os.pathsep}{site}"}
    for what, name in (("tasks", "capitals"), ("models", "tiny-random"), ("recipes", "zero_shot")):
        command = [sys.executable, "-m", "educe.recipes.cli", "ls", what]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=120)
        assert name in done.stdout, done.stderr
