"""FLOP arithmetic: what a forward, an answer and a training row cost, from shapes alone. No torch.

A multiply and an add are two FLOPs. Attention is charged for the whole row, as the kernels compute it, clipped at a
sliding window. The tests hold these formulas to 1% of torch's own FlopCounterMode on both bundled architectures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# The order in which a layer's linear maps run. A map needs the gradient of its input only when something that trains
# runs before it, so the stage of the first trained map decides where the backward pass ends.
STAGES = ("qkv", "attention_out", "mlp_in", "mlp_out")
# The stage of a linear map, by the names that decoders give them.
STAGE_OF = {
    **dict.fromkeys(["q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "c_attn"], 0),
    **dict.fromkeys(["o_proj", "dense", "out_proj"], 1),
    **dict.fromkeys(["gate_proj", "up_proj", "gate_up_proj", "fc1", "dense_h_to_4h", "c_fc"], 2),
    **dict.fromkeys(["down_proj", "fc2", "dense_4h_to_h"], 3),
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a decoder that its FLOPs depend on.

    `stage_parameters` holds, for each of STAGES, the weights of one layer's linear maps; `windows` the sliding window
    of each layer (None where attention is full); `parameters` counts all weights, embeddings included.
    """

    hidden: int
    heads: int
    head_dim: int
    vocab: int
    context: int
    stage_parameters: tuple[int, int, int, int]
    windows: tuple[int | None, ...]
    parameters: int

    @property
    def layers(self) -> int:
        return len(self.windows)

    @property
    def body_parameters(self) -> int:
        """N: the weights of all linear maps in the layers."""
        return self.layers * sum(self.stage_parameters)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a run trains: how many parameters, and where the lowest of them sits (layer, stage).

    `everything` is a full fine-tune. `adapter_parameters` run beside the frozen maps, forward and backward. The
    backward pass multiplies with `adapter_gradients` values, by default twice as many as there are parameters.
    """

    adapter_parameters: int = 0
    adapter_gradients: int | None = None
    lowest_layer: int = 0
    lowest_stage: int = 0
    everything: bool = False


def attention_flops(shape: Shape, queries: int, keys: int, *, clip: bool = True, first_layer: int = 0) -> float:
    """Both matrix products of attention for one row: scores and mixing, 4 * queries * keys * heads * head_dim a layer.

    With a sliding window each query meets at most `window` keys; `clip=False` charges them all.
    """
    reach = sum(min(keys, window or keys) if clip else keys for window in shape.windows[first_layer:])
    return 4.0 * queries * reach * shape.heads * shape.head_dim


def forward_flops(
    shape: Shape, tokens: int, *, scored: int, cached: int = 0, adapter_parameters: int = 0, clip: bool = True
) -> float:
    """One row's forward: 2N per token, the vocabulary head on `scored` positions, attention over the row.

    `cached` tokens before the row are attended to but not computed. With `clip=False` sliding windows are charged in
    full, which is what a masked dense kernel executes.
    """
    body = 2.0 * (shape.body_parameters + adapter_parameters) * tokens
    head = 2.0 * shape.vocab * shape.hidden * scored
    return body + head + attention_flops(shape, tokens, cached + tokens, clip=clip)


def training_flops(
    shape: Shape,
    tokens: int,
    *,
    scored: int,
    trained: Trained,
    executed: bool = False,
    recomputed: bool = False,
) -> float:
    """One row's forward and backward.

    A full fine-tune costs three forwards (weights' and inputs' gradients, 2N each). With adapters the frozen maps have
    no weight gradient (4N in all, above the lowest adapter; 2N below it) and the adapters cost 6 a. Attention's
    backward is twice its forward; `executed` adds the recomputation of its scores that fused kernels do (2.5 times) and
    charges sliding windows in full. The head is frozen under adapters and trained (when tied) in a full fine-tune.
    `recomputed` adds what activation checkpointing runs a second time: the layers that have a backward, once more.
    """
    forward = forward_flops(
        shape, tokens, scored=scored, adapter_parameters=trained.adapter_parameters, clip=not executed
    )
    head = 2.0 * shape.vocab * shape.hidden * scored
    if trained.everything:
        backward = 2.0 * 2 * shape.body_parameters * tokens + 2 * head
        lowest_layer = 0
    else:
        above = (shape.layers - 1 - trained.lowest_layer) * sum(shape.stage_parameters)
        above += sum(shape.stage_parameters[trained.lowest_stage + 1 :])
        beside = trained.adapter_gradients
        if beside is None:
            beside = 2 * trained.adapter_parameters
        backward = 2.0 * (above + beside) * tokens + head
        lowest_layer = trained.lowest_layer
    # Adapters on a layer's output maps leave that layer's own attention without a backward.
    first_layer = lowest_layer if trained.everything or trained.lowest_stage == 0 else lowest_layer + 1
    attention = attention_flops(shape, tokens, tokens, clip=not executed, first_layer=first_layer)
    again = 0.0
    if recomputed:
        layers = shape.layers - lowest_layer
        again = 2.0 * (layers * sum(shape.stage_parameters) + trained.adapter_parameters) * tokens
        again += attention_flops(shape, tokens, tokens, clip=not executed, first_layer=lowest_layer)
    return forward + backward + again + (2.5 if executed else 2.0) * attention


def answer_flops(
    shape: Shape, *, prompt_tokens: int, option_tokens: Sequence[int], adapter_parameters: int = 0
) -> float:
    """Useful FLOPs of one multiple-choice answer: the prompt once, then each option after it.

    The last token of an option is predicted, never read, so a one-token option costs only its logit.
    """
    total = forward_flops(shape, prompt_tokens, scored=1, adapter_parameters=adapter_parameters)
    for length in option_tokens:
        if length > 1:
            total += forward_flops(
                shape, length - 1, scored=length - 1, cached=prompt_tokens, adapter_parameters=adapter_parameters
            )
    return total


def generation_flops(shape: Shape, *, prompt_tokens: int, new_tokens: int, adapter_parameters: int = 0) -> float:
    """Useful FLOPs of one generated answer: the prompt once, then a token at a time over a growing cache."""
    total = forward_flops(shape, prompt_tokens, scored=1, adapter_parameters=adapter_parameters)
    for step in range(1, new_tokens):
        total += forward_flops(
            shape, 1, scored=1, cached=prompt_tokens + step - 1, adapter_parameters=adapter_parameters
        )
    return total
