"""GGUF files of a careless or hostile stranger: a good one is written, then its bytes or its parts are changed."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

ARCH = "llama"
HIDDEN, FEED, LAYERS, HEADS, KV = 64, 128, 2, 4, 2
TOKENS = ["<pad>", "<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
VALUES: dict[str, Any] = {
    "llama.block_count": LAYERS,
    "llama.context_length": 1024,
    "llama.embedding_length": HIDDEN,
    "llama.feed_forward_length": FEED,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV,
    "llama.attention.layer_norm_rms_epsilon": 1e-6,
    "llama.rope.dimension_count": HIDDEN // HEADS,
    "llama.rope.freq_base": 10000.0,
    "llama.vocab_size": len(TOKENS),
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "default",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.token_type": [3, 3, 3] + [1] * (len(TOKENS) - 3),
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.padding_token_id": 0,
}
_MAPPED = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def tensors() -> dict[str, np.ndarray[Any, Any]]:
    """Seeded weights of a small Llama under GGUF's names (the rotation's order of rows left aside)."""
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=HIDDEN,
        intermediate_size=FEED,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = LlamaForCausalLM(config)
    made = {"token_embd.weight": net.model.embed_tokens.weight, "output_norm.weight": net.model.norm.weight}
    for number, layer in enumerate(net.model.layers):
        for name, short in _MAPPED.items():
            made[f"blk.{number}.{short}.weight"] = layer.get_submodule(name).weight
    return {name: weight.detach().numpy() for name, weight in made.items()}


def write(
    path: Path,
    *,
    values: Mapping[str, Any] = {},
    drop: tuple[str, ...] = (),
    rename: Callable[[str], str] = str,
    more: Mapping[str, np.ndarray[Any, Any]] = {},
    arch: str = ARCH,
) -> None:
    """A GGUF file by the library's own writer; `values` and `more` replace or add, `drop` leaves out either."""
    writer = gguf.GGUFWriter(path, arch)
    for key, value in {**VALUES, **values}.items():
        if key in drop:
            continue
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            (writer.add_uint32 if 0 <= value < 2**32 else writer.add_int64)(key, value)
    for name, weight in {**tensors(), **more}.items():
        if name not in drop:
            writer.add_tensor(rename(name), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _patched(offset: int, layout: str, value: int) -> Callable[[bytes], bytes]:
    new = struct.pack(f"<{layout}", value)
    return lambda raw: raw[:offset] + new + raw[offset + len(new) :]


def _after(text: bytes, skip: int, layout: str, value: int) -> Callable[[bytes], bytes]:
    """A number `skip` bytes after the first place of a text."""
    return lambda raw: _patched(raw.index(text) + len(text) + skip, layout, value)(raw)


def _big(number: int, width: int = 64) -> np.ndarray[Any, Any]:
    return np.zeros((number, width), np.float32)


Q = "blk.0.attn_q.weight"
WRITTEN: dict[str, dict[str, Any]] = {
    **{f"without {name}": {"drop": (name,)} for name in (Q, "token_embd.weight", "output_norm.weight")},
    **{f"without {name}": {"drop": (name,)} for name in ("blk.1.ffn_down.weight", "blk.1.attn_norm.weight")},
    "renamed": {"rename": lambda name: f"_orig_mod.{name}"},
    "renamed layers": {"rename": lambda name: name.replace("blk.1", "blk.7")},
    "another tensor": {"more": {"extra.weight": np.zeros(4, np.float32)}},
    "factors of the rotation": {"more": {"rope_freqs.weight": np.ones(8, np.float32)}},
    "one more layer": {"more": {"blk.2.attn_q.weight": _big(64)}},
    "2,000 layers of one number": {
        "values": {"llama.block_count": 2_000},
        "more": {f"blk.{number}.x.weight": np.zeros(1, np.float32) for number in range(2_000)},
    },
    "a bias": {"more": {"blk.0.attn_q.bias": np.zeros(64, np.float32)}},
    "another shape": {"more": {Q: _big(63)}},
    "a narrower head": {"more": {"token_embd.weight": _big(100)}},
    "not numbers": {"more": {Q: np.full((64, 64), np.nan, np.float32)}},
    **{
        f"{key.partition('.')[2]}: {value}"[:60]: {"values": {key: value}}
        for key, values in {
            "llama.block_count": [0, 1, 3, 10**6, 2**31, 2**40, -1, "2", 2.0, [2]],
            "llama.embedding_length": [0, 63, 65, 10**9, "x"],
            "llama.feed_forward_length": [127, 10**9],
            "llama.attention.head_count": [0, 3, 10**8, [4, 4]],
            "llama.attention.head_count_kv": [0, 3, 10**8],
            "llama.vocab_size": [10, 10**9],
            "llama.rope.dimension_count": [0, 17],
            "llama.attention.layer_norm_rms_epsilon": ["x"],
            "tokenizer.ggml.model": ["evil", 3],
            "tokenizer.ggml.tokens": [["a"], "x", [1, 2]],
            "tokenizer.ggml.merges": ["x", ["a"]],
            "tokenizer.ggml.eos_token_id": [10**6, -5],
        }.items()
        for value in values
    },
    **{
        f"without {key}": {"drop": (key,)}
        for key in (
            "llama.block_count",
            "llama.context_length",
            "llama.embedding_length",
            "llama.attention.head_count",
            "tokenizer.ggml.tokens",
            "tokenizer.ggml.model",
            "tokenizer.ggml.eos_token_id",
        )
    },
    **{f"of architecture {name}": {"arch": name} for name in ("evil", "t5", "clip", "mamba")},
    "a mixture of experts": {"arch": "qwen3moe"},
}
CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "cut by a byte": lambda raw: raw[:-1],
    "cut in half": lambda raw: raw[: len(raw) // 2],
    "cut in the header": lambda raw: raw[:700],
    "only the magic": lambda raw: raw[:4],
    "empty": lambda raw: b"",
    "text": lambda raw: b"version https://git-lfs.github.com/spec/v1\n",
    "a pickle": lambda raw: b"\x80\x04c" + raw[3:],
    "another magic": _patched(0, "I", 0),
    "version 1": _patched(4, "I", 1),
    "version 99": _patched(4, "I", 99),
    "the other byte order": _patched(4, "I", 3 << 24),
    "tensors without end": _patched(8, "Q", 2**63),
    "a million tensors": _patched(8, "Q", 10**6),
    "no tensors": _patched(8, "Q", 0),
    "one tensor less": lambda raw: _patched(8, "Q", struct.unpack_from("<Q", raw, 8)[0] - 1)(raw),
    "values without end": _patched(16, "Q", 2**60),
    "one value more": lambda raw: _patched(16, "Q", struct.unpack_from("<Q", raw, 16)[0] + 1)(raw),
    "no values": _patched(16, "Q", 0),
    "a key without end": _patched(24, "Q", 2**60),
    "a text without end": _after(b"general.architecture", 4, "Q", 2**60),
    "an unknown type of value": _after(b"llama.block_count", 0, "I", 77),
    "an array without end": _after(b"tokenizer.ggml.tokens", 8, "Q", 2**50),
    "an array of arrays": _after(b"tokenizer.ggml.tokens", 4, "I", 9),
    "an array of nothing known": _after(b"tokenizer.ggml.token_type", 4, "I", 55),
    "a token without end": _after(b"tokenizer.ggml.tokens", 16, "Q", 2**40),
    "an architecture that is not UTF-8": lambda raw: raw.replace(b"llama", b"ll\xffma", 1),
    "dimensions without end": _after(Q.encode(), 0, "I", 2**31),
    "no dimensions": _after(Q.encode(), 0, "I", 0),
    "a dimension of much": _after(Q.encode(), 4, "Q", 2**40),
    "a dimension of nothing": _after(Q.encode(), 4, "Q", 0),
    "an unknown type of tensor": _after(Q.encode(), 20, "I", 99),
    "a tensor of text": _after(Q.encode(), 20, "I", 8),
    "an offset beyond": _after(Q.encode(), 24, "Q", 2**40),
    "an offset over another": _after(Q.encode(), 24, "Q", 0),
    "a tensor twice": lambda raw: raw.replace(b"blk.1.attn_q.weight", b"blk.0.attn_q.weight"),
    "a key twice": lambda raw: raw.replace(b"llama.context_length", b"llama.rope.freq_base"),
}
