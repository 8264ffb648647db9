"""Loading a model by name or prefix: weights and tokenizer, checked, with gradients off."""

import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from educe.data.errors import UserError
from educe.eval.model.check import check_architecture
from educe.eval.model.model import Dtype, Model
from educe.eval.model.net import shape_of
from educe.eval.model.quantized import keep_weights_differentiable, quantization_config
from educe.eval.model.sharded import gathering, set_sharding_dtype
from educe.eval.model.source import Source, find_source
from educe.eval.model.weights import bundled_folder, gguf_folder

# Where it is installed others load it, and it then says which kernels it has not found: nothing a user could act on.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def load_model(
    spec: str | Mapping[str, Mapping[str, Any]], *, dtype: Dtype | Literal["auto"] = "auto", device: str = "auto"
) -> Model:
    """Load a model by name or prefix (see eval.source), with gradients off and dropout off.

    `auto` is float32 on a CPU, bfloat16 on a GPU that has it, and a GPU where there is one. UserError for a name that
    cannot be loaded and for weights that are not safetensors.
    """
    source = find_source(spec)
    place = torch.device(_pick_device() if device == "auto" else device)
    kind_of_number = _pick_dtype(place) if dtype == "auto" else getattr(torch, dtype)
    # Loaded in the dtype, not cast to it: a cast would round the rotary frequencies, too.
    net, tokenizer = _tiny(kind_of_number) if source.where == "tiny" else _pretrained(source, kind_of_number)
    if source.adapter:
        net = _merged(net, source)
    if source.quantize:
        keep_weights_differentiable(net)
    net.to(place)  # type: ignore[arg-type]
    net.eval().requires_grad_(False)
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"model {source.name!r} has no end token, so an answer cannot end; set eos_token in its tokenizer"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    kind = source.kind or ("chat" if tokenizer.chat_template else "base")
    if kind != "base" and not tokenizer.chat_template:
        raise UserError(f"model {source.name!r} has no chat template, so it cannot be {kind!r}; use kind: base")
    if source.where not in ("bundled", "tiny"):  # these two are known to take masks
        with gathering(net):
            check_architecture(net, name=source.name)
    revision = getattr(net.config, "_commit_hash", None) or source.revision
    fingerprint = hashlib.sha256(f"{source.identity} {kind} {tokenizer.chat_template}".encode()).hexdigest()
    return Model(
        name=source.name,
        kind=kind,
        revision=revision,
        fingerprint=fingerprint,
        net=net,
        tokenizer=tokenizer,
        shape=shape_of(net),
        adds_bos=_adds_bos(tokenizer),
        dtype=cast(Dtype, str(kind_of_number).removeprefix("torch.")),
        quantize=source.quantize,
    )


def _pick_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _pick_dtype(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def _pretrained(source: Source, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if not sys.stderr.isatty():  # plain lines off a terminal
        disable_progress_bar()
    location = _converted(source)
    set_sharding_dtype(dtype)
    options: dict[str, Any] = {"revision": source.revision} if source.where == "hub" else {}
    coarse = {"quantization_config": quantization_config(source.quantize, dtype)} if source.quantize else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False, **options)
        net = AutoModelForCausalLM.from_pretrained(
            location, use_safetensors=True, trust_remote_code=False, attn_implementation="sdpa", dtype=dtype,
            **options, **coarse,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"cannot load model {source.name!r}: {reason}; check {location} and its files") from error
    return net, tokenizer


def fetch(spec: str | Mapping[str, Mapping[str, Any]]) -> None:
    """Fetch and convert a bundled or GGUF model's weights into the cache, so that loading only reads them."""
    _converted(find_source(spec))


def _converted(source: Source) -> Any:
    """Where to load from, which for bundled and GGUF models is the cache."""
    if source.where == "bundled":
        return bundled_folder(source.location)
    if source.where == "gguf":
        return gguf_folder(Path(source.location))
    return source.location


def _merged(net: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The net with an adapter added to its weights. UserError where the adapter was made for another."""
    from peft import PeftModel

    method, held = _read_adapter(Path(source.adapter))
    if method not in ("LORA", "IA3"):
        raise UserError(
            f"adapter {source.adapter} is of type {method}, which has no place in the weights; give a LORA or IA3 one"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it says of keys that do not fit is checked below
            wrapped = PeftModel.from_pretrained(net, source.adapter)
        wanted = {name.replace(".default", "") for name, _ in wrapped.named_parameters() if ".default" in name}
        if wanted != held:
            raise ValueError(f"{len(wanted ^ held)} of its weights have no place")
        return wrapped.merge_and_unload()
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"adapter {source.adapter} does not fit model {source.name!r}: {' '.join(str(error).split())[:300]}; "
            "give the model that it was trained on"
        ) from error


def _read_adapter(folder: Path) -> tuple[str | None, set[str]]:
    """The type of an adapter in PEFT's format and the names of its weights. UserError for files that are damaged."""
    from safetensors import SafetensorError, safe_open

    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    try:
        settings = json.loads(config.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{config} is not JSON ({error}); save the adapter again") from error
    if not isinstance(settings, dict):
        raise UserError(f"{config} holds no mapping; save the adapter again")
    try:
        with safe_open(weights, framework="pt") as file:
            return settings.get("peft_type"), set(file.keys())
    except SafetensorError as error:
        raise UserError(f"{weights} is damaged ({error}); save the adapter again") from error


def _tiny(dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A seeded two-layer Llama over bytes; the template is there so that it can be asked as a chat model too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<pad>", "<bos>", "<eos>"]
    vocabulary = {token: index for index, token in enumerate([*specials, *alphabet])}
    bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", model_max_length=1024
    )
    tokenizer.chat_template = (
        "{{ bos_token }}{% for message in messages %}{{ message.role }}: {{ message.content }}{{ eos_token }}\n"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = LlamaForCausalLM(config)
    for parameter in net.parameters():
        parameter.data = parameter.data.to(dtype)
    return net, tokenizer


def _adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    ids = tokenizer("a").input_ids
    return tokenizer.bos_token_id is not None and bool(ids) and ids[0] == tokenizer.bos_token_id
