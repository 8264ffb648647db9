"""Fine-tuning recipes by name: which change trains, and the settings whose defaults differ.

Every setting of the change and of FineTune can be set in a study: `{iid_sft: {rank: 4, epochs: 2}}`. A new entry here
is a new recipe. The changes are in train/changes/catalog.py. A description fits one line of `educe ls recipes`.
"""

from typing import Any

# Learning rates were chosen on dev rows; docs/log.md has the rates that were tried.
PRESETS: dict[str, dict[str, Any]] = {
    "iid_sft": {
        "change": {"lora": {}},
        "description": "Fine-tunes a LoRA adapter on labelled rows of the task.",
    },
    "minimal_lora": {
        "change": {"lora": {"rank": 1, "modules": ["v_proj"]}},
        "learning_rate": 1e-2,
        "description": "Fine-tunes a LoRA of rank 1 on the value maps alone.",
    },
    "sparse_lora": {
        "change": {"lora": {"trainable_parameters": 256}},
        "description": "Fine-tunes a few random parameters of a LoRA adapter.",
    },
    "norms_and_biases": {
        "change": {"norms_and_biases": {}},
        "learning_rate": 1e-3,
        "description": "Fine-tunes the gains of the norms and the biases.",
    },
    "ia3": {
        "change": {"ia3": {}},
        "learning_rate": 1e-2,
        "description": "Fine-tunes vectors that rescale activations (IA3).",
    },
    "prompt_tuning": {
        "change": {"soft_prompt": {}},
        "learning_rate": 1e-2,
        "description": "Fine-tunes vectors that are put before every prompt.",
    },
    "embedding_row": {
        "change": {"embedding_row": {}},
        "learning_rate": 1e-2,
        "description": "Fine-tunes the embedding of one token of the prompt.",
    },
    "steering_vector": {
        "change": {"steering_vector": {}},
        "learning_rate": 1e-2,
        "description": "Fine-tunes one vector that is added at one layer.",
    },
    "full_fine_tune": {
        "change": {"all_weights": {}},
        "learning_rate": 1e-5,
        "description": "Fine-tunes every weight.",
    },
}
