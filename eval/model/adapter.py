"""A saved PEFT adapter, merged into the weights of the model that it was trained on."""

import json
import warnings
from pathlib import Path

from peft import PeftModel
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from educe.data.errors import UserError
from educe.eval.model.source import Source


def merge_adapter(net: PreTrainedModel, source: Source) -> PreTrainedModel:
    """The net with the source's adapter merged. UserError where the adapter was made for another model."""
    kind, saved = _read_adapter(Path(source.adapter))
    if kind not in ("LORA", "IA3"):
        raise UserError(
            f"adapter {source.adapter} is of type {kind}, which cannot be merged; give a LORA or IA3 adapter"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about keys that do not fit, which is checked below
            wrapped = PeftModel.from_pretrained(net, source.adapter)
        expected = {name.replace(".default", "") for name, _ in wrapped.named_parameters() if ".default" in name}
        if expected != saved:
            raise ValueError(f"{len(expected ^ saved)} of its weights have no place")
        return wrapped.merge_and_unload()
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"adapter {source.adapter} does not fit model {source.name!r}: {' '.join(str(error).split())[:300]}; "
            "give the model that it was trained on"
        ) from error


def _read_adapter(folder: Path) -> tuple[str | None, set[str]]:
    """The type of an adapter and the names of its weights. UserError for files that cannot be read."""
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
        raise UserError(f"{weights} is corrupt ({error}); save the adapter again") from error
