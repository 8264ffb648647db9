"""Whether weights are whole: every tensor that the net expects and no other, each of its shape. Nothing is allocated.

A net is built without memory (on torch's meta device) from the settings, and transformers' own loading matches it with
tensors of the shapes that the files declare, so names are matched as they will be when the weights are read.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, get_gguf_hf_weights_map
from transformers.utils import logging

from educe.data.errors import UserError, one_line
from educe.data.untrusted import open_regular
from educe.eval.model.check import check_layers
from educe.eval.model.gguf_header import MAX_TENSORS, Header
from educe.eval.model.settings import MAX_LAYERS, check_settings
from educe.eval.model.sharded import nothing_sharded

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "F64": torch.float64}
# Without these a GGUF file would be given the sizes of transformers' default model of its architecture.
_GGUF_SIZES = ("attention.head_count", "block_count", "context_length", "embedding_length")
# Beside the weights a net keeps tables of positions and masks.
_SPARE_BYTES = 1 << 28


def declared_tensors(files: Iterable[Path]) -> dict[str, torch.Tensor]:
    """The tensors that safetensors files declare, without memory: name, shape and dtype.

    UserError for a file that is damaged or whose size is not the declared one, a dtype that is not of floats, and a
    name in two files.
    """
    found: dict[str, torch.Tensor] = {}
    for path in files:
        open_regular(path).close()
        with one_line(f"{path} is corrupt", "fetch or save it again"), safe_open(path, framework="pt") as file:
            entries = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - a file, not a mapping
            shapes = {name: (entry.get_shape(), entry.get_dtype()) for name, entry in entries.items()}
        if len(shapes) + len(found) > MAX_TENSORS:
            raise UserError(f"{path} has {len(shapes):,} tensors, over {MAX_TENSORS:,}; give a dense decoder")
        for name, (shape, dtype) in shapes.items():
            if dtype not in _DTYPES:
                raise UserError(
                    f"{path}: tensor {name!r} is of {dtype}, not of floats; save it as {', '.join(_DTYPES)}"
                )
            if name in found:
                raise UserError(f"{path}: tensor {name!r} is in another file, too; save the model again")
            found[name] = torch.empty(shape, dtype=_DTYPES[dtype], device="meta")
    return found


def check_complete(folder: Path, place: Path, weights: list[Path], *, name: str) -> None:
    """UserError where a folder's weights are not what its settings expect, before any memory is taken for them.

    `place` holds the files that will be read, `folder` is how errors call it.
    """
    tensors = declared_tensors(weights)
    # A tensor without values takes no bytes, so its dimensions say nothing.
    largest = max((max(tensor.shape, default=0) for tensor in tensors.values() if tensor.numel()), default=0)
    check_settings(folder, tensors=len(tensors), largest=largest)
    with one_line(f"cannot load model {name!r}: {folder}/config.json", "save the model again", hide=str(place)):
        config = AutoConfig.from_pretrained(place, trust_remote_code=False, local_files_only=True)
        check_layers(config, name=name)
    with one_line(f"cannot load model {name!r} from {folder}", "check its config.json", hide=str(place)):
        net, found = _match(config, tensors)
    check_loaded(found, name=name)
    for tied, source in net.all_tied_weights_keys.items():
        if {tied, source} <= tensors.keys() and not _are_equal(tied, source, weights):
            raise UserError(_untied(name, tied, source))
    size = sum(tensor.nbytes for tensor in tensors.values())
    if (extra := sum(buffer.nbytes for buffer in net.buffers())) > size + _SPARE_BYTES:
        raise UserError(
            f"model {name!r}: its config.json asks for {extra:,} bytes beside weights of {size:,}; "
            "give the settings that belong to these weights"
        )


def check_convertible(file: Path, place: Path, header: Header, options: Mapping[str, Any]) -> None:
    """UserError where a GGUF file's tensors are not what its settings expect, before any memory is taken for them.

    `place` holds the file and nothing else, `options` say how transformers reads it from there.
    """
    what, fix = f"{file} cannot be read as GGUF", "fetch or convert it again"
    for key in _GGUF_SIZES:
        if f"{header.architecture}.{key}" not in header.values:
            raise UserError(f"{what}: it has no {header.architecture}.{key}; {fix}")
    largest = max((max(shape) for shape in header.tensors.values()), default=0)
    for key, value in header.values.items():
        # Positions, windows and frequencies are no sizes of tensors.
        layers = key.endswith("block_count")
        limit = min(len(header.tensors), MAX_LAYERS) if layers else max(largest, len(header.tensors))
        size = key.startswith(header.architecture) and key.endswith(("_count", "_count_kv", "_length"))
        if size and not key.endswith("context_length") and not _at_most(value, limit):
            raise UserError(
                f"{what}: {key} is {value!r}, not a number that its tensors can have (at most {limit}); {fix}"
            )
    with one_line(what, fix, hide=str(place)):
        config = AutoConfig.from_pretrained(place, **options)
        check_layers(config, name=file.name)
    with one_line(what, fix, hide=str(place)):
        net, _ = _match(config, {})
        processor = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)()
        places: dict[str, str] = get_gguf_hf_weights_map(net, processor)
    expected = {name: tensor.numel() for name, tensor in net.state_dict().items()}
    for name, shape in header.tensors.items():
        if name not in places:
            raise UserError(f"{what}: the conversion has no place for its tensor {name!r}; give another format")
        if math.prod(shape) != expected[places[name]]:
            raise UserError(f"{what}: tensor {name!r} has shape {shape[::-1]}, which its settings do not expect; {fix}")
    missing = expected.keys() - {places[name] for name in header.tensors} - net.all_tied_weights_keys.keys()
    if missing:
        raise UserError(f"{what}: it lacks {len(missing)} tensors ({min(missing)!r} first); {fix}")


def _at_most(value: Any, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def check_loaded(found: Mapping[str, Any], *, name: str) -> None:
    """UserError where transformers' account of a loading names missing, unexpected or mismatched weights."""
    for key, what in (("missing_keys", "lacks"), ("unexpected_keys", "has no place for")):
        if names := sorted(found.get(key) or ()):
            raise UserError(
                f"model {name!r} {what} {len(names)} of its tensors ({names[0]!r} first), so it would not be the model "
                "that was saved; give complete weights and the settings that belong to them"
            )
    if mismatched := sorted(found.get("mismatched_keys") or ()):
        tensor, shape, expected = mismatched[0]
        raise UserError(
            f"model {name!r}: tensor {tensor!r} has shape {tuple(shape)}, config.json expects {tuple(expected)}; "
            "give the settings that belong to these weights"
        )
    if errors := found.get("error_msgs"):
        raise UserError(f"model {name!r}: {str(errors[0]).splitlines()[0][:300]}; fetch or save it again")


def check_tied(net: PreTrainedModel, *, name: str) -> None:
    """UserError where weights that the settings call one and the same were loaded as two.

    Transformers keeps both where their values differ, and says so in its log alone.
    """
    for tied, source in net.get_expanded_tied_weights_keys(all_submodels=True).items():
        apart = net.get_parameter_or_buffer(tied) is not net.get_parameter_or_buffer(source)
        if apart and tied not in net.all_tied_weights_keys:
            raise UserError(_untied(name, tied, source))


def _untied(name: str, tied: str, source: str) -> str:
    return (
        f"model {name!r}: its config.json ties {tied!r} to {source!r} (tie_word_embeddings), but the weights have both,"
        " with other values; set tie_word_embeddings to false, or give the settings that belong to these weights"
    )


def _are_equal(first: str, second: str, files: Iterable[Path]) -> bool:
    """Whether two tensors of safetensors files have the same values."""
    found: dict[str, torch.Tensor] = {}
    for path in files:
        with one_line(f"{path} is corrupt", "fetch or save it again"), safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in {first, second} & set(file.keys())}
    return found[first].shape == found[second].shape and bool((found[first] == found[second]).all())


def _match(config: PreTrainedConfig, tensors: Mapping[str, torch.Tensor]) -> tuple[Any, Mapping[str, Any]]:
    """The net without memory, and transformers' account of which tensors it has a place for."""
    net_class: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    if net_class.config_class is config.sub_configs.get("text_config"):  # as AutoModelForCausalLM does it
        config = config.get_text_config()
    with nothing_sharded(), no_init_weights(), _quietly():
        net, found = net_class.from_pretrained(
            None, config=config, state_dict=dict(tensors), device_map="meta", attn_implementation="sdpa",
            ignore_mismatched_sizes=True, output_loading_info=True, dtype=torch.float32,
        )  # fmt: skip
    return net, found


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' table of what does not fit, which becomes one line of ours, and without its bar."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
