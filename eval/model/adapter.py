"""A saved PEFT adapter, merged into the weights of the model that it was trained on."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from educe.data.errors import UserError, one_line
from educe.eval.model.certificate import ADAPTER_FILES
from educe.eval.model.complete import declared_tensors
from educe.eval.model.files import only, read_mapping
from educe.eval.model.sharded import nothing_sharded

# What is read of an adapter's settings, by its type. Any other has to be absent or to say nothing: some import a
# module, change the model's own weights or repeat its layers, and each version of PEFT has more of them.
_COMMON = (
    "base_model_name_or_path",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "peft_type",
    "peft_version",
    "revision",
    "target_modules",
    "task_type",
)
_LORA = (
    "alpha_pattern",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "r",
    "rank_pattern",
    "use_rslora",
)
_READ = {"LORA": (*_COMMON, *_LORA), "IA3": (*_COMMON, "feedforward_modules", "init_ia3_weights")}
# What PEFT writes where a setting that is not read was left alone.
_DEFAULTS: Mapping[str, Any] = {"bias": "none", "megatron_core": "megatron.core", "qalora_group_size": 16}
_LIMITED = {"task_type": (None, "CAUSAL_LM"), "init_lora_weights": (None, True, False, "gaussian")}
# Settings that PEFT reads as regular expressions.
_PATTERNS = ("target_modules", "exclude_modules", "layers_pattern", "feedforward_modules")
_PATTERN_TABLES = ("rank_pattern", "alpha_pattern")
_NAME = re.compile(r"\^?[\w.-]+")


def merge_adapter(net: PreTrainedModel, folder: Path, *, name: str) -> PreTrainedModel:
    """The net, called `name`, with the adapter in a folder merged. UserError where it was made for another model."""
    from peft import PeftModel

    files = [folder / name for name in ADAPTER_FILES]
    settings = read_mapping(files[0])
    kind = settings.get("peft_type")
    if not isinstance(kind, str) or kind not in _READ:
        raise UserError(f"adapter {folder} is of type {kind}, which cannot be merged; give a LORA or IA3 adapter")
    tensors = declared_tensors(files[1:])
    _check_settings(settings, files[0])
    what, fix = f"adapter {folder} does not fit model {name!r}", "give the model that it was trained on"
    with only(files, root=folder) as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about keys that do not fit, which are found here
        with one_line(what, fix, hide=str(place)):
            expected = _expected_shapes(net, place)
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if wrong := dict(expected.items() ^ found.items()):
            first = f"{len(wrong)} of its weights ({min(wrong)!r} first)"
            raise UserError(f"{what}: {first} have no place, are missing or have another shape; {fix}")
        with one_line(what, fix, hide=str(place)):
            return PeftModel.from_pretrained(net, str(place), local_files_only=True).merge_and_unload()


def _expected_shapes(net: PreTrainedModel, place: Path) -> Mapping[str, torch.Size]:
    """The weights that PEFT will make for this net, by their names in the file; found without memory."""
    from peft import PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(place))
    with nothing_sharded(), torch.device("meta"), no_init_weights():
        empty = PeftModel(type(net)(net.config), config, low_cpu_mem_usage=True)
    made = {name: value.shape for name, value in empty.named_parameters() if ".default" in name}
    return {name.replace(".default", ""): shape for name, shape in made.items()}


def _check_settings(settings: Mapping[str, Any], path: Path) -> None:
    """UserError for settings that do more than describe the adapter's own weights."""
    for key, value in settings.items():
        read = key in _READ[settings["peft_type"]] and (key not in _LIMITED or value in _LIMITED[key])
        if not read and value not in (None, False, {}, []) and value != _DEFAULTS.get(key):
            raise UserError(f"{path}: {key}: {value!r} is not supported; merge the adapter with PEFT")
    for key in _PATTERNS:
        value = settings.get(key)
        names = value if isinstance(value, list) else [] if value in (None, "all-linear") else [value]
        _check_names(names, key, path)
    for key in _PATTERN_TABLES:
        table = settings.get(key) or {}
        if not isinstance(table, dict):
            raise UserError(f"{path}: {key}: {table!r} is no mapping; save the adapter again")
        _check_names(list(table), key, path)


def _check_names(names: list[Any], key: str, path: Path) -> None:
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(f"{path}: {key}: {name!r} is no module's name (patterns are not read); list the names")
