"""Loading a model by name or prefix: weights and tokenizer, checked, with gradients off."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from educe.data.errors import UserError, one_line
from educe.data.hub_cache import is_listed, snapshot_folder
from educe.eval.model.adapter import merge_adapter
from educe.eval.model.attention import allow_block_sparse, runs_block_sparse
from educe.eval.model.bitsandbytes import keep_weights_differentiable, quantization_config
from educe.eval.model.check import check_architecture
from educe.eval.model.complete import check_complete, check_loaded, check_tied
from educe.eval.model.files import IGNORED_PATTERNS, PATTERNS, files_sha256, model_files, only, weight_files
from educe.eval.model.model import Dtype, Model
from educe.eval.model.net import full_shape, shape_of
from educe.eval.model.organism import checked_adapter, made_facts, scratch_folder
from educe.eval.model.sharded import gathering, set_sharding_dtype
from educe.eval.model.source import Kind, Source, find_source
from educe.eval.model.text_steps import check_growth, check_reads
from educe.eval.model.tiny import make_tiny
from educe.eval.model.weights import bundled_folder, gguf_folder

_FIX = "fetch or save it again"


def load_model(
    spec: str | Mapping[str, Mapping[str, Any]] | Source,
    *,
    dtype: Dtype | Literal["auto"] = "auto",
    device: str = "auto",
) -> Model:
    """Load a model by name or prefix (see source.py), with gradients off and dropout off.

    `auto` is a GPU where there is one, float32 on a CPU and bfloat16 on a GPU that has it. UserError for a name that
    cannot be loaded, for weights that are not safetensors, and for an organism that is not made or whose certificate is
    not that of its weights.
    """
    source = spec if isinstance(spec, Source) else find_source(spec)
    target = torch.device(_pick_device() if device == "auto" else device)
    torch_dtype = _pick_dtype(target) if dtype == "auto" else getattr(torch, dtype)
    folder = None if source.where == "tiny" else source_folder(source)
    adapter = checked_adapter(source)
    # Loaded in the dtype, not cast to it: a cast would round the rotary frequencies, too.
    net, tokenizer = make_tiny(torch_dtype) if folder is None else _read(source, folder, torch_dtype)
    if adapter is not None:
        net = merge_adapter(net, adapter, name=source.name)
    if source.quantize:
        keep_weights_differentiable(net)
    net.to(target)  # type: ignore[arg-type]
    net.eval().requires_grad_(False)
    if runs_block_sparse(target):
        allow_block_sparse(net)
    _check_tokens(tokenizer, net, source)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    kind = kind_of(source, tokenizer)
    if source.where not in ("bundled", "tiny", "scratch"):  # these are known to follow masks
        with gathering(net):
            check_architecture(net, name=source.name)
    return Model(
        name=source.name,
        kind=kind,
        revision=source.revision,
        fingerprint=_fingerprint(source, folder, kind, tokenizer),
        net=net,
        tokenizer=tokenizer,
        shape=shape_of(net),
        adds_bos=_adds_bos(tokenizer),
        dtype=cast(Dtype, str(torch_dtype).removeprefix("torch.")),
        quantize=source.quantize,
        whole_commit=is_listed(folder) if source.where == "hub" and folder else None,
    )


def fetch(source: Source) -> None:
    """Fetch a model's files and convert its weights into the cache, so that loading only reads them."""
    source_folder(source)


def _pick_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _pick_dtype(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def _read(source: Source, folder: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if not sys.stderr.isatty():
        disable_progress_bar()
    with checked_place(source, folder) as place:
        set_sharding_dtype(dtype)
        quantization = {"quantization_config": quantization_config(source.quantize, dtype)} if source.quantize else {}
        tokenizer = read_tokenizer(source, folder, place)
        with one_line(f"cannot load model {source.name!r} from {folder}", _FIX, hide=str(place)):
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                place, use_safetensors=True, trust_remote_code=False, local_files_only=True, dtype=dtype,
                attn_implementation="sdpa", output_loading_info=True, **quantization,
            )  # fmt: skip
    net, found = loaded
    check_loaded(found, name=source.name)
    check_tied(net, name=source.name)
    # PEFT looks there when it saves an adapter.
    net.name_or_path = net.config.name_or_path = tokenizer.name_or_path = str(folder)
    return net, tokenizer


@contextmanager
def checked_place(source: Source, folder: Path) -> Iterator[Path]:
    """A scratch folder with links to a model's files. UserError where they are not a whole model."""
    with only(model_files(folder), root=folder) as place:
        # A bundled model's files are our own, checked against the hashes of their conversion.
        if source.where != "bundled":
            check_complete(folder, place, weight_files(folder), name=source.name)
        yield place


def read_tokenizer(source: Source, folder: Path, place: Path) -> PreTrainedTokenizerBase:
    """The tokenizer among the files in `place`. UserError where it cannot be loaded or blows texts up."""
    with one_line(f"cannot load model {source.name!r} from {folder}", _FIX, hide=str(place)):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            place, trust_remote_code=False, local_files_only=True
        )
    check_growth(tokenizer, name=source.name)
    check_reads(tokenizer, name=source.name)
    return tokenizer


def source_folder(source: Source, *, fetch: bool = True) -> Path:
    """Where to load from. Bundled and GGUF models are converted into the cache first, hub models fetched if asked.

    UserError for a model from scratch that is not made yet.
    """
    if source.where == "bundled":
        return bundled_folder(source.location)
    if source.where == "gguf":
        return gguf_folder(Path(source.location))
    if source.where == "scratch":
        return scratch_folder(source, made=True)
    if source.where == "hub":
        return snapshot_folder(
            source.location, source.revision, kind="model", patterns=PATTERNS, ignore=IGNORED_PATTERNS, fetch=fetch
        )
    return Path(source.location)


def _check_tokens(tokenizer: PreTrainedTokenizerBase, net: PreTrainedModel, source: Source) -> None:
    """UserError without an end token, and for tokens that the net has no embedding for."""
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"model {source.name!r} has no end token, so an answer cannot end; set eos_token in its tokenizer"
        )
    if source.where == "bundled":
        return
    ends = getattr(net.generation_config, "eos_token_id", None)
    used = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id]
    used += ends if isinstance(ends, list) else [ends]
    # Tokens that were added, such as one for images, may lie beyond the embeddings of a net that reads text alone.
    used += tokenizer.get_vocab().values() - tokenizer.added_tokens_decoder.keys()
    embedding: Any = net.get_input_embeddings()
    size = full_shape(embedding.weight)[0]
    for token in used:
        if token is not None and (not isinstance(token, int) or not 0 <= token < size):
            raise UserError(
                f"model {source.name!r} has a token {token!r}, but {size} embeddings; give the tokenizer and "
                "generation_config.json that belong to these weights"
            )


def kind_of(source: Source, tokenizer: PreTrainedTokenizerBase) -> Kind:
    """A model's kind: the one that was named, or chat where there is a chat template. UserError for one without."""
    kind = source.kind or ("chat" if tokenizer.chat_template else "base")
    if kind != "base" and not tokenizer.chat_template:
        raise UserError(f"model {source.name!r} has no chat template, so it cannot be {kind!r}; use kind: base")
    return kind


def _fingerprint(source: Source, folder: Path | None, kind: Kind, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of all that is known of a loaded model but for the numbers in its weights.

    A hub model's identity is that of its commit, of which the cache may hold only a part: its small files are added.
    """
    facts = f"{source.identity} {kind} {tokenizer.chat_template}{made_facts(source)}"
    if source.where == "hub" and folder is not None:
        small = sorted(set(model_files(folder)) - set(weight_files(folder)))
        facts += f" {files_sha256(small, root=folder)}"
    return hashlib.sha256(facts.encode()).hexdigest()


def _adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    ids = tokenizer("a").input_ids
    return tokenizer.bos_token_id is not None and bool(ids) and ids[0] == tokenizer.bos_token_id
