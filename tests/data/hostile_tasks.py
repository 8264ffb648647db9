"""A corpus of task files that are damaged, odd or meant to do harm: made here, read by `test_hostile_tasks.py`."""

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

GOOD = [{"question": f"Is {n} odd?", "choices": ["yes", "no"], "answer": "yes" if n % 2 else "no"} for n in range(60)]
FREE = [{"question": f"What is {n} and {n}?", "answer": str(2 * n)} for n in range(60)]
BIG: dict[str, Any] = {
    "name": "big",
    "examples": [{"input": f"Is {n} odd?", "target_scores": {"yes": n % 2, "no": 1 - n % 2}} for n in range(60)],
}


@dataclass(frozen=True)
class Hostile:
    """One input: how its file is made, the options of its task, and what the refusal says; None where it may load."""

    name: str
    file: str
    make: Callable[[Path], Any]
    says: str | None
    options: dict[str, Any] = field(default_factory=dict)
    prefix: str = "file"


def corpus() -> list[Hostile]:
    """Every input, each with a name of its own."""
    made = [*_jsonl(), *_jsonl_values(), *_csv(), *_parquet(), *_bigbench(), *_paths(), *_options(), *_instructions()]
    made += _mutations()
    assert len({each.name for each in made}) == len(made)
    return made


def _lines(*rows: Any) -> Callable[[Path], Any]:
    return lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def _bytes(data: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(data)


def _jsonl() -> Iterator[Hostile]:
    good = json.dumps(FREE[0]).encode() + b"\n"
    for name, line, says in (
        ("half of a pair in a value", rb'{"question": "a \ud800 b", "answer": "1"}', "line 2: text with half"),
        ("half of a pair in a key", rb'{"question": "a", "\udfff": 1, "answer": "1"}', "line 2: text with half"),
        ("a key twice", b'{"question": "a", "question": "b", "answer": "1"}', "line 2: key 'question' comes twice"),
        ("nested lists", b'{"question": ' + b"[" * 100_000, "line 2: JSON nested too deeply"),
        ("nested mappings", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "line 2: JSON nested too deeply"),
        ("a number of 5,000 digits", b'{"question": "a", "answer": ' + b"9" * 5000 + b"}", "line 2: Exceeds"),
        ("NaN", b'{"question": "a", "answer": NaN}', "line 2: NaN is not a number that JSON has"),
        ("infinity", b'{"question": "a", "answer": -Infinity}', "line 2: -Infinity is not a number"),
        ("a float beyond all", b'{"question": "a", "answer": 1e999}', "line 2: 1e999 is not a number"),
        ("a list for a row", b"[1, 2]", "line 2: not a JSON object"),
        ("a number for a row", b"7", "line 2: not a JSON object"),
        ("null for a row", b"null", "line 2: not a JSON object"),
        ("half a row", b'{"question": "a", "ans', "line 2: broken JSON at column"),
        ("two rows in a line", b"{} {}", "line 2: broken JSON at column"),
        ("Latin-1", b'{"question": "\xe9", "answer": "1"}', "byte"),
        ("bytes of zero", b"\0" * 100, "line 2: broken JSON"),
        ("a line of 20 MB", b'{"question": "' + b"a" * (20 << 20) + b'", "answer": "1"}', "line 2: over 16,777,216"),
        ("a line without an end", b"[" * (17 << 20), "line 2: over 16,777,216"),
    ):
        yield Hostile(f"jsonl {name}", "a.jsonl", _bytes(good + line), says)
    for name, data, says in (
        ("nothing", b"", "holds no rows"),
        ("blank lines", b"\n \n\t\n", "holds no rows"),
        ("UTF-16", "".join(json.dumps(row) for row in FREE).encode("utf-16"), "byte 0 is not UTF-8"),
        ("a PNG", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "byte 0 is not UTF-8"),
        ("one array", json.dumps(FREE).encode(), "line 1: not a JSON object"),
    ):
        yield Hostile(f"jsonl {name}", "a.jsonl", _bytes(data), says)


def _jsonl_values() -> Iterator[Hostile]:
    for name, changed, says in (
        ("a list for a question", {"question": ["a"]}, "line 61, field 'question': a list is not text"),
        ("a mapping for a question", {"question": {"a": 1}}, "line 61, field 'question': a dict is not text"),
        ("a blank question", {"question": " \t"}, "line 61, field 'question': empty or missing"),
        ("null for an answer", {"answer": None}, "line 61, field 'answer': empty or missing"),
        ("a list for an answer", {"answer": ["yes"]}, "line 61, field 'answer': a list is not text"),
        ("an answer elsewhere", {"answer": "maybe"}, "line 61, field 'answer': answer 'maybe' is not among"),
        ("an index below 0", {"answer": -1}, "line 61, field 'answer': answer -1 is not among"),
        ("an index of 40 digits", {"answer": 10**40}, "line 61, field 'answer': answer 1000"),
        ("text for choices", {"choices": "yes, no"}, "line 61, field 'choices': 'yes, no' is text, not a list"),
        ("broken choices", {"choices": '["yes"'}, "line 61, field 'choices': broken JSON"),
        ("deep choices", {"choices": "[" * 100_000}, "line 61, field 'choices': JSON nested too deeply"),
        ("a mapping for choices", {"choices": {"a": "yes"}}, "line 61, field 'choices': "),
        ("lists in choices", {"choices": ["yes", ["no"]]}, "line 61, field 'choices': a list is not text"),
        ("null in choices", {"choices": ["yes", None]}, "line 61, field 'choices': "),
        ("one choice", {"choices": ["yes"], "answer": "yes"}, "line 61: example"),
        ("a blank choice", {"choices": ["yes", ""], "answer": "yes"}, "line 61: example"),
        ("a list for an id", {"id": [1]}, "line 61, field 'id': a list is not text"),
        ("a list for a cluster", {"cluster": ["a"]}, "line 61, field 'cluster': a list is not text"),
        ("a number for aliases", {"aliases": 5}, "line 61, field 'aliases': '5' is not a list"),
    ):
        yield Hostile(f"value: {name}", "a.jsonl", _lines(*GOOD, {**GOOD[0], "question": "Q?", **changed}), says)
    for name, answer in (("a date", "1/2/2020"), ("a time", "3:45"), ("nothing", "none"), ("3/0", "3/0")):
        rows = [*FREE, {"question": "Q?", "answer": answer}]
        says = f"line 61, field 'answer': {answer!r} ends in no number"
        yield Hostile(f"number: {name}", "a.jsonl", _lines(*rows), says, {"grade": "number"})
    yield Hostile("an id twice", "a.jsonl", _lines(*({**row, "id": "x"} for row in FREE)), "line 2, field 'id': 'x' is")
    yield Hostile("control characters", "a.jsonl", _lines(*({**row, "topic\x1b[2J": "\x9b"} for row in FREE)), None)
    yield Hostile(
        "ten thousand columns",
        "a.jsonl",
        _lines({**FREE[0], **{f"c{n}": n for n in range(10_000)}}),
        "columns, over 2,000",
    )


def _csv() -> Iterator[Hostile]:
    head = b"question,answer\n"
    for name, data, says in (
        ("nothing", b"", "holds no rows"),
        ("a header alone", head, "holds no rows"),
        ("a cell of 10 MB", head + b"a,1\n" + b"x" * (10 << 20) + b",1\n", "row 2: not readable as CSV"),
        ("an open quote", head + b'"a,1\n' * 9, "not readable as CSV"),
        ("a quote inside", head + b'a,1\n"b"c,1\n', "row 2: not readable as CSV"),
        ("too many cells", head + b"a,1\nb,1,2\n", "row 2: 3 fields, but the header has 2"),
        ("too few cells", head + b"a,1\nb\n", "row 2: 1 fields, but the header has 2"),
        ("a column twice", b"question,answer,answer\na,1,2\n", "two columns have the name 'answer'"),
        ("no answer", b"question,result\na,1\n", "no column 'answer'"),
        ("Latin-1", head + b"\xe9,1\n", "byte 16 is not UTF-8"),
        ("tabs", b"question\tanswer\na\t1\n", "its columns are separated by tabs; save it with commas"),
        ("semicolons", b"question;answer\na;1\n", "its columns are separated by ';'; save it with commas"),
        ("semicolons, commas in a row", b"question;answer\na, b;1\n", "its columns are separated by ';'"),
        ("a wrong letter", b"question,A,B,answer\na,x,y,A\nb,x,y,C\n", "row 2, field 'answer': answer 'C' is not"),
        ("an empty option", b"question,A,B,C,answer\na,x,,z,A\n", "row 1: example"),
    ):
        yield Hostile(f"csv {name}", "a.csv", _bytes(data), says)
    zeros = b"".join(b"a\0%d,b\0\n" % n for n in range(60))
    yield Hostile("csv bytes of zero", "a.csv", _bytes(head + zeros), None)
    yield Hostile(
        "csv old line ends",
        "a.csv",
        _bytes(head.replace(b"\n", b"\r") + b"".join(b"q%d,b\r" % n for n in range(60))),
        None,
    )


def _table(**columns: Any) -> Callable[[Path], Any]:
    return lambda path: parquet.write_table(pyarrow.table(columns), path)


def _parquet() -> Iterator[Hostile]:
    asked, right = [f"Q{n}?" for n in range(60)], ["yes"] * 60

    def cut(path: Path) -> None:
        _table(question=asked, answer=right)(path)
        path.write_bytes(path.read_bytes()[:-40])

    def pages(path: Path) -> None:
        parquet.write_table(pyarrow.table({"question": asked, "answer": right}), path, compression="gzip")
        data = bytearray(path.read_bytes())
        data[60:200] = bytes(range(140))
        path.write_bytes(bytes(data))

    def twice(path: Path) -> None:
        table = pyarrow.Table.from_arrays(
            [pyarrow.array(right)] * 2 + [pyarrow.array(asked)], ["answer", "answer", "question"]
        )
        parquet.write_table(table, path)

    def bomb(path: Path) -> None:
        column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 60), ["a" * (64 << 20)])
        parquet.write_table(pyarrow.table({"question": column, "answer": right}), path)

    def named_often(path: Path) -> None:
        column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1100), ["a" * 1_000_000])
        parquet.write_table(pyarrow.table({"question": column, "answer": ["1"] * 1100}), path)

    pairs = pyarrow.array([[("a", "b")]] * 60, pyarrow.map_(pyarrow.string(), pyarrow.string()))
    years = pyarrow.array([2**62] * 60, pyarrow.timestamp("us"))
    odd_bytes = [[b"\xff"]] * 60
    bad_text = pyarrow.Array.from_buffers(
        pyarrow.string(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\2\0\0\0"), pyarrow.py_buffer(b"\xff\xfe")]
    )
    for name, make, says in (
        ("magic alone", _bytes(b"PAR1" * 4), "not a Parquet file"),
        ("text", _bytes(b"question,answer\n"), "not a Parquet file"),
        ("cut", cut, "not a Parquet file"),
        ("damaged pages", pages, "row 0: damaged Parquet"),
        ("no rows", _table(question=pyarrow.array([], pyarrow.string()), answer=[]), "holds no rows"),
        ("no columns", _table(), "holds no rows"),
        ("a column twice", twice, "two columns have the name 'answer'"),
        ("bytes that are no text", _table(question=[b"\xff"] * 60, answer=right), "'question': bytes that are not"),
        ("text that is not UTF-8", _table(question=bad_text, answer=["a"]), "damaged Parquet"),
        ("structs for questions", _table(question=[{"a": 1}] * 60, answer=right), "row 1, field 'question': a dict"),
        ("lists for answers", _table(question=asked, answer=[["a"]] * 60), "row 1, field 'answer': a list"),
        ("nulls", _table(question=pyarrow.nulls(60), answer=right), "row 1, field 'question': empty"),
        ("NaN answers", _table(question=asked, answer=[float("nan")] * 60), "row 1, field 'answer': nan is not"),
        ("bytes for choices", _table(question=asked, choices=odd_bytes, answer=right), "'choices': bytes that"),
        ("a map for choices", _table(question=asked, answer=right, choices=pairs), "field 'choices': a tuple is"),
        ("years beyond all", _table(question=asked, answer=years), "row 0: damaged"),
        ("a text of 64 MB in each row", bomb, "after row 0: a text of 67,108,864 bytes, over 16,777,216"),
        ("a text of 1 MB in 1,100 rows", named_often, "its texts unpack to over 1,073,741,824 bytes"),
    ):  # fmt: skip
        yield Hostile(f"parquet {name}", "a.parquet", make, says)
    for name, columns in (
        ("bytes that are text", {"question": [text.encode() for text in asked], "answer": [b"yes"] * 60}),
        ("decimals and dates", {"question": asked, "answer": pyarrow.array([1] * 60).cast(pyarrow.decimal128(30, 2))}),
        ("whole numbers as floats", {"question": asked, "answer": [1.0] * 60, "choices": [["a", "b"]] * 60}),
    ):
        yield Hostile(f"parquet {name}", "a.parquet", _table(**columns), None)


def _bigbench() -> Iterator[Hostile]:
    def example(**changed: Any) -> dict[str, Any]:
        odd = {"input": "Q?", "target_scores": {"yes": 1, "no": 0}, **changed}
        return {**BIG, "examples": [*BIG["examples"], odd]}

    for name, value, says in (
        ("a list", [], "no list 'examples'"),
        ("no examples", {"examples": []}, "'examples' is empty"),
        ("examples that are a mapping", {"examples": {"a": 1}}, "no list 'examples'"),
        ("text for examples", {"examples": ["a", "b"]}, "example 1: 'a' is no mapping"),
        ("null for examples", {"examples": [None]}, "example 1: 'None' is no mapping"),
        ("a list of scores", example(target_scores=[1, 0]), "example 61, field 'target_scores': not a number for each"),
        ("scores as text", example(target_scores={"a": "1", "b": "x"}), "example 61, field 'target_scores': not a"),
        ("null for a score", example(target_scores={"a": None, "b": 1}), "example 61, field 'target_scores': not a"),
        ("equal scores", example(target_scores={"a": 1, "b": 1}), "field 'target_scores': ['a', 'b'] score"),
        ("no scores", example(target_scores={}), "example 61, field 'target_scores': empty"),
        ("a list for an input", example(input=["a"]), "example 61, field 'input': a list is not text"),
        ("no input", example(input=None), "example 61, field 'input': empty"),
        ("a number for a name", {**BIG, "name": 5}, "name: '5' is not text"),
        ("a list for a prefix", {**BIG, "task_prefix": ["a"]}, "task_prefix: \"['a']\" is not text"),
        ("null for an output prefix", {**BIG, "example_output_prefix": None}, "example_output_prefix: 'None' is not"),
        ("a mapping for a target", {"examples": [{"input": "a", "target": {"b": 1}}]}, "field 'answer': a dict"),
    ):  # fmt: skip
        yield Hostile(f"bigbench {name}", "task.json", _bytes(json.dumps(value).encode()), says, prefix="bigbench")
    for name, data, says in (
        ("broken", b'{"examples": [', "broken JSON at line 1"),
        ("deep", b'{"examples": ' + b"[" * 100_000, "nested too deeply"),
        ("a key twice", b'{"examples": [], "examples": [1]}', "key 'examples' comes twice"),
    ):
        yield Hostile(f"bigbench {name}", "task.json", _bytes(data), says, prefix="bigbench")


def _paths() -> Iterator[Hostile]:
    def nothing(path: Path) -> None:
        """The file is not there."""

    for end in ("jsonl", "csv", "parquet"):
        yield Hostile(f"a pipe for a {end}", f"a.{end}", os.mkfifo, "give a regular file")
        yield Hostile(f"a folder for a {end}", f"a.{end}", Path.mkdir, "give a regular file")
    yield Hostile("a device", "a.jsonl", lambda path: path.symlink_to("/dev/zero"), "give a regular file")
    yield Hostile("a pipe for a task.json", "task.json", os.mkfifo, "give a regular file", prefix="bigbench")
    yield Hostile("no file", "a.jsonl", nothing, "no such file")
    yield Hostile("a link to nothing", "a.csv", lambda path: path.symlink_to("nowhere"), "no such file")
    yield Hostile("a link to itself", "a.csv", lambda path: path.symlink_to(path), "cannot read")
    yield Hostile("a zero in the name", "a\0.jsonl", nothing, "cannot read")
    yield Hostile("another extension", "a.xlsx", nothing, "unknown extension '.xlsx'")


def _options() -> Iterator[Hostile]:
    for name, options, says in (
        ("a list for columns", {"columns": ["question"]}, "columns: ['question'] is not a mapping"),
        ("a number for a column", {"columns": {"question": 5}}, "columns: question: 5 is not the name of a column"),
        ("an empty list for a question", {"columns": {"question": []}}, "question"),
        ("an attribute", {"columns": {"question": "{question.__class__}"}}, "no column 'question.__class__'"),
        ("a width", {"columns": {"question": "{question:>999999999}"}}, "no column 'question:>999999999'"),
        ("an index", {"columns": {"question": "{question[0]}"}}, "no column 'question[0]'"),
        ("a number for a separator", {"separator": 5}, "separator: 5 is not text"),
        ("a number for train", {"train": 5}, "train: 5 is not text"),
        ("a grader with choices", {"grade": "number"}, "grade: 'number' is for tasks without choices"),
        ("an unknown grader", {"grade": "__import__"}, "grade: '__import__' is not known"),
        ("an empty separator", {"separator": ""}, None),
    ):
        yield Hostile(f"option: {name}", "a.jsonl", _lines(*GOOD), says, options)


def _instructions() -> Iterator[Hostile]:
    turns = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}]
    for name, row, says in (
        ("a list for a response", {"request": "Hi?", "response": [1]}, "line 1, field 'response': "),
        ("a number for messages", {"messages": 5}, "line 1, field 'messages': '5' is no conversation"),
        ("turns without content", {"messages": [{"role": "user"}]}, "line 1, field 'messages': "),
        ("a mapping for content", {"messages": [{"role": "user", "content": {}}]}, "line 1, field 'messages': "),
        ("a list for a role", {"messages": [{"role": [], "content": "a"}, *turns]}, None),
        ("no answer", {"messages": turns[:1]}, "line 1, field 'messages': no text by the assistant"),
        ("deep messages", {"messages": "[" * 100_000}, "line 1, field 'messages': "),
        ("a mapping for an id", {"request": "Hi?", "response": "Hello.", "id": {}}, "line 1, field 'id': a dict"),
        ("a mapping to reject", {"request": "Hi?", "response": "a", "rejected": {"a": 1}}, "line 1, field 'rejected'"),
    ):
        yield Hostile(f"instructions {name}", "a.jsonl", _lines(row), says, prefix="instructions")


def _mutations() -> Iterator[Hostile]:
    """Valid files with bytes changed, cut out and doubled."""
    rng = random.Random(17)
    for kind in ("a.jsonl", "a.csv", "a.parquet", "task.json"):
        for number in range(8):
            prefix = "bigbench" if kind == "task.json" else "file"
            yield Hostile(f"mutated {kind} {number}", kind, _mutated(kind, rng.randrange(2**32)), None, prefix=prefix)


def valid(kind: str, path: Path) -> bytes:
    """The bytes of a valid file of this name."""
    if kind == "a.parquet":
        parquet.write_table(pyarrow.Table.from_pylist(GOOD), path)
        return path.read_bytes()
    if kind == "a.csv":
        return "".join(
            ["question,A,B,answer\n", *(f'"Is {n} odd?",yes,no,{"BA"[n % 2]}\n' for n in range(60))]
        ).encode()
    return (json.dumps(BIG) if kind == "task.json" else "".join(json.dumps(row) + "\n" for row in GOOD)).encode()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut out or doubled."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(max(1, len(changed)))
        end = start + rng.randint(1, 30)
        what = rng.choice(["flip", "cut", "double", "random"])
        if what == "flip" and changed:
            changed[start] ^= 1 << rng.randrange(8)
        elif what == "cut":
            del changed[start:end]
        elif what == "double":
            changed[start:start] = changed[start:end]
        else:
            changed[start:end] = rng.randbytes(end - start)
    return bytes(changed)


def _mutated(kind: str, seed: int) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(mutated(valid(kind, path), random.Random(seed)))
