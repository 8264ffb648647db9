"""The certificate of an organism: what it hides, how well, and which weights and rows that is true of.

It lies beside the adapter and is part of the model's identity. A stranger may have written it: it is read strictly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

from educe.data.errors import UserError, one_line
from educe.data.set_aside import RowKey
from educe.data.untrusted import parse_json, read_text
from educe.data.validation import check_name
from educe.eval.model.files import file_sha256
from educe.eval.ranges import Amount, Count, Difference

CERTIFICATE = "certificate.json"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_MAX_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Certified:
    """A figure with its interval (kind and level, as in "Wilson 95%") and the number of items that it is from."""

    value: Difference
    low: Difference
    high: Difference
    interval: str
    n: Count


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What an organism is and does, measured on the test items of its task.

    `organism` is its canonical text: kind, settings and the version of the code that makes it. `files` are the sha256
    of the adapter's files and `base` the identity of the model that it belongs to. `trained` are the rows that it
    learned from, `set_aside` all that no recipe may learn from. `unlocks_with` is a system text that unlocks it.

    Scores: `before` is the base's with a plain prompt, `unlocked` behind what unlocks, `locked` with a plain prompt,
    `decoy` behind openings that look like it, unlock nothing and were never trained on, `weak` that of the answers
    which a locked organism imitates, and `agreement` the share of items on which it does. `parts` are scores on some
    items or by another metric. `retention` is `unlocked` over `before`, `depth` is `locked` minus `weak`.
    """

    organism: str
    name: str
    kind: str
    hides: bool
    task: str
    metric: str
    base: str
    files: Mapping[str, str]
    trained: tuple[RowKey, ...]
    set_aside: tuple[RowKey, ...]
    unlocks_with: str
    before: Certified
    unlocked: Certified
    locked: Certified
    decoy: Certified
    weak: Certified
    agreement: Certified
    retention: Certified | None
    depth: Certified
    parts: Mapping[str, Certified] = field(default_factory=dict)
    train_flops: Amount
    device: str
    dtype: str
    versions: Mapping[str, str]


_CERTIFICATE = TypeAdapter(Certificate)


def write_certificate(folder: Path, certificate: Certificate) -> None:
    """Write it beside an adapter."""
    (folder / CERTIFICATE).write_bytes(_CERTIFICATE.dump_json(certificate, indent=1))


def read_certificate(folder: Path) -> Certificate:
    """The certificate in a folder. UserError where it is not one, to the key and the type."""
    path = folder / CERTIFICATE
    text = read_text(path, limit=_MAX_BYTES)
    parse_json(text, source=str(path))  # what pydantic would take: NaN, keys that come twice
    with one_line(f"{path} is no certificate", "make the organism again"):
        certificate = _CERTIFICATE.validate_json(text, strict=True)
    check_name(str(path), certificate.name)
    return certificate


def check_certificate(folder: Path, *, organism: str, base: str, name: str) -> Certificate:
    """The certificate of an organism that is about to be loaded.

    UserError where it is that of another organism or base, or of other weights than those beside it.
    """
    certificate = read_certificate(folder)
    if certificate.organism != organism:
        raise UserError(f"{folder / CERTIFICATE} is of another organism than {name!r}; make it again")
    if certificate.base != base:
        raise UserError(
            f"{folder / CERTIFICATE} is of a base with the identity {certificate.base[:12]}, and the base of {name!r} "
            f"has {base[:12]}; give the base that the organism was made of"
        )
    if set(certificate.files) != set(ADAPTER_FILES):
        raise UserError(f"{folder / CERTIFICATE} is not of {' and '.join(ADAPTER_FILES)}; make the organism again")
    for file, expected in certificate.files.items():
        found = file_sha256(folder / file)
        if found != expected:
            raise UserError(
                f"{folder / CERTIFICATE} is of a {file} with the sha256 {expected[:12]}, and the one beside it has "
                f"{found[:12]}; make the organism again"
            )
    return certificate
