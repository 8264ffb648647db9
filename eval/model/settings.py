"""What a stranger's settings may say: values from lists that we know, and nothing that names code or other files.

The settings files of a model are read here before any library sees them. Transformers would look up some of their
values as names of Python things, fetch others from the hub, and build a net of any declared size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from educe.data.errors import UserError
from educe.eval.model.files import CONFIG, read_mapping

# Names whose value would be imported, fetched or opened instead of the folder's own files.
REFUSED = (
    "auto_map",
    "compression_config",
    "configuration_files",
    "custom_pipelines",
    "distributed_config",
    "fusion_config",
    "gguf_file",
    "init_inputs",
    "kernel_config",
    "per_layer_config",
    "quantization_config",
    "tokenizer_object",
    "transformers_weights",
)
ATTENTION = ("eager", "flash_attention_2", "flash_attention_3", "flex_attention", "sdpa")
DTYPES = ("bfloat16", "float16", "float32", "float64")
# Classes that are loaded for names which the mapping by architecture does not have.
GENERIC_TOKENIZERS = {
    "BloomTokenizer",
    "CodeGenTokenizer",
    "PreTrainedTokenizer",
    "PreTrainedTokenizerFast",
    "PythonBackend",
    "SentencePieceBackend",
    "TokenizersBackend",
}
# Underscored names that tools write; any other would set an inner attribute of the settings object.
_NOTES = (
    "_attn_implementation",
    "_attn_implementation_internal",
    "_commit_hash",
    "_model_name_or_path",
    "_name_or_path",
    "_pad_token_id",
    "_sliding_window_pattern",
    "_vocab_size",
)
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function")
MAX_WHOLE_NUMBER = 1 << 40
# Several times what the deepest models have. A layer takes milliseconds to build, however little its tensors hold.
MAX_LAYERS = 1_000


def check_settings(folder: Path, *, tensors: int, largest: int) -> None:
    """UserError for settings in a model's folder that name code, other files, or what the weights cannot be.

    `tensors` is how many the weights have, `largest` the largest dimension of any: a net has no more layers, heads or
    the like than that, and at most MAX_LAYERS layers. So no net is built that its files could not fill.
    """
    config = read_mapping(folder / CONFIG)
    _check_architecture(config, folder / CONFIG)
    _check_values(config, folder / CONFIG)
    for key, value, place in _walk(config):
        limit = min(tensors, MAX_LAYERS) if _is_layers(key) else max(tensors, largest) if _is_count(key) else None
        if isinstance(value, int) and limit is not None and value > limit:
            raise UserError(
                f"{folder / CONFIG}: {place}: {value} is more than the weights can hold (at most {limit}); "
                "give the settings that belong to these weights"
            )
    _check_attributes(config, folder / CONFIG)
    for name in ("tokenizer_config.json", "generation_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            settings = read_mapping(folder / name)
            _check_values(settings, folder / name)
            _check_tokenizer_class(settings, folder / name)
            _check_template(settings.get("chat_template"), folder / name)
    _check_tokenizer_class(config, folder / CONFIG)


def _check_architecture(config: Mapping[str, Any], path: Path) -> None:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind not in CONFIG_MAPPING:
        raise UserError(
            f"{path}: model_type: {kind!r} is no causal language model of transformers; give one, such as 'llama'"
        )
    names = config.get("architectures")
    allowed = {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values(), *MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values()}
    if names is None or (
        isinstance(names, list) and names and all(isinstance(name, str) and name in allowed for name in names)
    ):
        return
    raise UserError(
        f"{path}: architectures: {names!r} is no causal language model; "
        f"give one such as {MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]!r}"
    )


def _check_values(settings: Mapping[str, Any], path: Path) -> None:
    for key, value, place in _walk(settings):
        if key in REFUSED and value:
            raise UserError(f"{path}: {place} is not supported (it would load more than this folder); remove it")
        if key.endswith(("attn_implementation", "attn_implementation_internal")):
            _check_known(value, ATTENTION, place, path)
        elif key.endswith(("_implementation", "_implementation_internal")):
            _check_known(value, ("eager",), place, path)
        elif key in ("dtype", "torch_dtype") and isinstance(value, str):
            _check_known(value.removeprefix("torch."), DTYPES, place, path)
        elif key in ("dtype", "torch_dtype"):
            _check_known(value, DTYPES, place, path)
        elif key == "return_dict" and value is not True:
            raise UserError(f"{path}: {place}: {value!r} would give outputs without names; remove it")
        elif key in _ACTIVATIONS and not (value is None or isinstance(value, str)):
            raise UserError(f"{path}: {place}: {value!r} is not the name of an activation; save the model again")
        elif isinstance(value, int) and abs(value) > MAX_WHOLE_NUMBER and not key.startswith("model_max_length"):
            raise UserError(f"{path}: {place}: {value} is too large; save the model again")


def _check_known(value: Any, known: tuple[str, ...], place: str, path: Path) -> None:
    if value is not None and value not in known:
        raise UserError(f"{path}: {place}: {value!r} is not supported; remove it, or give one of {', '.join(known)}")


def _check_attributes(config: Mapping[str, Any], path: Path) -> None:
    """UserError for a number of layers that is none, and for names of what is no setting of this architecture."""
    settings_class = CONFIG_MAPPING[config["model_type"]]
    layers = settings_class.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    for key in {layers, "num_hidden_layers"} & set(config):
        if isinstance(config[key], bool) or not isinstance(config[key], int) or config[key] < 1:
            raise UserError(f"{path}: {key}: {config[key]!r} is no number of layers; save the model again")
    declared = {field.name for field in fields(settings_class)} | set(settings_class.attribute_map) | set(_NOTES)
    for key in set(config) - declared:
        if key.startswith("_") or callable(getattr(settings_class, key, None)):
            raise UserError(f"{path}: {key} is the name of an inner attribute, not a setting; remove it")


def _check_tokenizer_class(settings: Mapping[str, Any], path: Path) -> None:
    name = settings.get("tokenizer_class")
    known = {value for value in TOKENIZER_MAPPING_NAMES.values() if value} | GENERIC_TOKENIZERS
    if name is not None and not (isinstance(name, str) and (name in known or name.removesuffix("Fast") in known)):
        raise UserError(
            f"{path}: tokenizer_class: {name!r} is not a tokenizer of transformers; save the tokenizer again"
        )


def _check_template(template: Any, path: Path) -> None:
    named = isinstance(template, list) and all(
        isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("template"), str)
        for each in template
    )
    if not (template is None or isinstance(template, str) or named):
        raise UserError(f"{path}: chat_template is neither text nor a list of named texts; save the tokenizer again")


def _is_layers(key: str) -> bool:
    return (key.endswith("_layers") and not key.startswith("max_")) or key in ("n_layer", "n_layers")


def _is_count(key: str) -> bool:
    """Whether a setting says how many of something a net has. Nothing is built from positions."""
    return key.startswith(("num_", "n_")) and "position" not in key and "ctx" not in key


def _walk(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Every value of nested settings, with its key and where it is. Not recursive: a stranger chose the depth."""
    waiting: list[tuple[str, Any, str]] = [("", settings, "")]
    while waiting:
        key, value, place = waiting.pop()
        if place:
            yield key, value, place
        if isinstance(value, Mapping):
            waiting += [(name, inner, f"{place}.{name}" if place else name) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(key, inner, place) for inner in value]
