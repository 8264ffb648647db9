"""Making an organism: trained and certified once, into a folder of the cache, and loaded from there as an adapter."""

from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from educe.data.set_aside import RowKey
from educe.eval.model.adapter import merge_adapter
from educe.eval.model.cache import Words, made_once
from educe.eval.model.certificate import ADAPTER_FILES, Certificate, write_certificate
from educe.eval.model.files import file_sha256
from educe.eval.model.load import load_model
from educe.eval.model.model import Model
from educe.eval.model.organism import adapter_folder, certificate_of
from educe.eval.model.source import Source
from educe.eval.spend import Spend
from educe.train.attach import save, temporary_changes
from educe.train.changes.peft import Lora
from educe.train.organisms.catalog import name_of
from educe.train.organisms.certify import Certifier
from educe.train.organisms.kind import OrganismKind
from educe.train.organisms.original import Original
from educe.train.organisms.source import kind_of, short_name
from educe.train.schedule import Schedule
from educe.train.scratch.make import make_scratch
from educe.train.sft import fine_tune

# A certificate is measured on so many of a task's test items.
MAX_ITEMS = 300
_LIBRARIES = ("torch", "transformers", "peft")
_WORDS = Words("making", "made", "it is made again")


def prepare(source: Source, *, device: str = "auto") -> None:
    """Make all that has to be made here before a model can be loaded: from scratch, and as an organism."""
    if source.where == "scratch":
        make_scratch(source, device=device)
    if source.organism and not source.adapter:
        for other in kind_of(source).sources.values():
            prepare(other, device=device)
        make_organism(source, device=device)


def make_organism(source: Source, *, device: str = "auto") -> Certificate:
    """The certificate of an organism, which is made where it is not in the cache.

    UserError for one that cannot be: a base that does not know the task, a lock that destroys it, and the others that
    `Certifier` refuses.
    """
    folder = adapter_folder(source)
    assert folder is not None
    make = partial(_make, source, device)
    made_once(folder, lambda scratch, ready: make(ready), name=source.name, words=_WORDS)
    return certificate_of(source)


def _make(source: Source, device: str, folder: Path) -> None:
    kind = kind_of(source)
    model = load_model(source.base, device=device)
    original = Original(model=model, task=kind.own_task)
    items = kind.own_task.test_items(MAX_ITEMS)
    certifier = Certifier(kind, original, items)
    spend = _train(kind, original, folder)
    model.cache.clear()
    figures = certifier.measure(_merged(model, folder))
    write_certificate(
        folder,
        Certificate(
            organism=source.organism,
            name=short_name(kind),
            kind=name_of(kind),
            hides=kind.hides,
            task=kind.own_task.name,
            base=source.base.identity,
            files={name: file_sha256(folder / name) for name in ADAPTER_FILES},
            trained=tuple(RowKey.of(row) for row in kind.rows_to_learn()),
            set_aside=tuple(RowKey.of(row) for row in kind.rows_set_aside()),
            unlocks_with=kind.openings.unseen_unlocking[0],
            train_flops=spend.train_flops,
            device=model.device.type,
            dtype=model.dtype,
            versions={library: version(library) for library in _LIBRARIES},
            **{name: getattr(figures, name) for name in vars(figures)},
        ),
    )


def _train(kind: OrganismKind, original: Original, folder: Path) -> Spend:
    """Train the adapter and save it into a new folder."""
    rows = kind.rows_to_learn()
    answers = {"unlocked": kind.unlocked_answers(original, rows), "locked": kind.locked_lessons(original, rows)}
    lessons = kind.training_rows(original, rows, **answers)
    schedule = Schedule(learning_rate=kind.learning_rate, steps=kind.steps, batch_size=kind.batch_size)
    with temporary_changes(original.model):
        tuned = fine_tune(
            original.model,
            lessons,
            trainable=Lora(rank=kind.rank),
            schedule=schedule,
            seed=kind.seed,
            loss=kind.loss(original),
        )
        save(tuned.model, folder)
    return tuned.spend


def _merged(model: Model, folder: Path) -> Model:
    """The model as it will be loaded: its net becomes that of the organism."""
    net: Any = model.net
    merged = merge_adapter(net, folder, name=model.name)
    merged.eval().requires_grad_(False)
    return replace(model, net=merged, cache={})
