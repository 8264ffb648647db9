"""A saved PEFT adapter, merged into the weights of the model that it was trained on."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from educe.data.errors import UserError, one_line
from educe.eval.model.complete import declared_tensors
from educe.eval.model.files import only, read_mapping
from educe.eval.model.source import ADAPTER_FILES, Source

# Settings of PEFT that would import a module, change the model's own weights before the adapter's are read, or repeat
# its layers; what an adapter does not have is null, false or true.
_PLAIN = (
    "auto_mapping",
    "corda_config",
    "eva_config",
    "init_lora_weights",
    "layer_replication",
    "loftq_config",
    "megatron_config",
    "runtime_config",
)
# Settings that PEFT reads as regular expressions.
_PATTERNS = ("target_modules", "exclude_modules", "layers_pattern", "feedforward_modules")
_PATTERN_TABLES = ("rank_pattern", "alpha_pattern")
_NAME = re.compile(r"\^?[\w.-]+")


def merge_adapter(net: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The net with the source's adapter merged. UserError where the adapter was made for another model."""
    folder = Path(source.adapter)
    files = [folder / name for name in ADAPTER_FILES]
    settings = read_mapping(files[0])
    kind = settings.get("peft_type")
    if kind not in ("LORA", "IA3"):
        raise UserError(f"adapter {folder} is of type {kind}, which cannot be merged; give a LORA or IA3 adapter")
    tensors = declared_tensors(files[1:])
    _check_settings(settings, files[0], tensors)
    what, fix = f"adapter {folder} does not fit model {source.name!r}", "give the model that it was trained on"
    with only(files, root=folder) as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about keys that do not fit, which is checked below
        with one_line(what, fix, hide=str(place)):
            wrapped = PeftModel.from_pretrained(net, str(place), local_files_only=True)
    expected = {name.replace(".default", "") for name, _ in wrapped.named_parameters() if ".default" in name}
    if expected != set(tensors):
        raise UserError(f"{what}: {len(expected ^ set(tensors))} of its weights have no place or are missing; {fix}")
    with one_line(what, fix):
        return wrapped.merge_and_unload()


def _check_settings(settings: Mapping[str, Any], path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """UserError for settings that do more than describe the adapter's own weights."""
    for key in _PLAIN:
        if settings.get(key) not in (None, True, False, {}, "gaussian"):
            raise UserError(f"{path}: {key}: {settings[key]!r} is not supported; merge the adapter with PEFT")
    for key in _PATTERNS:
        value = settings.get(key)
        names = value if isinstance(value, list) else [] if value in (None, "all-linear") else [value]
        _check_names(names, key, path)
    for key in _PATTERN_TABLES:
        table = settings.get(key) or {}
        if not isinstance(table, dict):
            raise UserError(f"{path}: {key}: {table!r} is no mapping; save the adapter again")
        _check_names(list(table), key, path)
    largest = max((max(tensor.shape, default=0) for tensor in tensors.values()), default=0)
    for rank in [settings.get("r"), *(settings.get("rank_pattern") or {}).values()]:
        if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or not 0 < rank <= largest):
            raise UserError(f"{path}: a rank of {rank!r} is none that its weights have; save the adapter again")


def _check_names(names: list[Any], key: str, path: Path) -> None:
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(f"{path}: {key}: {name!r} is no module's name (patterns are not read); list the names")
