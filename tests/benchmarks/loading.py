"""Loading a model with every check, against hashing its files and then reading them by transformers alone.

Then what two checks cost, each against the same load without it: whether a folder's weights are whole, and the canary,
which is read once for each model of a study. All nets must hold the same numbers.

python -m tests.benchmarks loading
"""

from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from educe.eval.model.canary import with_canary
from educe.eval.model.load import load_model
from educe.eval.model.weights import bundled_folder
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, paired

REPETITIONS = 7


def run() -> list[Pair]:
    """Seconds of loading each bundled model in float32."""
    pairs = []
    for name in (SMOLLM2, GEMMA):
        folder = f"path:{bundled_folder(name)}"
        _plain(name), _load(name)
        for work, against, ours, theirs in (
            ("loading {}", "hash, then transformers", partial(_load, name), partial(_plain, name)),
            ("loading {} as a folder", "without its completeness", partial(_load, folder), partial(_trusting, folder)),
            ("loading {} with its canary", "without", partial(_load_with_canary, name), partial(_load, name)),
        ):
            pairs.append(
                paired(work.format(name), against, ours, theirs, same=_same, least=0.9, repetitions=REPETITIONS)
            )
    return pairs


def _load(spec: str) -> Any:
    return load_model(spec, dtype="float32", device="cpu").net


def _load_with_canary(spec: str) -> Any:
    return with_canary(load_model(spec, dtype="float32", device="cpu")).net


def _trusting(spec: str) -> Any:
    with patch("educe.eval.model.load.check_complete"):
        return _load(spec)


def _plain(name: str) -> Any:
    folder = bundled_folder(name)  # hashes every file
    AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, attn_implementation="sdpa", dtype=torch.float32
    ).eval()


def _same(ours: Any, theirs: Any) -> None:
    held = dict(theirs.named_parameters())
    assert held.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, held[name]), name
