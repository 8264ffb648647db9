"""Hugging Face datasets at a pinned revision -> examples. No code of theirs is run."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from educe.data.errors import UserError, did_you_mean, one_line
from educe.data.hub_cache import parse_hub_path, snapshot_folder
from educe.data.loading.answers import AnswerIs
from educe.data.loading.columns import GradeBy, Loaded, to_examples
from educe.data.loading.files import Repeats, check_row_options, graded, make_task, read_grade
from educe.data.loading.names import find_columns
from educe.data.loading.readers import Row
from educe.data.splits import SPLITS
from educe.data.task import Task
from educe.data.untrusted import parse_yaml, read_text
from educe.data.validation import check_mapping

# What publishers call our splits, where the user does not say.
_PUBLISHED_AS = {"train": "train", "dev": "validation", "test": "test"}
# Not compressed as a whole: nothing says how much such a file unpacks to.
_ROW_KINDS = (".parquet", ".jsonl", ".json", ".csv", ".tsv")
_ROW_FILES = ["README.md", *(f"*{kind}" for kind in _ROW_KINDS)]


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A dataset on the hub, which of its splits are ours, and how one of its rows becomes the fields of an example.

    `columns` is a column map; a published schema that no map fits has a `convert`.
    """

    path: str
    revision: str
    config: str | None = None
    splits: Mapping[str, str] = field(default_factory=lambda: _PUBLISHED_AS)
    convert: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    columns: Mapping[str, Any] = field(default_factory=dict)
    choices: bool = True


def hub_task(
    path: str,
    *,
    columns: Mapping[str, Any] | None = None,
    config: str | None = None,
    splits: Mapping[str, str] | None = None,
    answer_is: AnswerIs = "auto",
    grade: str | None = None,
    repeats: Repeats = "error",
) -> Task:
    """A task from `hub:org/name@revision`: `columns` names its question, answer and (for multiple choice) choices.

    `splits` says which published splits are train, dev and test (by default train, validation, test, as far as the
    dataset has them). Nothing is fetched before first use, except for a task without choices and without a `grade`,
    which depends on the answers. UserError where an option does not fit.
    """
    check_row_options(columns=columns, answer_is=answer_is, repeats=repeats, config=config)
    check_mapping("splits", splits)
    by, own = read_grade(grade)
    if own is not None and "choices" in (columns or {}):
        raise UserError(f"grade: {grade!r} is for tasks without choices; leave grade out")
    if not columns or not {"question", "answer"} <= set(columns):
        raise UserError(f"hub:{path}: no column map; write columns: {{question: ..., answer: ..., choices: ...}}")
    for split in splits or {}:
        if split not in SPLITS:
            raise UserError(f"splits: unknown split {split!r}; {did_you_mean(split, SPLITS)}")
    name, revision = parse_hub_path(path, kind="dataset", what=f"task 'hub:{path}'")
    source = HubSource(
        path=name,
        config=config,
        revision=revision,
        splits=splits or _PUBLISHED_AS,
        columns=columns,
        choices="choices" in columns,
    )
    task = source_task(name.rpartition("/")[2], source, answer_is=answer_is, grade=by, repeats=repeats)
    return graded(task, own)


def source_task(
    name: str,
    source: HubSource,
    *,
    answer_is: AnswerIs = "text",
    grade: GradeBy | None = "exact",
    repeats: Repeats = "drop",
    **more: Any,
) -> Task:
    """A task whose rows are a hub dataset's.

    `repeats` is "drop" by default: published train splits do repeat test questions (MMLU's dev and test share five).
    """

    def load() -> Loaded:
        rows = {split: numbered_rows(source, split, published) for split, published in fetch(source).items()}
        split, split_rows = next(iter(rows.items()))
        first = next(split_rows)
        columns = find_columns(source.columns, first.fields, where=f"hub:{source.path}")
        if (columns.choices is not None) != source.choices:
            raise UserError(f"hub:{source.path}: it has choices; name their column in columns: {{choices: ...}}")
        return to_examples(
            {**rows, split: chain([first], split_rows)}, columns, answer_is=answer_is, grade=grade or "exact"
        )

    return make_task(name=name, load=load, choices=source.choices, grade=grade, repeats=repeats, **more)


def fetch(source: HubSource) -> Mapping[str, Any]:
    """The published splits of a source, as `datasets.Dataset` by our split names; UserError where they do not come."""
    folder = snapshot_folder(source.path, source.revision, kind="dataset", patterns=_ROW_FILES)
    # Deferred: with its libraries it takes ten times longer to import than all of the catalog.
    import datasets

    with _reading(source):
        # The library looks up what a card names, on the network, too, before it says which files it found.
        _check_card(folder, source=f"hub:{source.path}")
        # Of the folder, not of the name: a name could be a folder of the working directory.
        builder = datasets.load_dataset_builder(str(folder), source.config)
        _check_files(builder.config.data_files or {}, folder)
        try:
            builder.download_and_prepare()
        except datasets.exceptions.DatasetGenerationError as error:
            raise error.__cause__ or error from None  # it says no more than that it happened
        published = {name: _without_media(rows) for name, rows in builder.as_dataset().items()}
    return _our_splits(source, published)


def _check_card(folder: Path, *, source: str) -> None:
    """ValueError where a dataset's card names files that are not its own; UserError where it cannot be read."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    card = folder / "README.md"
    block = REGEX_YAML_BLOCK.search(read_text(card)) if card.exists() else None
    named = [parse_yaml(block[2], source=f"{source}: its card")] if block else []
    settings = folder / ".huggingface.yaml"  # the library prefers it to the card
    if settings.exists():
        named.append(parse_yaml(read_text(settings), source=f"{source}: its {settings.name}"))
    for file in (file for each in named for file in _files_named(each)):
        if "://" in file or "::" in file or file.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", file):
            raise ValueError(f"its card names the file {file!r}, which is not one of its own")


def _files_named(value: Any, inside: bool = False) -> Iterator[str]:
    """The texts at any depth below `data_files` and `data_dir`."""
    if isinstance(value, str):
        yield from [value] if inside else []
    elif isinstance(value, list):
        for each in value:
            yield from _files_named(each, inside)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _files_named(each, inside or key in ("data_files", "data_dir"))


def _without_media(rows: Any) -> Any:
    """Rows without images and the like, which the library would look up, anywhere, when a row is read."""
    from datasets.features.features import require_decoding

    return rows.remove_columns([name for name, feature in rows.features.items() if require_decoding(feature)])


def _check_files(files: Mapping[str, Sequence[str]], folder: Path) -> None:
    """ValueError where a dataset reads compressed files or files outside its folder, or lacks some of a split's."""
    from datasets.utils.extract import Extractor

    inside = f"{os.path.normpath(folder)}{os.sep}"
    for file in (str(file) for split_files in files.values() for file in split_files):
        if not os.path.normpath(file).startswith(inside):
            raise ValueError(f"its card names the file {file!r}, which is not one of its own")
        # By what is in it, as the library does, whatever it is called.
        if not file.endswith(_ROW_KINDS) or Extractor.infer_extractor_format(file):
            raise ValueError(f"its file {os.path.basename(file)!r} is compressed or not of {', '.join(_ROW_KINDS)}")
        part = re.search(r"-\d{5}-of-(\d{5})", file)
        for number in range(int(part[1]) if part else 0):
            other = re.sub(r"-\d{5}-of-", f"-{number:05}-of-", file)
            if not os.path.exists(other):
                raise ValueError(f"its file {os.path.basename(other)!r} is not in the cache")


def numbered_rows(source: HubSource, split: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Rows as the source converts them, each knowing its place in the published split."""
    for number, row in enumerate(_readable(source, rows), 1):
        yield Row(place=f"hub:{source.path}, {split} row {number}", fields=source.convert(row))


def _readable(source: HubSource, rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows. UserError at one that the library does not decode: it stores text that is not UTF-8 unread."""
    following = iter(rows)
    while True:
        with _reading(source):
            row = next(following, None)
        if row is None:
            return
        yield row


def _reading(source: HubSource) -> AbstractContextManager[None]:
    what = f"hub:{source.path}: the rows of revision {source.revision!r} cannot be read"
    return one_line(what, "save the rows to a file and use file:")


def _our_splits(source: HubSource, published: Mapping[str, Any]) -> Mapping[str, Any]:
    if source.splits is _PUBLISHED_AS:
        ours = {split: published[name] for split, name in _PUBLISHED_AS.items() if name in published}
        if not ours:
            raise UserError(f"hub:{source.path}: its splits are {', '.join(published)}; say which is which in splits")
        return ours
    for split, name in source.splits.items():
        if name not in published:
            raise UserError(f"hub:{source.path}: no split {name!r} for {split}; {did_you_mean(str(name), published)}")
    return {split: published[name] for split, name in source.splits.items()}
