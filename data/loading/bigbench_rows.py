"""The rows of a BIG-bench task.json: its examples as a question, its answers and, of choices, what each is worth."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from educe.data.errors import UserError
from educe.data.hashing import shuffled, text_cluster
from educe.data.loading.readers import Row
from educe.data.untrusted import read_json

Faulty = Literal["error", "drop"]
FAULTY = ("error", "drop")


class _Fault(UserError):
    """A row that cannot be asked: a text is empty, or no choice is better than the others."""


def described_task(file: Path) -> dict[str, Any]:
    """What a task.json says. UserError where its examples are no mappings, or where it is no task."""
    described = read_json(file)
    is_task = isinstance(described, dict) and ("examples" in described or "name" in described)
    if not is_task or not isinstance(described.get("examples", []), list):
        raise UserError(f"{file}: no list 'examples'; name a BIG-bench task.json")
    if described.get("examples") == []:
        raise UserError(f"{file}: 'examples' is empty; give it at least one")
    for number, example in enumerate(described.get("examples", []), 1):
        if not isinstance(example, dict):
            raise UserError(f"{file}, example {number}: {str(example)[:40]!r} is no mapping; write {{input: ...}}")
    return dict(described)


def rows_of(file: Path, *, choices: bool, strip: str, faulty: Faulty, around: tuple[str, str]) -> Iterator[Row]:
    """Rows with `input`, `answer`, and `choices` with their `scores`, or `aliases`.

    Inputs may be empty where all of the file are: then its choices are what is asked, and each set of them is a
    cluster. `strip` are characters that answers lose at their end; `around` is what questions are written between.
    """
    examples = described_task(file)["examples"]
    bare = choices and all(example.get("input") == "" for example in examples)
    for number, example in enumerate(examples, 1):
        row = Row(place=f"{file}, example {number}", fields=example)
        try:
            yield Row(place=row.place, fields=_fields(row, bare=bare, choices=choices, strip=strip, around=around))
        except _Fault:
            if faulty == "error":
                raise


def _fields(row: Row, *, bare: bool, choices: bool, strip: str, around: tuple[str, str]) -> dict[str, Any]:
    wanted = ("target_scores",) if choices else ("target",)
    for field in wanted if bare else ("input", *wanted):
        _require(row, field, row.value(field))
    question = row.written("input", row.fields["input"])
    answers = _scored(row, strip) if choices else _targets(row, strip)
    before, after = around
    # Where nothing else is asked, rows with the same choices are one cluster.
    cluster = {"cluster": text_cluster("\n".join(sorted(answers["choices"])))} if bare else {}
    return {"input": f"{before}{question}{after}".strip() if before or after else question, **cluster, **answers}


def _require(row: Row, field: str, value: Any) -> None:
    if value in (None, [], {}) or (isinstance(value, str) and not value.strip()):
        raise _fault(row, field, "empty or missing; fill it in, drop the example, or set faulty: drop")


def _fault(row: Row, field: str, problem: str) -> _Fault:
    return _Fault(str(row.error(field, problem)))


def _scored(row: Row, strip: str) -> dict[str, Any]:
    given = row.fields["target_scores"]
    numbers: list[Any] = list(given.values()) if isinstance(given, Mapping) else [None]
    if not all(isinstance(score, int | float) and not isinstance(score, bool) for score in numbers):
        raise row.error("target_scores", 'not a number for each choice; write {"yes": 1, "no": 0}')
    scores: dict[str, float] = {}
    for choice, score in given.items():
        _require(row, "target_scores", choice)
        text = _short(choice.strip(), strip)
        if scores.setdefault(text, score) != score:
            raise _fault(row, "target_scores", f"{text[:60]!r} has two scores; keep one, or set faulty: drop")
    if not all(0 <= score <= 1 for score in numbers):
        raise row.error("target_scores", f"{numbers} are not all from 0 to 1; scale them")
    best = [choice for choice, score in scores.items() if score == max(numbers)]
    if len(best) == len(scores):
        found = f"{best[:2]} score the same" if len(best) > 1 else f"one choice only ({best[0][:60]!r})"
        problem = f"{found}; give two that differ in their scores, or set faulty: drop"
        raise _fault(row, "target_scores", problem)
    # By the question as it is written, not by what is left of its choices.
    order = shuffled(given, key=row.written("input", row.fields["input"]))
    listed = list(dict.fromkeys(_short(choice.strip(), strip) for choice in order))
    only_one = len(best) == 1 and sorted(map(float, scores.values())) == [0.0] * (len(scores) - 1) + [1.0]
    graded = {} if only_one else {"scores": {choice: float(scores[choice]) for choice in listed}}
    return {"choices": listed, "answer": best[0], **graded}


def _targets(row: Row, strip: str) -> dict[str, Any]:
    target = row.fields["target"]
    targets = target if isinstance(target, list) else [target]
    for each in targets:
        _require(row, "target", each)
    answer, *aliases = [_short(each, strip) for each in targets]
    # Who writes it as it was is right, too.
    aliases += [each for each in targets if strip and _short(each, strip) != each]
    return {"answer": answer, "aliases": aliases}


def _short(text: Any, strip: str) -> Any:
    """The text without these characters at its end."""
    return text.rstrip(strip) if strip and isinstance(text, str) else text
