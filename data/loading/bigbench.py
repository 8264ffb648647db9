"""Tasks in BIG-bench's JSON: `bigbench:PATH/task.json`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.format import Format
from educe.data.hashing import shuffled
from educe.data.loading.columns import Loaded, to_examples
from educe.data.loading.files import make_task
from educe.data.loading.names import Columns
from educe.data.loading.readers import Row
from educe.data.task import Task
from educe.data.untrusted import read_json

# What BIG-bench writes around a question where a task does not say.
_INPUT_PREFIX, _OUTPUT_PREFIX = "\nQ: ", "\nA: "


def bigbench_task(path: str, *, strip_ends: str = "") -> Task:
    """A BIG-bench JSON task: multiple choice where its examples have `target_scores`, else generation.

    Its task prefix becomes the instruction, its input and output prefixes the fields of the format. The order of the
    choices is fixed by hash, because some tasks print the right one first. Split by hash. `strip_ends` are characters
    that answers and choices lose at their end: of moves in chess `+#`, where only a mate is written with `#`. UserError
    where the file is not such a task or an example has no single best choice.
    """
    if not isinstance(strip_ends, str):
        raise UserError(f"strip_ends: {strip_ends!r} is not text; give the characters, as in strip_ends: '+#'")
    file = Path(path).expanduser()
    described = _read(file)
    choices = "target_scores" in described["examples"][0]

    def load() -> Loaded:
        columns = Columns(question="input", answer="answer", choices="choices" if choices else None, aliases="aliases")
        return to_examples({"all": _rows(file, choices=choices, strip=strip_ends)}, columns, answer_is="text")

    return make_task(
        name=_text(described, "name", file.parent.name, file),
        load=load,
        choices=choices,
        grade=None,
        format=_format(described, file),
    )


def _read(file: Path) -> dict[str, Any]:
    described = read_json(file)
    if not isinstance(described, dict) or not isinstance(described.get("examples"), list):
        raise UserError(f"{file}: no list 'examples'; name a BIG-bench task.json (of one subtask, if it has any)")
    if not described["examples"]:
        raise UserError(f"{file}: 'examples' is empty; give it at least one")
    for number, example in enumerate(described["examples"], 1):
        if not isinstance(example, dict):
            raise UserError(f"{file}, example {number}: {str(example)[:40]!r} is no mapping; write {{input: ...}}")
    return described


def _text(described: Mapping[str, Any], key: str, default: str, file: Path) -> str:
    value = described.get(key, default)
    if not isinstance(value, str):
        raise UserError(f"{file}: {key}: {str(value)[:40]!r} is not text; put it in quotes or leave it out")
    return value


def _rows(file: Path, *, choices: bool, strip: str) -> Iterator[Row]:
    for number, example in enumerate(_read(file)["examples"], 1):
        row = Row(place=f"{file}, example {number}", fields=example)
        for field in ("input", "target_scores" if choices else "target"):
            if row.value(field) in (None, "", [], {}):
                raise row.error(field, "empty or missing; fill it in or drop the example")
        question = row.written("input", example["input"])
        answers = _scored(row) if choices else _targets(row)
        yield Row(place=row.place, fields={"input": question, **_stripped(answers, strip)})


def _stripped(answers: Mapping[str, Any], strip: str) -> dict[str, Any]:
    """The texts of all answers without these characters at their end."""

    def short(text: Any) -> Any:
        return text.rstrip(strip) if strip and isinstance(text, str) else text

    made = {
        name: [short(each) for each in value] if isinstance(value, list) else short(value)
        for name, value in answers.items()
    }
    if strip and "aliases" in answers:  # who writes it as it was is right, too
        whole = [each for each in (answers["answer"], *answers["aliases"]) if short(each) != each]
        made["aliases"] = [*made["aliases"], *whole]
    return made


def _scored(row: Row) -> dict[str, Any]:
    scores = row.fields["target_scores"]
    numbers: list[Any] = list(scores.values()) if isinstance(scores, Mapping) else [None]
    if not all(isinstance(score, int | float) and not isinstance(score, bool) for score in numbers):
        raise row.error("target_scores", 'not a number for each choice; write {"yes": 1, "no": 0}')
    best = [choice for choice, score in scores.items() if score == max(numbers)]
    if len(best) > 1:
        raise row.error("target_scores", f"{best[:2]} score the same; give one choice the highest score")
    return {"choices": list(shuffled(scores, key=row.written("input", row.fields["input"]))), "answer": best[0]}


def _targets(row: Row) -> dict[str, Any]:
    target = row.fields["target"]
    answer, *aliases = target if isinstance(target, list) else [target]
    return {"answer": answer, "aliases": aliases}


def _format(described: Mapping[str, Any], file: Path) -> Format:
    output = _text(described, "example_output_prefix", _OUTPUT_PREFIX, file)
    appended = bool(described.get("append_choices_to_input", True))
    return Format(
        list_choices=appended and "target_scores" in described["examples"][0],
        instruction=_text(described, "task_prefix", "", file).strip(),
        question_field=_text(described, "example_input_prefix", _INPUT_PREFIX, file).lstrip("\n"),
        # The renderer puts the space between field and answer.
        answer_field=output.strip(),
        field_separator="\n" if output.startswith("\n") else "",
    )
