"""Loading a bundled model with every check, against hashing its files and then reading them by transformers alone.

Both nets must hold the same numbers. The canary is read after loading, once for each model of a study.

python -m tests.benchmarks loading
"""

from functools import partial
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from educe.eval.model.load import load_model
from educe.eval.model.weights import bundled_folder
from tests.benchmarks.pairs import GEMMA, SMOLLM2, Pair, paired

REPETITIONS = 5


def run() -> list[Pair]:
    """Seconds of loading each bundled model in float32."""
    pairs = []
    for name in (SMOLLM2, GEMMA):
        _plain(name), load_model(name, dtype="float32", device="cpu")
        pairs.append(
            paired(
                f"loading {name}",
                "hash, then transformers",
                lambda name=name: load_model(name, dtype="float32", device="cpu").net,  # type: ignore[misc]
                partial(_plain, name),
                same=_same,
                least=0.9,
                repetitions=REPETITIONS,
            )
        )
    return pairs


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
