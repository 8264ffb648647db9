"""What a wheel has, and that it works beside a user's own files."""

import os
import re
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


def versions_in(path: Path) -> list[tuple[str, str]]:
    """Normalised name and version of every package that a requirements file pins."""
    found = re.findall(r"^([\w.-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE)
    return [(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found]


def test_every_version_in_the_constraints_has_hashes() -> None:
    """All but torch, whose builds come from several indexes."""
    files = [REPOSITORY / "hashes" / name for name in ("install.txt", "extras.txt")]
    hashed = [pin for path in files for pin in versions_in(path)]
    pinned = versions_in(REPOSITORY / "constraints.txt")
    assert len(hashed) == len(set(hashed)) > 100
    assert sorted(hashed) == sorted(pin for pin in pinned if pin[0] != "torch")
    for path in files:
        requirements = re.split(r"\n(?=[\w])", path.read_text("utf-8").rstrip().partition("\n\n")[2])
        for requirement in requirements:
            first, *hashes = requirement.split(" \\\n    ")
            assert "==" in first and hashes, first
            assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), first


def test_make_checks_hashes_before_it_installs_the_rest(tmp_path: Path) -> None:
    for target, files in (("install", ["install"]), (".installed-all", ["install", "extras"])):
        goal = target if target == "install" else f"{tmp_path}/v/{target}"
        command = ["make", "--dry-run", goal, f"VENV={tmp_path}/v"]
        shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        steps = [line.partition(" install ")[2] for line in shown.splitlines() if " -m pip " in line]
        assert [step.split()[0] for step in steps] == ["--no-deps", "--no-build-isolation"] * len(files), steps
        assert [step for step in steps if "--require-hashes" in step] == [
            f"--no-deps --require-hashes -r hashes/{name}.txt" for name in files
        ]
