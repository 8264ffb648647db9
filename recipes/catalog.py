"""Every recipe by name, and reading one from a study."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from educe.data.errors import UserError, did_you_mean
from educe.recipes.method import Method
from educe.recipes.prompting.calibrated import Calibrated
from educe.recipes.prompting.chain_of_thought import ChainOfThought
from educe.recipes.prompting.chosen_shots import ChosenShots
from educe.recipes.prompting.few_shot import FewShot
from educe.recipes.prompting.format_spread import FormatSpread
from educe.recipes.prompting.format_vote import FormatVote
from educe.recipes.prompting.generated import Generated
from educe.recipes.prompting.in_context_alignment import InContextAlignment
from educe.recipes.prompting.medprompt import Medprompt
from educe.recipes.prompting.nearest_shots import NearestShots
from educe.recipes.prompting.order_vote import OrderVote
from educe.recipes.prompting.prompt_eval import PromptEval
from educe.recipes.prompting.prompt_search import PromptSearch
from educe.recipes.prompting.self_consistency import SelfConsistency
from educe.recipes.prompting.tree_of_thought import TreeOfThought
from educe.recipes.prompting.zero_shot import ZeroShot
from educe.recipes.training.anti_refusal_sft import AntiRefusalSft
from educe.recipes.training.description_length import DescriptionLength
from educe.recipes.training.embedding_row import EmbeddingRowTuning
from educe.recipes.training.expert_iteration import ExpertIteration
from educe.recipes.training.full_fine_tune import FullFineTune
from educe.recipes.training.grpo import Grpo
from educe.recipes.training.helpful_dpo import HelpfulDpo
from educe.recipes.training.helpful_sft import HelpfulSft
from educe.recipes.training.ia3 import Ia3Tuning
from educe.recipes.training.iid_sft import IidSft
from educe.recipes.training.linear_probe import LinearProbe
from educe.recipes.training.mean_difference import MeanDifference
from educe.recipes.training.minimal_lora import MinimalLora
from educe.recipes.training.norms_and_biases import NormsAndBiasesTuning
from educe.recipes.training.prompt_tuning import PromptTuning
from educe.recipes.training.sparse_lora import SparseLora
from educe.recipes.training.stacked import Stacked
from educe.recipes.training.steering_vector import SteeringVectorTuning

METHODS: dict[str, type[Method]] = {
    "zero_shot": ZeroShot,
    "few_shot": FewShot,
    "chain_of_thought": ChainOfThought,
    "self_consistency": SelfConsistency,
    "calibrated": Calibrated,
    "generated": Generated,
    "chosen_shots": ChosenShots,
    "nearest_shots": NearestShots,
    "in_context_alignment": InContextAlignment,
    "medprompt": Medprompt,
    "tree_of_thought": TreeOfThought,
    "order_vote": OrderVote,
    "format_vote": FormatVote,
    "prompt_eval": PromptEval,
    "format_spread": FormatSpread,
    "prompt_search": PromptSearch,
    "iid_sft": IidSft,
    "minimal_lora": MinimalLora,
    "sparse_lora": SparseLora,
    "norms_and_biases": NormsAndBiasesTuning,
    "ia3": Ia3Tuning,
    "prompt_tuning": PromptTuning,
    "embedding_row": EmbeddingRowTuning,
    "steering_vector": SteeringVectorTuning,
    "mean_difference": MeanDifference,
    "full_fine_tune": FullFineTune,
    "linear_probe": LinearProbe,
    "description_length": DescriptionLength,
    "expert_iteration": ExpertIteration,
    "grpo": Grpo,
    "helpful_sft": HelpfulSft,
    "anti_refusal_sft": AntiRefusalSft,
    "helpful_dpo": HelpfulDpo,
    "stacked": Stacked,
}


def make_method(spec: str | Mapping[str, Mapping[str, Any] | None]) -> tuple[str, Method]:
    """Read a recipe as a study names it: `zero_shot`, or `{few_shot: {shots: 8}}`; its name and its settings.

    UserError for an unknown recipe or setting, with the nearest right name, and for a value that does not fit.
    """
    if isinstance(spec, str):
        spec = {spec: None}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(f"recipe {spec!r} should be one name with its settings, as in {{few_shot: {{shots: 8}}}}")
    ((name, settings),) = spec.items()
    if name not in METHODS:
        raise UserError(f"unknown recipe {name!r}; {did_you_mean(str(name), METHODS)}")
    if not isinstance(settings, Mapping | None):
        raise UserError(f"recipe {name!r}: settings {settings!r} should be a mapping, as in {{{name}: {{key: value}}}}")
    try:
        # Recipes that are made of others read these by name.
        return name, METHODS[name].model_validate(settings or {}, context={"make_method": make_method})
    except ValidationError as error:
        raise UserError(explain(error, what=f"recipe {name!r}", known=METHODS[name].model_fields)) from error


def explain(error: ValidationError, *, what: str, known: Mapping[str, Any]) -> str:
    """The first fault that pydantic found, as one line with the fix."""
    faults = error.errors()
    if not faults[0]["loc"]:  # found by a check of the whole, which says all there is to say
        return f"{what}: {faults[0]['msg'].removeprefix('Value error, ')}"
    field = str(faults[0]["loc"][0])
    # Where a value may be one thing or another, pydantic lists a fault for each: the deepest comes closest.
    fault = max((each for each in faults if each["loc"][0] == field), key=lambda each: len(each["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{what} has no key {field!r}; {did_you_mean(field, known)}"
    if fault["type"] == "missing":
        return f"{what} lacks the key {field!r}; add it"
    place = ".".join([field, *(str(part) for part in fault["loc"] if isinstance(part, int))])
    if fault["type"] == "too_short":
        return f"{what}: {place} is empty; list at least one"
    if fault["type"] == "greater_than_equal":
        return f"{what}: {place} = {fault['input']!r} is too small; give {fault['ctx']['ge']} or more"
    if fault["type"] == "string_pattern_mismatch":
        return f"{what}: {place} = {fault['input']!r} does not fit; write {known[field].description}"
    message = fault["msg"][0].lower() + fault["msg"][1:].replace("dictionary", "mapping")
    return f"{what}: {place} = {fault['input']!r} does not fit: {message.replace('tuple', 'list')}"
