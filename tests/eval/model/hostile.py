"""Model folders of a careless or hostile stranger: how each is made from a good one, and whether it still is the model.

A case is a function that changes a folder. A folder of `SAME` still holds the whole model: it may be loaded and must
answer alike. Every one of `REFUSED` must be refused.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Case = Callable[[Path], None]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST = "model.layers.0.self_attn.q_proj.weight"


def edit(folder: Path, file: str = "config.json", drop: tuple[str, ...] = (), **changes: Any) -> None:
    path = folder / file
    value = json.loads(path.read_text()) if path.exists() else {}
    value = {key: inner for key, inner in (value | changes).items() if key not in drop}
    path.write_text(json.dumps(value))


def write(folder: Path, file: str, content: str | bytes) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)


def swap(folder: Path, file: str, make: Callable[[Path], Any]) -> None:
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)


def tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    held = load_file(folder / WEIGHTS)
    changed = change(held)
    save_file(held if changed is None else changed, folder / WEIGHTS, metadata={"format": "pt"})


def header(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    raw = (folder / WEIGHTS).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    declared = json.loads(raw[8 : 8 + size])
    change(declared)
    text = json.dumps(declared).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])


def _thin_layers(folder: Path, weight: torch.Tensor) -> None:
    """As many tensors as the settings have layers: each takes a moment to build, and next to no bytes."""
    edit(folder, num_hidden_layers=8_000, layer_types=["full_attention"] * 8_000)
    tensors(folder, lambda held: {**held, **{f"model.layers.{n}.x": weight.clone() for n in range(8_000)}})


def bytes_of(folder: Path, change: Callable[[bytes], bytes], file: str = WEIGHTS) -> None:
    (folder / file).write_bytes(change((folder / file).read_bytes()))


def shards(folder: Path, name: str = "model-1.safetensors", **index: Any) -> None:
    """The weights in two files, and an index that says whatever is given of it."""
    held = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(held)
    halves = {"model-0.safetensors": names[::2], "model-1.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({key: held[key] for key in part}, folder / file, metadata={"format": "pt"})
    weight_map: Any = {key: file for file, part in halves.items() for key in part}
    weight_map = {key: name if file == "model-1.safetensors" else file for key, file in weight_map.items()}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map} | index))


def moved(folder: Path, name: str, *, absolute: bool = False) -> None:
    """Shards of which one lies elsewhere and is named there."""
    target = folder / name
    target.parent.mkdir(exist_ok=True)
    shards(folder, str(target) if absolute else name)
    shutil.move(folder / "model-1.safetensors", target)


def pickled(folder: Path, file: str, *, keep: bool) -> None:
    """Weights as a pickle that would write a file when it is opened."""
    import pickle

    class Opened:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return os.mkdir, (str(folder / "opened"),)

    if not keep:
        (folder / WEIGHTS).unlink(missing_ok=True)
    (folder / file).write_bytes(pickle.dumps(Opened()))


def _swapped(folder: Path) -> None:
    """An index that names the other file of each tensor. Each is in one file only, so all are found by name."""
    shards(folder)
    index = json.loads((folder / INDEX).read_text())
    first, second = sorted(set(index["weight_map"].values()))
    other = {first: second, second: first}
    index["weight_map"] = {name: other[file] for name, file in index["weight_map"].items()}
    (folder / INDEX).write_text(json.dumps(index))


def growing(folder: Path, step: str, *, times: int = 1, length: int = 2) -> None:
    """A normalizer or decoder that writes "a" so often, so many times one after another."""
    one = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * length}
    edit(folder, "tokenizer.json", **{step: {"type": "Sequence", f"{step}s": [one] * times}})


def pickle_in_index(folder: Path) -> None:
    shards(folder, "pytorch_model.bin")
    pickled(folder, "pytorch_model.bin", keep=False)


def _set(key: str, value: Any) -> Case:
    return lambda folder: tensors(folder, lambda held: held.update({key: value}))


def _rename(pattern: str) -> Case:
    return lambda folder: tensors(folder, lambda held: {pattern.format(key): held[key] for key in held})


CONFIG_VALUES: dict[str, list[Any]] = {
    "hidden_size": ["a", -1, 0, None, [64], 10**9, 63, 2**70, 64.5, {}],
    "num_hidden_layers": [1, 3, 0, -1, 10**6, 10**12, "2", None, True],
    "vocab_size": [10**9, 258, 260, -5, "x"],
    "num_attention_heads": [0, 3, 10**8, "4"],
    "num_key_value_heads": [0, 3, 4, -2],
    "intermediate_size": [127, 10**10],
    "head_dim": [0, 17, "x"],
    "max_position_embeddings": ["many", None],
    "rms_norm_eps": ["x", [1]],
    "hidden_act": ["nope", "os.system", 3],
    "rope_parameters": [{"rope_type": "nope"}, "a"],
    "dtype": ["load", "int8", 3],
    "torch_dtype": ["save", {}],
    "model_type": ["bert", "nope", None, 3, "gpt2", "mixtral", "llama.evil", []],
    "architectures": [["os.system"], "LlamaForCausalLM", [3], ["LlamaForSequenceClassification"], [[]]],
    "auto_map": [{"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}, "evil"],
    "_attn_implementation": ["org/kernel", "evil|org/kernel", {"": "org/kernel"}],
    "attn_implementation": ["kernels-community/flash-attn"],
    "_attn_implementation_internal": ["org/kernel"],
    "experts_implementation": ["org/kernel"],
    "quantization_config": [{"quant_method": "bitsandbytes", "load_in_4bit": True}, {"quant_method": "gptq"}, "x"],
    "fusion_config": [{"a": True}],
    "transformers_weights": ["../other.safetensors"],
    "to_dict": [3],
    "get_text_config": [None],
    "_auto_class": ["x"],
    "tie_word_embeddings": [False],
    "layer_types": [
        ["full_attention"],
        ["chunked_attention", "chunked_attention"],
        ["sliding_attention", "full_attention"],
        "full",
    ],
    "return_dict": [False, None],
    "num_local_experts": [8],
    "attention_bias": [True, "x"],
    "mlp_bias": [True],
    "text_config": [{"attn_implementation": "org/kernel"}],
}
CONFIG_FILES: dict[str, str | bytes] = {
    "empty": "",
    "a list": "[]",
    "null": "null",
    "a number that JSON has not": '{"model_type": "llama", "hidden_size": NaN}',
    "a key twice": '{"model_type": "llama", "model_type": "llama"}',
    "deep": "[" * 100_000,
    "nested under the limit": '{"model_type": "llama", "x": ' + "[" * 900 + "]" * 900 + "}",
    "not UTF-8": b'{"model_type": "\xff"}',
    "a long number": '{"model_type": "llama", "hidden_size": ' + "9" * 5000 + "}",
    "no settings": "{}",
}
TENSORS: dict[str, Case] = {
    **{
        f"without {key}": partial(tensors, change=lambda held, key=key: held.__delitem__(key))
        for key in ("model.embed_tokens.weight", FIRST, "model.norm.weight", "model.layers.1.mlp.down_proj.weight")
    },
    "keys of a compiled net": _rename("_orig_mod.{}"),
    "keys of a wrapper": _rename("module.model.{}"),
    "no tensors": lambda folder: tensors(folder, lambda held: {"x": torch.zeros(1)}),
    "one more layer": _set("model.layers.2.self_attn.q_proj.weight", torch.zeros(64, 64)),
    "another tensor": _set("extra.weight", torch.zeros(3)),
    "another shape": _set(FIRST, torch.zeros(63, 64)),
    "a head that is not tied": _set("lm_head.weight", torch.ones(259, 64)),
    "all zero": lambda folder: tensors(folder, lambda held: {key: held[key] * 0 for key in held}),
    "all huge": lambda folder: tensors(folder, lambda held: {key: torch.full_like(held[key], 1e30) for key in held}),
    "transposed": _set("model.layers.0.mlp.up_proj.weight", torch.zeros(64, 128)),
    "a scalar": _set(FIRST, torch.tensor(0.0)),
    "empty tensor": _set(FIRST, torch.zeros(0, 64)),
    "8,000 layers of empty tensors": lambda folder: _thin_layers(folder, torch.zeros(0, 64)),
    "8,000 layers of one number": lambda folder: _thin_layers(folder, torch.zeros(1)),
    "of whole numbers": _set(FIRST, torch.zeros(64, 64, dtype=torch.int8)),
    "of truth": _set(FIRST, torch.zeros(64, 64, dtype=torch.bool)),
    "of complex numbers": _set(FIRST, torch.zeros(64, 64, dtype=torch.complex64)),
    "not a number": _set(FIRST, torch.full((64, 64), float("nan"))),
    "infinite": _set("model.norm.weight", torch.full((64,), float("inf"))),
    "cut by a byte": partial(bytes_of, change=lambda raw: raw[:-1]),
    "cut in half": partial(bytes_of, change=lambda raw: raw[: len(raw) // 2]),
    "a byte more": partial(bytes_of, change=lambda raw: raw + b"\0"),
    "header alone": partial(bytes_of, change=lambda raw: raw[: 8 + struct.unpack("<Q", raw[:8])[0]]),
    "a header of no end": partial(bytes_of, change=lambda raw: struct.pack("<Q", 2**63) + raw[8:]),
    "a header of 90 MB": partial(bytes_of, change=lambda raw: struct.pack("<Q", 90 << 20) + raw[8:]),
    "a header of nothing": partial(bytes_of, change=lambda raw: struct.pack("<Q", 0) + raw[8:]),
    "a header of noise": partial(bytes_of, change=lambda raw: raw[:8] + bytes(reversed(raw[8:2000])) + raw[2000:]),
    "an empty file": partial(bytes_of, change=lambda raw: b""),
    "three bytes": partial(bytes_of, change=lambda raw: raw[:3]),
    "text": partial(bytes_of, change=lambda raw: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "a negative offset": partial(header, change=lambda said: said[FIRST].update(data_offsets=[-1, 5])),
    "an offset beyond": partial(header, change=lambda said: said[FIRST].update(data_offsets=[0, 2**62])),
    "overlapping": partial(header, change=lambda said: said.update({FIRST: said["model.norm.weight"]})),
    "a shape of much": partial(header, change=lambda said: said[FIRST].update(shape=[2**40, 2**40])),
    "a shape of text": partial(header, change=lambda said: said[FIRST].update(shape="64")),
    "an unknown dtype": partial(header, change=lambda said: said[FIRST].update(dtype="F7")),
}
FOLDERS: dict[str, Case] = {
    "a window that a Llama has not": partial(edit, sliding_window=512),
    "windows by layer in a net that has none": partial(
        edit, layer_types=["sliding_attention", "full_attention"], sliding_window=4
    ),
    **{f"{file} is a pipe": partial(swap, file=file, make=os.mkfifo) for file in ("config.json", WEIGHTS, "x.txt")},
    "the tokenizer is a pipe": partial(swap, file="tokenizer.json", make=os.mkfifo),
    "a template is a pipe": partial(swap, file="additional_chat_templates/tool.jinja", make=os.mkfifo),
    "config.json is a folder": partial(swap, file="config.json", make=os.mkdir),
    "the weights are a folder": partial(swap, file=WEIGHTS, make=os.mkdir),
    "config.json is endless": partial(swap, file="config.json", make=lambda path: path.symlink_to("/dev/zero")),
    "the weights are endless": partial(swap, file=WEIGHTS, make=lambda path: path.symlink_to("/dev/zero")),
    "config.json leads nowhere": partial(swap, file="config.json", make=lambda path: path.symlink_to("nowhere")),
    "no config.json": lambda folder: (folder / "config.json").unlink(),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "an adapter beside": lambda folder: (
        write(folder, "adapter_config.json", '{"peft_type": "LORA", "base_model_name_or_path": "org/other"}'),
        pickled(folder, "adapter_model.bin", keep=True),
    ),
    "a pickle alone": partial(pickled, file="pytorch_model.bin", keep=False),
    "a pickle by name": partial(pickled, file=WEIGHTS, keep=False),
    "a pickle in the index": pickle_in_index,
    "a shard above": partial(moved, name="../beside.safetensors"),
    "a shard below": partial(moved, name="part/model-1.safetensors"),
    "a shard by its whole path": partial(moved, name="../far.safetensors", absolute=True),
    "a shard that is not there": lambda folder: (shards(folder), (folder / "model-1.safetensors").unlink()),
    "an index of a list": partial(shards, weight_map=[1]),
    "an index of numbers": partial(shards, weight_map={FIRST: 3}),
    "an index without metadata": partial(shards, metadata=None),
    "an index of nothing": partial(shards, weight_map={}),
    "a broken index": lambda folder: (shards(folder), write(folder, INDEX, "{")),
    "one shard twice": lambda folder: (
        shards(folder),
        shutil.copy(folder / "model-1.safetensors", folder / "model-0.safetensors"),
    ),
}
TOKENIZER: dict[str, Case] = {
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    **{
        f"tokenizer.json {name}": partial(write, file="tokenizer.json", content=content)
        for name, content in {"empty": "", "a list": "[]", "cut": '{"version": "1.0", "mod', "of nothing": "{}"}.items()
    },
    "an unknown kind of tokenizer": partial(edit, file="tokenizer.json", model={"type": "Evil"}),
    "no added tokens": partial(edit, file="tokenizer.json", drop=("added_tokens",), model=None),
    "ids beyond the vocabulary": lambda folder: edit(
        folder,
        "tokenizer.json",
        model=json.loads((folder / "tokenizer.json").read_text())["model"]
        | {"vocab": {chr(0x100 + number): number + 5000 for number in range(256)}},
    ),
    "a normalizer that doubles forty times": partial(growing, step="normalizer", times=40),
    "a normalizer of one long text": partial(growing, step="normalizer", length=5000),
    "a decoder that doubles forty times": partial(growing, step="decoder", times=40),
    **{
        f"a normalizer {name}": partial(edit, file="tokenizer.json", normalizer=normalizer)
        for name, normalizer in {
            "that drops all text": {"type": "Replace", "pattern": {"Regex": "."}, "content": ""},
            "that backtracks": {"type": "Replace", "pattern": {"Regex": "(a+)+$|(.*)*x(.*)*y"}, "content": "b"},
            "that is no map": {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
        }.items()
    },
    "settings a list": partial(write, file="tokenizer_config.json", content="[]"),
    "settings broken": partial(write, file="tokenizer_config.json", content="{"),
    **{
        f"tokenizer_config.json: {changes}": partial(edit, file="tokenizer_config.json", **changes)
        for changes in (
            {"tokenizer_class": "AutoModelForCausalLM"},
            {"tokenizer_class": "os.system"},
            {"tokenizer_class": 3},
            {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}},
            {"init_inputs": [["x"]]},
            {"tokenizer_object": "x"},
            {"eos_token": 3},
            {"eos_token": None},
            {"pad_token": "<none>"},
            {"eos_token": {"__type": "AddedToken", "evil": 1}},
            {"added_tokens_decoder": {"x": {"content": "a"}}},
            {"added_tokens_decoder": {"5": 3}},
            {"added_tokens_decoder": [1]},
            {"extra_special_tokens": 3},
            {"padding_side": "up"},
            {"chat_template": 3},
            {"chat_template": [{"nam": "x"}]},
        )
    },
    "special tokens a list": partial(write, file="special_tokens_map.json", content="[]"),
    "a template that is not UTF-8": partial(write, file="chat_template.jinja", content=b"\xff\xfe"),
    **{
        f"generation_config.json {content}": partial(write, file="generation_config.json", content=content)
        for content in ("{", "[]", '{"eos_token_id": "x"}', '{"eos_token_id": 100000}')
    },
}
SAME: dict[str, Case] = {
    "as it was": lambda folder: None,
    "two shards": shards,
    "a byte order mark": partial(bytes_of, change=lambda raw: "\ufeff".encode() + raw, file="chat_template.jinja"),
    "float64": lambda folder: tensors(folder, lambda held: {key: held[key].double() for key in held}),
    "tied weights twice": lambda folder: tensors(
        folder, lambda held: held.update({"lm_head.weight": held["model.embed_tokens.weight"].clone()})
    ),
    "old rotary buffers": _set("model.layers.0.self_attn.rotary_emb.inv_freq", torch.zeros(8)),
    "a pickle beside": partial(pickled, file="pytorch_model.bin", keep=True),
    "odd sampling settings": partial(write, file="generation_config.json", content='{"temperature": "hot"}'),
    "code beside": partial(write, file="custom_generate/generate.py", content="raise SystemExit"),
    "another kind of shard beside": partial(
        write, file="shard-00000-model-00001-of-00001.safetensors", content="not weights"
    ),
    "notes": partial(write, file="README.md", content="notes"),
    "unknown settings": partial(
        edit, unsloth_fixed=True, _name_or_path="/somewhere/else", _model_name_or_path="x", quantization_config=None
    ),
    "a long context": partial(edit, max_position_embeddings=10**9),
    "an index that names the other shard": _swapped,
    "no dtype": partial(edit, drop=("dtype",)),
}
REFUSED: dict[str, Case] = {
    **{
        f"{key}: {json.dumps(value)[:40]}": partial(edit, **{key: value})
        for key, values in CONFIG_VALUES.items()
        for value in values
    },
    **{
        f"config.json is {name}": partial(write, file="config.json", content=content)
        for name, content in CONFIG_FILES.items()
    },
    **TENSORS,
    **FOLDERS,
    **TOKENIZER,
}
