"""Organisms in a run: what a result records of one, and that no row has two uses."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from educe.data.resolve import resolve_setting
from educe.data.set_aside import asked_by
from educe.data.untrusted import parse_json
from educe.eval.measurement import Measurement, OrganismRecord
from educe.eval.model.certificate import CERTIFICATE
from educe.eval.model.files import file_sha256
from educe.eval.model.organism import adapter_folder, certificate_of
from educe.eval.model.source import Source

if TYPE_CHECKING:  # it needs torch, and reading results must not
    from educe.recipes.runner.cell import Cell


def organism_record(source: Source, rows_read: Collection[str]) -> OrganismRecord:
    """What a result says of the organism that it was measured with."""
    certificate, folder = certificate_of(source), adapter_folder(source)
    assert folder is not None, "an organism has an adapter"
    return OrganismRecord(
        kind=certificate.kind,
        hides=certificate.hides,
        task=certificate.task,
        base=_base_name(source),
        base_identity=certificate.base,
        base_task=_task_name(source),
        certificate=file_sha256(folder / CERTIFICATE),
        floor=certificate.locked.value,
        ceiling=certificate.unlocked.value,
        rows_read=tuple(sorted(rows_read)),
    )


def _base_name(source: Source) -> str:
    """The base for people: without folders, and with what makes a model from scratch another one."""
    name = Path(source.location).name
    name += f"-s{source.seed}" if source.seed else ""
    return name + (f"-{source.steps}-steps" if source.steps else "")


def _task_name(source: Source) -> str:
    """The name of the task that a study names for the organism."""
    spec: Any = parse_json(source.organism, source=source.name)["settings"]["task"]
    return resolve_setting(spec).name


def assert_disjoint(cell: "Cell", measurement: Measurement) -> None:
    """AssertionError where a row that a recipe read trained the organism, was set aside for it, or is scored."""
    if measurement.organism is None:
        assert not cell.source.organism, f"{cell} is of an organism, and its result does not say which rows were read"
        return
    read = set(measurement.organism.rows_read)
    scored = read.intersection(measurement.outcomes.ids)
    assert not scored, f"{cell} read rows that it is scored on, {min(scored)!r} first"
    certificate = certificate_of(cell.source)
    rows = [row for split in cell.task.rows.values() for row in split]
    strange = read.difference(row.id for row in rows)
    assert not strange, f"{cell} read rows that its task does not have, {min(strange)!r} first"
    used = read & asked_by(rows, [*certificate.trained, *certificate.set_aside])
    assert not used, f"{cell} read rows that are set aside for making its organism, {min(used)!r} first"
