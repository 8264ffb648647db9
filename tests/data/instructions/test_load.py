"""Instructions from every source, each mistake in one line that names file, row and field."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.instructions.bundled import helpful_instructions
from educe.data.instructions.load import require_rejected, resolve_instructions

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = [{"request": f"Say {i}.", "response": f"{i}!", "rejected": "I won't."} for i in range(3)]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def mistake(spec: Any) -> str:
    with pytest.raises(UserError) as error:
        resolve_instructions(spec)
    assert "\n" not in str(error.value)
    return str(error.value)


def chat(request: str, response: str, *more: tuple[str, str]) -> list[dict[str, str]]:
    turns = [("user", request), ("assistant", response), *more]
    return [{"role": role, "content": content} for role, content in turns]


def texts(spec: Any) -> list[tuple[str, str, str | None]]:
    return [(one.request, one.response, one.rejected) for one in resolve_instructions(spec)]


def test_bundled() -> None:
    assert resolve_instructions("bundled") == helpful_instructions()
    options = {"count": 9, "seed": 2, "kinds": ["clock", "repeat"]}
    assert resolve_instructions({"bundled": options}) == helpful_instructions(
        count=9, seed=2, kinds=["clock", "repeat"]
    )


def test_every_format_gives_the_same_instructions(tmp_path: Path) -> None:
    want = [("Say 0.", "0!", "I won't."), ("Say 1.", "1!", "I won't."), ("Say 2.", "2!", "I won't.")]
    held = [resolve_instructions(f"file:{write(tmp_path / name, ROWS)}") for name in ("a.jsonl", "a.csv", "a.parquet")]
    assert held[0] == held[1] == held[2]
    assert texts(f"file:{tmp_path / 'a.csv'}") == want
    assert len({one.id for one in held[0]}) == 3


def test_columns_by_other_names(tmp_path: Path) -> None:
    rows = [{"key": i, "task": {"prompt": f"Say {i}."}, "output": str(i), "no": ""} for i in range(2)]
    path = write(tmp_path / "a.jsonl", rows)
    columns = {"id": "key", "request": "task.prompt", "response": "output", "rejected": "no"}
    held = resolve_instructions({f"file:{path}": {"columns": columns}})
    assert held[1] == Instruction(id="1", request="Say 1.", response="1", rejected=None)


def test_conversations_give_their_first_exchange(tmp_path: Path) -> None:
    rows = [
        {"messages": chat("Hi?", "Hello.", ("user", "And?"), ("assistant", "Bye."))},
        {"messages": [{"role": "system", "content": " "}, *chat("Who?", "Me.")]},
    ]
    want = [("Hi?", "Hello.", None), ("Who?", "Me.", None)]
    assert texts(f"file:{write(tmp_path / 'a.jsonl', rows)}") == want
    assert texts(f"file:{write(tmp_path / 'a.parquet', rows)}") == want
    as_text = [{"messages": json.dumps(row["messages"])} for row in rows]
    assert texts(f"file:{write(tmp_path / 'a.csv', as_text)}") == want


def test_preferences_as_conversations(tmp_path: Path) -> None:
    row = {"prompt": "Hi?", "chosen": chat("Hi?", "Hello."), "rejected": chat("Hi?", "No.")}
    path = write(tmp_path / "a.jsonl", [row])
    want = [("Hi?", "Hello.", "No.")]
    assert texts({f"file:{path}": {"columns": {"messages": "chosen"}}}) == want
    assert texts({f"file:{path}": {"columns": {"request": "prompt", "response": "chosen"}}}) == want


def test_request_and_response_are_read_before_messages(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**ROWS[0], "messages": chat("Other?", "Other.")}])
    assert texts(f"file:{path}")[0][0] == "Say 0."
    assert texts({f"file:{path}": {"columns": {"messages": "messages"}}})[0][0] == "Other?"


def test_exact_repeats_without_ids_are_one(tmp_path: Path) -> None:
    other = {**ROWS[0], "rejected": "Never."}
    held = resolve_instructions(f"file:{write(tmp_path / 'a.jsonl', [ROWS[0], ROWS[1], ROWS[0], other])}")
    assert [one.rejected for one in held] == ["I won't.", "I won't.", "Never."]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([ROWS[0], {"request": "Say 1.", "rejected": "No."}], "line 2, field 'response': empty or missing; fill it in"),
        ([ROWS[0], {"request": " ", "response": "x"}], "line 2, field 'request': empty or missing; fill it in"),
        ([{"request": "Say 1.", "reponse": "x"}], "no column 'response'; did you mean 'reponse'? (or set columns:"),
        ([{"request": "Hi", "response": "No.", "rejected": "No. "}], "line 1: instruction "),
        ([{"id": "a", **ROWS[0]}, {"id": "a", **ROWS[1]}], "line 2, field 'id': 'a' is also the id of "),
        ([{"id": "a", **ROWS[0]}, {"id": "a", **ROWS[0]}], "line 2, field 'id': 'a' is also the id of "),
        ([{"messages": []}], "line 1, field 'messages': '[]' is no conversation; write"),
        ([{"messages": "Hi"}], "line 1, field 'messages': 'Hi' is no conversation; write"),
        ([{"messages": [{"from": "human", "value": "Hi"}]}], "line 1, field 'messages': "),
        ([{"messages": [{"role": "user", "content": None}]}], "is no conversation; write"),
        ([{"messages": chat("Hi", "")}], "line 1, field 'messages': no text by the assistant; fill it in"),
        (
            [{"messages": [{"role": "system", "content": "Be a pirate."}, *chat("Hi", "Arr")]}],
            "line 1, field 'messages': a system turn, 'Be a pirate.', which an instruction does not have; drop",
        ),
    ],
)
def test_bad_rows(tmp_path: Path, rows: list[dict[str, Any]], says: str) -> None:
    path = write(tmp_path / "a.jsonl", rows)
    message = mistake(f"file:{path}")
    assert message.startswith(str(path)) and says in message


def test_files_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    assert mistake(f"file:{tmp_path / 'a.jsonl'}").endswith("the file holds no rows; give it at least one")
    assert "no such file" in mistake("file:none.jsonl")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bundeld", "unknown instructions 'bundeld'; did you mean 'bundled'? (a file is written file:PATH)"),
        ("fil:a.csv", "instructions 'fil:a.csv': unknown prefix 'fil'; did you mean 'file'?"),
        ("file:", "instructions 'file:': no path; write file:PATH"),
        ({"bundled": {"cuont": 3}}, "instructions 'bundled': unknown option 'cuont'; did you mean 'count'?"),
        ({"bundled": {"kinds": ["clok"]}}, "kinds: unknown kind 'clok'; did you mean 'clock'?"),
        ({"file:a.csv": {"path": "b"}}, "instructions 'file:a.csv': unknown option 'path'; known: columns"),
        ({"file:a.csv": {"columns": "b"}}, "columns: 'b' is not a mapping; write columns: {name: value}"),
        ({"bundled": [3]}, "instructions 'bundled': its options [3] are not a mapping; write {name: value}"),
        (
            f"hub:org/name@{COMMIT[:7]}",
            f"instructions 'hub:org/name@{COMMIT[:7]}': '{COMMIT[:7]}' is no full commit hash and can move; write"
            " hub:org/name@COMMIT, its 40 digits",
        ),
    ],
)
def test_wrong_specs(spec: Any, says: str) -> None:
    assert mistake(spec) == says


@pytest.mark.parametrize("spec", [3, None, [], {}, {"bundled": {}, "file:a": {}}])
def test_what_is_not_a_spec(spec: Any) -> None:
    assert ": neither a name nor a name with options" in mistake(spec)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"reqest": "request"}, "columns: unknown field 'reqest'; did you mean 'request'?"),
        ({"request": "requst"}, "no column 'requst' for request; did you mean 'request'?"),
        ({"request": 3}, "columns: request: 3 is not the name of a column; write request: NAME"),
        ({"messages": "request", "response": "response"}, "columns: messages hold request and response; drop response"),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: dict[str, Any], says: str) -> None:
    path = write(tmp_path / "a.jsonl", ROWS)
    assert says in mistake({f"file:{path}": {"columns": columns}})


def on_hub(monkeypatch: pytest.MonkeyPatch, **published: Sequence[Mapping[str, Any]]) -> list[Any]:
    asked: list[Any] = []

    def fetched(path: str, revision: str, **_: object) -> Path:
        asked.append(f"{path}@{revision}")
        return Path("/cache")

    def builder(folder: str, config: str | None) -> SimpleNamespace:
        asked.append(config)
        splits = {split: datasets.Dataset.from_list(rows) for split, rows in published.items()}
        return SimpleNamespace(
            config=SimpleNamespace(data_files=None),
            download_and_prepare=lambda: None,
            as_dataset=lambda: datasets.DatasetDict(splits),
        )

    monkeypatch.setattr("educe.data.loading.hub.snapshot_folder", fetched)
    monkeypatch.setattr(datasets, "load_dataset_builder", builder)
    return asked


def test_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = on_hub(monkeypatch, train=ROWS, sft=[{"prompt": "Hi?", "messages": chat("Hi?", "Hello.")}])
    assert texts(f"hub:org/name@{COMMIT}")[2] == ("Say 2.", "2!", "I won't.")
    assert asked == [f"org/name@{COMMIT}", None]
    assert texts({f"hub:org/name@{COMMIT}": {"split": "sft", "config": "en"}}) == [("Hi?", "Hello.", None)]
    assert asked[2:] == [f"org/name@{COMMIT}", "en"]


def test_hub_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = {"request": "Hi?", "response": ""}
    on_hub(monkeypatch, train=[empty], none=[])
    spec = f"hub:org/name@{COMMIT}"
    assert mistake(spec).startswith("hub:org/name, train row 1, field 'response': empty or missing")
    assert "no split 'trian' for train; did you mean 'train'?" in mistake({spec: {"split": "trian"}})
    assert mistake({spec: {"split": "none"}}) == "hub:org/name: no rows; give it at least one"
    assert mistake({spec: {"split": 3}}) == "split: 3 is not text; put it in quotes"
    assert mistake("hub:org/name").startswith("instructions 'hub:org/name' has no revision; write hub:org/name@COMMIT")


def test_require_rejected() -> None:
    good = Instruction(id="a", request="Hi?", response="Hello.", rejected="No.")
    require_rejected([good])
    require_rejected(helpful_instructions(count=40))
    with pytest.raises(UserError) as error:
        require_rejected([good, Instruction(id="b", request="Hi?", response="Hello.")])
    assert str(error.value) == (
        "instruction 'b' (number 2) has no rejected answer to prefer its response to"
        "; add a column rejected or drop the row"
    )


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("", "x", None), "instruction 'a' has an empty request; give it text or drop the row"),
        (("x", " ", None), "instruction 'a' has an empty response; give it text or drop the row"),
        (("x", "y", "\n"), "instruction 'a' has an empty rejected; give it text or drop the row"),
        (
            ("x", "y z", "y  z"),
            "instruction 'a': its rejected answer is its response, 'y z'; make them",
        ),
    ],
)
def test_instructions_hold_text(texts: tuple[str, str, str | None], says: str) -> None:
    with pytest.raises(UserError) as error:
        Instruction(id="a", request=texts[0], response=texts[1], rejected=texts[2])
    assert str(error.value).startswith(says)
