"""Every kind of change by name, as a study writes it: `change: {ia3: {layers: [0]}}`."""

from educe.train.changes.kind import ChangeKind
from educe.train.changes.own_weights import AllWeights, NormsAndBiases
from educe.train.changes.peft import Ia3, Lora
from educe.train.changes.vectors import EmbeddingRow, SoftPrompt, SteeringVector

CHANGES: dict[str, type[ChangeKind]] = {
    "lora": Lora,
    "ia3": Ia3,
    "norms_and_biases": NormsAndBiases,
    "all_weights": AllWeights,
    "soft_prompt": SoftPrompt,
    "embedding_row": EmbeddingRow,
    "steering_vector": SteeringVector,
}
