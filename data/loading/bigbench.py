"""Tasks in BIG-bench's JSON: `bigbench:PATH/task.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from educe.data.errors import UserError
from educe.data.example import Example
from educe.data.format import Format
from educe.data.hashing import shuffled
from educe.data.loading.columns import Columns, to_examples
from educe.data.loading.files import make_task
from educe.data.loading.readers import Row, read_text
from educe.data.task import Task

# What BIG-bench writes around a question where a task does not say.
_INPUT_PREFIX, _OUTPUT_PREFIX = "\nQ: ", "\nA: "


def bigbench_task(path: str) -> Task:
    """A BIG-bench JSON task: multiple choice where its examples have `target_scores`, else generation by exact match.

    Its task prefix becomes the instruction, its input and output prefixes the fields of the format. The order of the
    choices is fixed by hash, because some tasks print the right one first. Split by hash. UserError where the file is
    not such a task or an example has no single best choice.
    """
    file = Path(path).expanduser()
    described = _read(file)
    choices = "target_scores" in described["examples"][0]

    def load() -> Mapping[str, Sequence[Example]]:
        columns = Columns(question="input", answer="answer", choices="choices" if choices else None, aliases="aliases")
        return to_examples({"all": _rows(file, choices=choices)}, columns, answer_is="text")

    name = described.get("name", file.parent.name)
    return make_task(name=name, load=load, choices=choices, grade="exact", format=_format(described))


def _read(file: Path) -> dict[str, Any]:
    try:
        described = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise UserError(f"{file}, line {error.lineno}: broken JSON at column {error.colno} ({error.msg})") from error
    if not isinstance(described, dict) or not isinstance(described.get("examples"), list):
        raise UserError(f"{file}: no list 'examples'; name a BIG-bench task.json (of one subtask, if it has any)")
    if not described["examples"]:
        raise UserError(f"{file}: 'examples' is empty; give it at least one")
    return described


def _rows(file: Path, *, choices: bool) -> Iterator[Row]:
    for number, example in enumerate(_read(file)["examples"], 1):
        row = Row(place=f"{file}, example {number}", fields=example)
        for field in ("input", "target_scores" if choices else "target"):
            if not row.value(field):
                raise row.error(field, "empty or missing; fill it in or drop the example")
        yield Row(place=row.place, fields={"input": example["input"], **(_scored(row) if choices else _targets(row))})


def _scored(row: Row) -> dict[str, Any]:
    scores = row.fields["target_scores"]
    best = [choice for choice, score in scores.items() if score == max(scores.values())]
    if len(best) > 1:
        raise row.error("target_scores", f"{best[:2]} score the same; give one choice the highest score")
    return {"choices": list(shuffled(scores, key=row.fields["input"])), "answer": best[0]}


def _targets(row: Row) -> dict[str, Any]:
    target = row.fields["target"]
    answer, *aliases = target if isinstance(target, list) else [target]
    return {"answer": answer, "aliases": aliases}


def _format(described: Mapping[str, Any]) -> Format:
    output = described.get("example_output_prefix", _OUTPUT_PREFIX)
    return Format(
        list_choices=described.get("append_choices_to_input", True) and "target_scores" in described["examples"][0],
        instruction=described.get("task_prefix", "").strip(),
        question_field=described.get("example_input_prefix", _INPUT_PREFIX).lstrip("\n"),
        # The renderer puts the space between field and answer.
        answer_field=output.strip(),
        field_separator="\n" if output.startswith("\n") else "",
    )
