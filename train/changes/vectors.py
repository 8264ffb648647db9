"""Changes of a few vectors beside the weights: a token's embedding, a soft prompt, a steering vector."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

from educe.data.errors import UserError
from educe.eval.model.flops import Trained
from educe.eval.model.model import Change, Model
from educe.eval.model.net import base_net, layers_of, patched_forward
from educe.eval.model.sharded import refuse_sharded
from educe.train.attach import cleanup_stack
from educe.train.changes.kind import ChangeKind
from educe.train.changes.layers import check_layers
from educe.train.changes.own_weights import save_weights

EMBEDDINGS = Trained(lowest_layer=-1, lowest_stage=3)  # something trains before all the layers: they all pass gradients


class SteeringVector(ChangeKind):
    """One vector, added to the output of a layer at every token. Without `layer`, the middle one."""

    layer: int | None = Field(default=None, ge=0)

    def attach(self, model: Model, *, seed: int) -> Change:
        """It starts at zero, so the seed changes nothing. UserError for a layer that the model does not have."""
        layer = model.shape.layers // 2 if self.layer is None else self.layer
        check_layers(model, [layer])
        vector = _zeros(model, model.shape.hidden)
        hook = layers_of(model.net)[layer].register_forward_hook(lambda *called: _plus(called[-1], vector))
        cleanup_stack(model).callback(hook.remove)
        trained = {f"steering.{layer}": vector}
        part = Trained(lowest_layer=layer, lowest_stage=3)
        return Change(trained=trained, part=part, save=partial(save_weights, trained, "steering vector"))


class EmbeddingRow(ChangeKind):
    """A vector added to one token's embedding, where it is read; the vocabulary head keeps the row as it was.

    `token` is a text of one token, or its id. Without it, the last token of every prompt.
    """

    token: str | int | None = None

    def for_prompts(self, model: Model, first_prompt: Callable[[], Sequence[int]]) -> "EmbeddingRow":
        """With the id of the token. UserError where it is not one token of the model, or not in the prompt."""
        prompt = first_prompt()
        if self.token is None:
            return EmbeddingRow(token=prompt[-1])
        ids = [self.token]
        if isinstance(self.token, str):
            ids = model.tokenizer(self.token, add_special_tokens=False).input_ids
        if len(ids) != 1:
            raise UserError(f"token {self.token!r} is {len(ids)} tokens of {model.name!r}; give a text of one")
        if ids[0] not in prompt:
            raise UserError(
                f"token {self.token!r} is not in the task's first prompt, so its embedding would not be read; give one"
                " that is in every prompt"
            )
        return EmbeddingRow(token=ids[0])

    def attach(self, model: Model, *, seed: int) -> Change:
        """It starts at zero, so the seed changes nothing."""
        token = self.token
        assert isinstance(token, int), "for_prompts gives the token's id"
        row = _zeros(model, model.shape.hidden)

        def embed(plain: Callable[[Tensor], Tensor], read: Tensor) -> Tensor:
            known = plain(read)
            return known + torch.eq(read, token)[..., None] * row.to(known.dtype)

        _patch_embedding(model, embed)
        trained = {f"embedding.{token}": row}
        return Change(trained=trained, part=EMBEDDINGS, save=partial(save_weights, trained, "embedding row"))


class SoftPrompt(ChangeKind):
    """Prompt tuning: `length` trained vectors are put before every text. Saved in PEFT's format.

    They start as the embeddings of tokens drawn with the seed. Their ids lie beyond the vocabulary.
    """

    size_settings: ClassVar[tuple[str, ...]] = ("length",)

    length: int = Field(default=8, ge=1)

    def attach(self, model: Model, *, seed: int) -> Change:
        """Anything of the vocabulary may be drawn."""
        refuse_sharded(model.net, "a soft prompt")
        embedding = base_net(model.net).get_input_embeddings()
        vocabulary = embedding.weight.shape[0]
        drawn = torch.randint(vocabulary, (self.length,), generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            vectors = nn.Parameter(embedding(drawn.to(model.device)).float())

        def embed(plain: Callable[[Tensor], Tensor], read: Tensor) -> Tensor:
            known = plain(read.clamp(max=vocabulary - 1))
            soft = vectors[(read - vocabulary).clamp(min=0)].to(known.dtype)
            return torch.where((read >= vocabulary)[..., None], soft, known)

        _patch_embedding(model, embed)
        prefix = tuple(range(vocabulary, vocabulary + self.length))
        trained = {"prompt_embeddings": vectors}
        return Change(trained=trained, part=EMBEDDINGS, prefix=prefix, save=partial(_save_prompt, model, vectors))


def _zeros(model: Model, size: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(size, device=model.device))


def _plus(states: Any, vector: Tensor) -> Any:
    """The layer's states and the vector; some decoders' layers hand on a tuple that begins with the states."""
    if isinstance(states, tuple):
        return (states[0] + vector.to(states[0].dtype), *states[1:])
    return states + vector.to(states.dtype)


def _patch_embedding(model: Model, embed: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> None:
    embedding = base_net(model.net).get_input_embeddings()
    cleanup_stack(model).enter_context(patched_forward(embedding, partial(embed, embedding.forward)))


def _save_prompt(model: Model, vectors: nn.Parameter, folder: Path) -> None:
    from peft import PromptTuningConfig

    save_file({"prompt_embeddings": vectors.detach().contiguous()}, folder / "adapter_model.safetensors")
    PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=len(vectors),
        token_dim=model.shape.hidden,
        num_transformer_submodules=1,
        num_attention_heads=model.shape.heads,
        num_layers=model.shape.layers,
        inference_mode=True,
    ).save_pretrained(str(folder))
