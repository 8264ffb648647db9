# ruff: noqa: E501 (a case is a line)
"""Studies and arguments that are wrong: what a newcomer, another tool or a stranger may write."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.recipes.small import SMALL

# Put under each key of a study. Where a value is right there, RIGHT says so.
VALUES: dict[str, Any] = {
    "null": None, "true": True, "number": 5, "negative": -1, "share": 1.5, "empty text": "", "text": "any text",
    "list of lists": [[]], "list of null": [None], "list of true": [True], "list of shares": [0.5],
    "list of negatives": [-1], "list of mappings": [{}], "two names in one": [{"tiny-random": {}, "capitals": {}}],
    "settings that are none": [{"capitals": 5}], "huge number": 10**30, "list of huge numbers": [10**400],
    "long text": "x" * 5000, "long list": ["x"] * 3000, "mapping": {"a": {"b": [1]}}, "escape": "\x1b[2J", "path": "../../etc",
}  # fmt: skip
RIGHT = {("test_items", "null"), ("test_items", "number"), ("test_items", "huge number")}
KEYS = (
    "name", "models", "tasks", "recipes", "examples", "seeds", "test_items", "measure_on", "dtype", "device", "track",
)  # fmt: skip

# The whole text of a study, and what the line says.
TEXTS = {
    "nothing": ("", "empty or not a mapping"),
    "a list": ("- a\n- b\n", "not a mapping"),
    "a word": ("study", "not a mapping"),
    "a number": ("10", "not a mapping"),
    "nested aliases": (
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
        "over 20,000 values",
    ),
    "nested aliases of numbers": (
        "seeds:\n- &a0 [1, 1]\n"
        + "".join(f"- &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
        + "name: *a11\nmodels: [tiny-random]\ntasks: [capitals]\nrecipes: [zero_shot]\n",
        "over 20,000 values",
    ),
    "an alias of itself": ("name: &a [*a]\n", "inside its own anchor"),
    "a tag": ("name: !!python/object/apply:os.system [id]\n", "not allowed"),
    "another tag": ("name: !!python/name:os.system\n", "not allowed"),
    "a key twice": ("name: a\nname: b\n", "comes twice"),
    "a number as key": ("1: a\n", "is not text"),
    "a list as key": ("[1]: a\n", "is not text"),
    "deep": ("name: " + "[" * 500, "nested over 64 deep"),
    "very deep": ("name: " + "[" * 100_000, "nested over 64 deep"),
    "long": ("name: x\n# " + "x" * 300_000, "bytes"),
    "an infinite number": ("name: x\ntest_items: .inf\n", "not a finite number"),
    "not a number": ("name: x\ntest_items: .nan\n", "not a finite number"),
    "a number to the base 60": ("test_items: " + "1:" * 50_000 + "1\n", "test_items"),
    "a long number": ("test_items: " + "9" * 5000 + "\n", "4300 digits"),
    "a null byte": ("name: a\0b\n", "not allowed"),
    "an escape": ("name: \x1b[2J\n", "not allowed"),
    "half a surrogate pair": ('name: "\\ud800"\n', "surrogate"),
    "two documents": ("name: a\n---\nname: b\n", "another document"),
    "JSON that is cut": ('{"name": "a", "models": [', "broken YAML"),
    "a tab": ("name:\n\t- a\n", "broken YAML"),
    "a colon too many": ("name: a: b\n", "broken YAML"),
    "a merge of a number": ("<<: 5\nname: a\n", "broken YAML"),
}
# Entries of a list of the study, and what a line says.
ENTRIES: dict[str, tuple[str, Any, str]] = {
    "model: unknown": ("models", "gpt-5", "unknown model 'gpt-5'"),
    "model: empty": ("models", "", "unknown model ''"),
    "model: long": ("models", "x" * 20_000, "File name too long"),
    "model: prefix alone": ("models", "hub:", "unknown model 'hub:'"),
    "model: no revision": ("models", "hub:org/name", "has no revision"),
    "model: a branch": ("models", "hub:org/name@main", "'main' is no full commit hash"),
    "model: path of nothing": ("models", "path:nowhere", "config.json not found"),
    "model: path of a device": ("models", "path:/dev", "config.json not found"),
    "model: path with a null byte": ("models", "path:a\0b", "a\\x00b"),
    "model: long path": ("models", "path:" + "x" * 5000, "path:xxx"),
    "model: long file": ("models", "gguf:" + "x" * 5000, "gguf:xxx"),
    "model: gguf of a folder": ("models", "gguf:/tmp", "/tmp not found"),
    "model: options of no kind": ("models", {"tiny-random": 5}, "models"),
    "model: option list": ("models", {"tiny-random": ["kind"]}, "models"),
    "model: unknown option": ("models", {"tiny-random": {"knd": "base"}}, "has no option 'knd'"),
    "model: kind number": ("models", {"tiny-random": {"kind": 5}}, "unknown kind 5"),
    "model: kind list": ("models", {"tiny-random": {"kind": ["base"]}}, "unknown kind ['base']"),
    "model: kind mapping": ("models", {"tiny-random": {"kind": {}}}, "unknown kind {}"),
    "model: name number": ("models", {"tiny-random": {"name": 5}}, "5 is not text"),
    "model: name null": ("models", {"tiny-random": {"name": None}}, "None is not text"),
    "model: name list": ("models", {"tiny-random": {"name": ["a"]}}, "['a'] is not text"),
    "model: name path": ("models", {"tiny-random": {"name": "../../x"}}, "'../../x'"),
    "model: name empty": ("models", {"tiny-random": {"name": ""}}, "name ''"),
    "model: name long": ("models", {"tiny-random": {"name": "x" * 3000}}, "has 3,000 characters"),
    "model: name hidden": ("models", {"tiny-random": {"name": "a\u202eb"}}, "hidden character"),
    "model: name of lines": ("models", {"tiny-random": {"name": "a\nb"}}, "hidden character"),
    "model: adapter number": ("models", {"tiny-random": {"adapter": 5}}, "adapter: 5 is not a path"),
    "model: adapter of nothing": ("models", {"tiny-random": {"adapter": "nowhere"}}, "adapter_config.json not found"),
    "model: adapter long": ("models", {"tiny-random": {"adapter": "x" * 5000}}, "adapter"),
    "model: quantize number": ("models", {"tiny-random": {"quantize": 4}}, "unknown quantize 4"),
    "model: quantize list": ("models", {"tiny-random": {"quantize": ["nf4"]}}, "unknown quantize ['nf4']"),
    "model: quantize tiny": ("models", {"tiny-random": {"quantize": "nf4"}}, "cannot be quantized"),
    "task: unknown": ("tasks", "capitols", "unknown task 'capitols'"),
    "task: empty": ("tasks", "", "unknown task ''"),
    "task: long": ("tasks", "x" * 20_000, "unknown task 'xxx"),
    "task: unknown prefix": ("tasks", "http://a.b/c", "unknown prefix 'http'"),
    "task: prefix alone": ("tasks", "file:", "no path"),
    "task: no file": ("tasks", "file:nowhere.jsonl", "no such file"),
    "task: a device": ("tasks", "file:/dev/zero", "/dev/zero"),
    "task: a folder": ("tasks", "file:/tmp", "/tmp"),
    "task: null byte": ("tasks", "file:a\0b.jsonl", "a\\x00b"),
    "task: long path": ("tasks", "file:" + "x" * 5000 + ".jsonl", "too long"),
    "task: no extension": ("tasks", "file:x", "unknown extension"),
    "task: options of no kind": ("tasks", {"arithmetic": 5}, "tasks"),
    "task: unknown option": ("tasks", {"arithmetic": {"digit": 2}}, "unknown option 'digit'"),
    "task: option of another type": ("tasks", {"arithmetic": {"digits": "two"}}, "'two'"),
    "task: option null": ("tasks", {"arithmetic": {"digits": None}}, "None"),
    "task: option true": ("tasks", {"arithmetic": {"digits": True}}, "True"),
    "task: huge option": ("tasks", {"arithmetic": {"digits": 10**6}}, "1000000"),
    "task: negative option": ("tasks", {"arithmetic": {"digits": -1}}, "-1"),
    "task: name number": ("tasks", {"capitals": {"name": 5}}, "5 is not text"),
    "task: name list": ("tasks", {"capitals": {"name": []}}, "[] is not text"),
    "task: name path": ("tasks", {"capitals": {"name": "../x"}}, "'../x'"),
    "task: name long": ("tasks", {"capitals": {"name": "x" * 999}}, "has 999 characters"),
    "task: tokens share": ("tasks", {"arithmetic": {"max_new_tokens": 1.5}}, "1.5"),
    "task: tokens true": ("tasks", {"arithmetic": {"max_new_tokens": True}}, "True"),
    "task: normalize": ("tasks", {"capitals": {"normalize_by": ["x"]}}, "normalize_by: ['x']"),
    "task: answer_as": ("tasks", {"capitals": {"answer_as": {}}}, "answer_as: {}"),
    "task: typos": ("tasks", {"capitals": {"typos": 2}}, "2 is not a share"),
    "task: instruction": ("tasks", {"capitals": {"instruction": 5}}, "5 is not text"),
    "recipe: unknown": ("recipes", "few-shot", "did you mean 'few_shot'?"),
    "recipe: long": ("recipes", "x" * 20_000, "unknown recipe 'xxx"),
    "recipe: settings of no kind": ("recipes", {"few_shot": 5}, "recipes"),
    "recipe: unknown setting": ("recipes", {"few_shot": {"shot": 2}}, "did you mean 'shots'?"),
    "recipe: private setting": ("recipes", {"few_shot": {"__class__": 2}}, "has no key '__class__'"),
    "recipe: shots true": ("recipes", {"few_shot": {"shots": True}}, "shots = True"),
    "recipe: shots share": ("recipes", {"few_shot": {"shots": 1.5}}, "shots = 1.5"),
    "recipe: shots text": ("recipes", {"few_shot": {"shots": "many"}}, "shots = 'many'"),
    "recipe: shots huge": ("recipes", {"few_shot": {"shots": 10**30}}, "1000000"),
    "recipe: shots list": ("recipes", {"few_shot": {"shots": [1]}}, "shots = [1]"),
    "recipe: format list": ("recipes", {"zero_shot": {"format": ["a"]}}, "format = ['a']"),
    "recipe: format nested": ("recipes", {"zero_shot": {"format": {"a": {"b": 1}}}}, "format"),
    "recipe: format unknown": ("recipes", {"zero_shot": {"format": {"colour": "red"}}}, "colour"),
    "recipe: system number": ("recipes", {"zero_shot": {"system": 5}}, "system = 5"),
    "recipe: template": ("recipes", {"zero_shot": {"template": "{{ 1 }}"}}, "template = '{{ 1 }}'"),
    "recipe: template of a chat": ("recipes", {"zero_shot": {"template": "chat"}}, "'tiny-random' is a base model"),
    "recipe: rank": ("recipes", {"iid_sft": {"rank": 10**9 + 0.5}}, "rank = 1000000000.5"),
    "recipe: rate true": ("recipes", {"iid_sft": {"learning_rate": "nan"}}, "learning_rate"),
    "recipe: rate negative": ("recipes", {"iid_sft": {"learning_rate": -1}}, "learning_rate = -1"),
    "recipe: layers": ("recipes", {"iid_sft": {"layers": "all of them"}}, "layers"),
    "recipe: layers beyond": ("recipes", {"iid_sft": {"layers": [99]}}, "99"),
    "recipe: modules": ("recipes", {"iid_sft": {"modules": 5}}, "modules"),
    "recipe: modules unknown": ("recipes", {"iid_sft": {"modules": ["attention.*"]}}, "attention.*"),
    "recipe: epochs": ("recipes", {"iid_sft": {"epochs": None}}, "epochs = None"),
    "recipe: precision": ("recipes", {"iid_sft": {"precision": ["a"]}}, "precision"),
    "recipe: a change of no kind": ("recipes", {"fine_tune": {"change": "magic"}}, "magic"),
    "recipe: two changes": ("recipes", {"fine_tune": {"change": {"lora": {}, "ia3": {}}}}, "change"),
    "recipe: a change of a list": ("recipes", {"fine_tune": {"change": [1]}}, "change"),
    "recipe: stacked of nothing": ("recipes", {"stacked": {}}, "lacks the key 'train'"),
    "recipe: stacked of numbers": ("recipes", {"stacked": {"train": 5, "prompt": 6}}, "5"),
    "recipe: stacked of itself": ("recipes", {"stacked": {"train": "stacked", "prompt": "zero_shot"}}, "stacked"),
    "recipe: stacked of unknown": ("recipes", {"stacked": {"train": "iid_stf", "prompt": "zero_shot"}}, "iid_stf"),
    "recipe: chain of nothing": ("recipes", {"chain": {}}, "lacks the key 'stages'"),
    "recipe: chain of numbers": ("recipes", {"chain": {"stages": [5, 6]}}, "5"),
    "recipe: chain of one": ("recipes", {"chain": {"stages": ["iid_sft"]}}, "stages"),
    "recipe: chain of itself": ("recipes", {"chain": {"stages": ["chain", "chain"]}}, "stages"),
    "recipe: chain of unknown": ("recipes", {"chain": {"stages": ["iid_sft", "gpro"]}}, "'gpro'; did you mean 'grpo'"),
    "recipe: reward": ("recipes", {"grpo": {"reward": "luck"}}, "reward = 'luck'"),
    "recipe: reward of a form": ("recipes", {"grpo": {"reward": "format"}}, "has the form of an answer"),
    "recipe: written": ("recipes", {"grpo": {"written": 1.5}}, "written = 1.5"),
    "recipe: instructions": ("recipes", {"helpful_sft": {"instructions": 5}}, "5"),
    "recipe: instructions of nothing": ("recipes", {"helpful_sft": {"instructions": "file:no.jsonl"}}, "no.jsonl"),
    "recipe: instructions huge": ("recipes", {"helpful_sft": {"instructions": {"bundled": {"count": 10**9}}}}, "lower count"),
    "recipe: instructions option": ("recipes", {"helpful_sft": {"instructions": {"bundled": {"cuont": 1}}}}, "cuont"),
    "recipe: steps": ("recipes", {"grpo": {"steps": 0}}, "steps = 0"),
    "recipe: samples": ("recipes", {"self_consistency": {"samples": -3}}, "samples = -3"),
}  # fmt: skip
# `--set` arguments, and what a line says.
SETS: dict[str, str] = {
    "seeds": "is not key=value", "=5": "is not key=value", "seeds=[1": "broken YAML", "sedes=[1]": "did you mean 'seeds'?", "a.b.c=1": "'a'",
    "seeds.x=1": "there is no entry 'x'", "seeds.99=1": "there is no entry '99'", "seeds.-1=1": "there is no entry '-1'",
    "seeds.\u00b2=1": "there is no entry '\u00b2'", "name.a=1": "has no keys", "name.a.b=1": "'a'", "recipes.iid.rank=1": "'iid'",
    "seeds=": "seeds = None", "seeds=0": "write [0]", "seeds=[0, 0]": "twice", "seeds=[true]": "True", "test_items=-1": "-1",
    "test_items=1e3": "1000.0", "test_items=.inf": "not a finite number", "name=": "None", "name=a b": "'a b'",
    "name=!!int 5": "not allowed", "name=&a [*a]": "own anchor", "name=\x00": "not allowed", "name=\udcff": "not allowed",
    ".=1": "''", "..=1": "''", "tasks=[capitols]": "capitols", "models.0.x=1": "has no keys", "recipes.0=[[]]": "recipes",
    "recipes.few_shot.shots.x=1": "has no keys", "examples=[" + "1," * 30_000 + "]": "over 20,000 values",
    "name=" + "x" * 3000: "name", "seeds." + "9" * 5000 + "=1": "use a position",
}  # fmt: skip
# Other arguments of a study command.
ARGUMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown option": (("--seed", "1"), "unrecognized arguments"),
    "set without a value": (("--set",), "expected one argument"),
    "another study": (("second.yaml",), "unrecognized arguments: second.yaml"),
}
PLAN_ARGUMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    f"effect {value}": (("--effect", value), "--effect")
    for value in ("0", "-0.1", "1.5", "nan", "inf", "-inf", "five", "", "1e999", "1e-320")
}
LAUNCHES: dict[str, tuple[str, str]] = {
    "number of examples": ("--examples 1.5", "1.5"), "no examples": ("--examples 0", "examples.0 = 0"),
    "many examples": ("--examples 99999999999999999999", "99999999999999999999"), "seed": ("--seed -1", "-1"),
    "seed of a word": ("--seed one", "'one'"), "huge seed": ("--seed 99999999999", "99999999999"),
    "items": ("--test-items 0", "test_items = 0"), "dtype": ("--dtype float8", "float8"), "device": ("--device gpu", "gpu"),
    "setting": ("--set rnk=2", "rnk"), "setting without value": ("--set rank", "rank"), "setting of a list": ("--set rank=[1", "rank"),
    "nested setting": ("--set rank.a=1", "rank.a"), "model": ("--model {a", "{a"), "models": ("--model {a:{},b:{}}", "model"),
    "model of a path": ("--model path:/", "path:/"), "task": ("--task {", "{"), "unknown task": ("--task x", "'x'"),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A study as a file's text, arguments for its command, and what a line of the refusal says."""

    text: str
    says: str
    arguments: tuple[str, ...] = ()
    commands: tuple[str, ...] = field(default=("validate", "plan", "run"))


def cases(folder: Path) -> dict[str, Case]:
    """Every case by name; the task that the studies share is `parity.jsonl` in the folder."""
    right = _yaml(folder, recipes=["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2}}])
    made = {f"text: {name}": Case(text, says) for name, (text, says) in TEXTS.items()}
    for key in KEYS:
        for name, value in VALUES.items():
            if (key, name) not in RIGHT:
                made[f"{key}: {name}"] = Case(_yaml(folder, **{key: value}), key.removesuffix("s"))
    for name, (key, entry, says) in ENTRIES.items():
        made[name] = Case(_yaml(folder, **{key: [entry]}), says)
    for change, says in SETS.items():
        made[f"set: {change[:40]}"] = Case(right, says, ("--set", change))
    made |= {f"arguments: {name}": Case(right, says, given) for name, (given, says) in ARGUMENTS.items()}
    made |= {
        f"plan: {name}": Case(right, says, given, commands=("plan",)) for name, (given, says) in PLAN_ARGUMENTS.items()
    }
    return made


def _yaml(folder: Path, **changes: Any) -> str:
    right = {"tasks": [f"file:{folder}/parity.jsonl"], **changes}
    return yaml.safe_dump(SMALL | right, sort_keys=False, allow_unicode=False)
