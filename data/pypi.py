"""Fetching a package from PyPI through pip, so that the user's own index, proxy and certificates are used."""

import subprocess
import sys
from pathlib import Path

from educe.data.errors import UserError


def download(package: str, version: str, sha256: str, folder: Path, *options: str, fix: str) -> None:
    """Put the file of a package with this hash into a folder; `options` are pip's, `fix` what else a user may do.

    UserError where the index has another file, or cannot be reached.
    """
    pin = f"{package}=={version}"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{pin} --hash=sha256:{sha256}\n", "utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", *options]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(folder)]
    done = subprocess.run([*command, "--requirement", str(requirements)], capture_output=True, text=True)
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise UserError(f"{pin} has another sha256 than the pinned one; refused, check the package index")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise UserError(f"cannot fetch {pin} from PyPI ({last}); check the network{fix}")
