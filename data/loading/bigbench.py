"""Tasks in BIG-bench's JSON: `bigbench:PATH/task.json`, or by name from the published archive: `bigbench:winowhy`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.format import Format
from educe.data.loading.bigbench_archive import archived
from educe.data.loading.bigbench_grade import exact_str_match
from educe.data.loading.bigbench_rows import FAULTY, Faulty, described_task, rows_of
from educe.data.loading.columns import Loaded, to_examples
from educe.data.loading.files import GRADES, make_task
from educe.data.loading.names import Columns
from educe.data.task import Task
from educe.data.untrusted import MAX_BYTES
from educe.data.validation import check_one_of

GradeBy = Literal["exact", "number", "exact_str_match"]
# What BIG-bench writes around a question where a task does not say.
_INPUT_PREFIX, _OUTPUT_PREFIX = "\nQ: ", "\nA: "


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A file with examples: a task, or one of the subtasks that are pooled; `described` is without its examples."""

    file: Path
    described: Mapping[str, Any]
    choices: bool
    format: Format
    # What stands before and after each question of a pool, where its subtasks write them differently.
    around: tuple[str, str] = ("", "")


def bigbench_task(path: str, *, strip_ends: str = "", faulty: Faulty = "error", grade: GradeBy | None = None) -> Task:
    """A BIG-bench JSON task: multiple choice where its examples have `target_scores`, else generation.

    `path` is a file, or the name of a task of the published archive, or of one of its subtasks: `arithmetic/5_digit_
    addition`. A task of subtasks is all of them pooled; rows that ask the same share a cluster. Its task prefix becomes
    the instruction, its input and output prefixes the fields of the format. The order of the choices is fixed by hash,
    because some tasks print the right one first. Split by hash. A choice is worth its target score. `strip_ends` are
    characters that answers and choices lose at their end: of moves in chess `+#`, where only a mate is written with
    `#`. `faulty: drop` leaves out rows that cannot be asked. `grade: exact_str_match` is BIG-bench's own. UserError
    where the file is not such a task, or a row cannot be asked or has no best choice.
    """
    if not isinstance(strip_ends, str):
        raise UserError(f"strip_ends: {strip_ends!r} is not text; give the characters, as in strip_ends: '+#'")
    check_one_of("faulty", faulty, FAULTY)
    known = archived(path)
    file = known.file if known else Path(path).expanduser()
    described = described_task(file)
    parts = _pooled(file, [_part(file)] if "examples" in described else _subtasks(file))
    choices = parts[0].choices

    def load() -> Loaded:
        columns = Columns(
            question="input",
            answer="answer",
            choices="choices" if choices else None,
            aliases="aliases",
            cluster="cluster",
            scores="scores",
            bare_choices=choices,
        )
        rows = (
            row
            for part in parts
            for row in rows_of(part.file, choices=choices, strip=strip_ends, faulty=faulty, around=part.around)
        )
        return to_examples({"all": rows}, columns, answer_is="text")

    return make_task(
        name=known.name if known else _text(described, "name", file.parent.name, file),
        load=load,
        choices=choices,
        format=parts[0].format,
        **_graded(parts, grade, trusted=known is not None),
    )


def _graded(parts: Sequence[_Part], grade: GradeBy | None, *, trusted: bool) -> dict[str, Any]:
    if grade is None:
        return {"grade": None}
    check_one_of("grade", grade, (*GRADES, "exact_str_match"))
    if parts[0].choices:
        raise UserError(f"grade: {grade!r} is for tasks without choices; leave grade out")
    if grade != "exact_str_match":
        return {"grade": grade}
    graders = {_own_grade(part, trusted=trusted).__qualname__ for part in parts}
    if len(graders) > 1:
        raise UserError(f"{parts[0].file.parent.parent}: its subtasks are graded in several ways; name one of them")
    return {"grade": "exact", "own_grade": _own_grade(parts[0], trusted=trusted)}


def _own_grade(part: _Part, *, trusted: bool) -> Any:
    regex, stop = (_text(part.described, key, "", part.file) for key in ("output_regex", "stop_string"))
    if regex and not trusted:
        raise UserError(
            f"{part.file}: output_regex: a pattern of a file is not run; name the task of the published archive "
            "(bigbench:NAME), or use grade: exact"
        )
    return exact_str_match(regex=regex, stop=stop)


def _part(file: Path) -> _Part:
    described = described_task(file)
    choices = "target_scores" in described["examples"][0]
    rest = {key: value for key, value in described.items() if key != "examples"}
    return _Part(file=file, described=rest, choices=choices, format=_format(rest, file, choices=choices))


def _subtasks(file: Path) -> list[_Part]:
    files = sorted(file.parent.glob("*/task.json"))
    if not files:
        raise UserError(f"{file}: no list 'examples', and no folder beside it has a task.json; name a BIG-bench task")
    size = sum(each.stat().st_size for each in files)
    if size > MAX_BYTES:
        raise UserError(f"{file}: its {len(files)} subtasks have {size:,} bytes, over {MAX_BYTES:,}; {_one_of(files)}")
    return [_part(each) for each in files]


def _one_of(files: Sequence[Path]) -> str:
    return f"name one of them, as in {files[0].parent.name}"


def _pooled(file: Path, parts: Sequence[_Part]) -> list[_Part]:
    """The parts with one format. UserError where some have choices, or list them, and others do not."""
    first = parts[0]
    files = [part.file for part in parts]
    if len({part.choices for part in parts}) > 1:
        raise UserError(f"{file}: some of its subtasks have choices and others have none; {_one_of(files)}")
    if all(part.format == first.format for part in parts):
        return list(parts)
    if len({part.format.list_choices for part in parts}) > 1:
        raise UserError(f"{file}: some of its subtasks list the choices and others do not; {_one_of(files)}")
    # Choices are listed between question and answer field, so that this field can only be the same for all.
    listed = first.format.list_choices
    if listed and len({(part.format.answer_field, part.format.field_separator) for part in parts}) > 1:
        raise UserError(f"{file}: its subtasks ask for answers in other words; {_one_of(files)}")
    shared = replace(first.format, instruction="", question_field="")
    if not listed:
        shared = replace(shared, answer_field="", field_separator="")
    return [replace(part, format=shared, around=_around(part.format, listed=listed)) for part in parts]


def _around(form: Format, *, listed: bool) -> tuple[str, str]:
    before = form.instruction + form.example_separator if form.instruction else ""
    return before + form.question_field, "" if listed else form.field_separator + form.answer_field


def _text(described: Mapping[str, Any], key: str, default: str, file: Path) -> str:
    value = described.get(key, default)
    if not isinstance(value, str):
        raise UserError(f"{file}: {key}: {str(value)[:40]!r} is not text; put it in quotes or leave it out")
    return value


def _format(described: Mapping[str, Any], file: Path, *, choices: bool) -> Format:
    text = partial(_text, described, file=file)
    output = text("example_output_prefix", _OUTPUT_PREFIX)
    appended = described.get("append_choices_to_input", True)
    return Format(
        # Some tasks write "false", a text, which BIG-bench takes for yes, too.
        list_choices=choices and bool(appended),
        instruction=text("task_prefix", "").strip(),
        question_field=text("example_input_prefix", _INPUT_PREFIX).lstrip("\n"),
        # The renderer puts the space between field and answer.
        answer_field=output.strip(),
        field_separator="\n" if output.startswith("\n") else "",
    )
