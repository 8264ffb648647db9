"""The parts of a Transformers net that the suite needs, whatever the architecture calls them."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from educe.eval.model.flops import STAGE_OF, STAGES, Shape


def base_net(net: nn.Module) -> Any:
    """The net itself, under any adapter wrapper."""
    # PEFT's wrappers alone have the method; their class takes seconds to import, and prompting needs none.
    unwrap = getattr(net, "get_base_model", None)
    return net if unwrap is None else unwrap()


def decoder_of(net: nn.Module) -> nn.Module:
    """The decoder without its vocabulary head."""
    decoder: nn.Module = base_net(net).get_decoder()
    return decoder


def layers_of(net: nn.Module) -> nn.ModuleList:
    """The decoder's layers, lowest first."""
    decoder: Any = decoder_of(net)
    layers: nn.ModuleList = decoder.layers if hasattr(decoder, "layers") else decoder.h
    return layers


def full_shape(weight: Tensor) -> Sequence[int]:
    """The shape of a whole weight, also where it is sharded over processes or packed in 4 bits."""
    packed = getattr(weight, "quant_state", None)
    shape: Sequence[int] = packed.shape if packed is not None else getattr(weight, "ds_shape", weight.shape)
    return shape


def shape_of(net: nn.Module) -> Shape:
    """Read the sizes that FLOPs depend on from a net's configuration and its linear maps.

    A linear map whose name is not in STAGE_OF counts as the layer's first stage, where its gradient costs most.
    """
    config = net.config.get_text_config()  # type: ignore[operator, union-attr]
    layers = config.num_hidden_layers
    stages = [0] * len(STAGES)
    # Only the decoder: the towers of a multimodal model do not read text.
    for name, module in decoder_of(net).named_modules():
        weight = getattr(module, "weight", None)
        in_layer = name.startswith(("layers.", "h."))
        size = full_shape(weight) if in_layer and weight is not None else ()
        if len(size) == 2 and not isinstance(module, nn.Embedding):
            stages[STAGE_OF.get(name.rsplit(".", 1)[-1], 0)] += math.prod(size)
    window = getattr(config, "sliding_window", None)
    default = "sliding_attention" if window else "full_attention"
    kinds = getattr(config, "layer_types", None) or [default] * layers
    return Shape(
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        vocab=config.vocab_size,
        context=config.max_position_embeddings,
        stage_parameters=tuple(total // layers for total in stages),
        windows=tuple(window if kind == "sliding_attention" else None for kind in kinds),
        parameters=sum(math.prod(full_shape(parameter)) for parameter in net.parameters()),
    )


@contextmanager
def patched_forward(module: nn.Module, forward: Any) -> Iterator[None]:
    """Replace the module's forward inside the block, and restore it afterwards, also after a failure."""
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
