"""Every recipe by name, and reading one from a study.

A recipe is imported when it is made, so that listing the recipes loads no torch. A description is one sentence that
fits the lines of `educe ls recipes`. A study may also name a class of the user's own file, or one that an installed
package adds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import isabstract
from typing import TYPE_CHECKING, Any

from educe.data.errors import UserError, did_you_mean
from educe.data.own import Own, installed, is_own, load_installed, load_own
from educe.data.validation import check_name
from educe.recipes.sets import TRAIN_ON_LABELS, refuse_set
from educe.recipes.training.presets import PRESETS

if TYPE_CHECKING:  # it loads torch
    from educe.recipes.method import Method

Spec = str | dict[str, dict[str, Any] | None]
GROUP = "educe.recipes"
_METHOD = "no recipe; derive it from educe.recipes.method.Method, and give it a __call__"


@dataclass(frozen=True)
class Recipe:
    """Where a recipe's class is, below educe.recipes, what it does, and whether it is always a control."""

    target: str
    description: str
    control: bool = False

    def load(self) -> "type[Method]":
        module, _, name = self.target.rpartition(".")
        kind: type[Method] = getattr(import_module(f"educe.recipes.{module}"), name)
        return kind


RECIPES: dict[str, Recipe] = {
    "zero_shot": Recipe("prompting.zero_shot.ZeroShot", "Prompts with the question alone: the baseline."),
    "few_shot": Recipe("prompting.few_shot.FewShot", "Prompts with random demonstrations."),
    "chain_of_thought": Recipe("prompting.chain_of_thought.ChainOfThought", "Lets the model reason before it answers."),
    "self_consistency": Recipe(
        "prompting.self_consistency.SelfConsistency", "Lets several sampled chains of thought vote."
    ),
    "calibrated": Recipe("prompting.calibrated.Calibrated", "Subtracts the prior of each option from its score."),
    "generated": Recipe("prompting.generated.Generated", "Grades the text that the model writes."),
    "chosen_shots": Recipe("prompting.chosen_shots.ChosenShots", "Prompts with the best of several sets of shots."),
    "nearest_shots": Recipe("prompting.nearest_shots.NearestShots", "Prompts with the examples nearest to a question."),
    "in_context_alignment": Recipe(
        "prompting.in_context_alignment.InContextAlignment", "Prompts with dialogues of a helpful assistant."
    ),
    "medprompt": Recipe("prompting.medprompt.Medprompt", "Votes after nearest shots that reason, over option orders."),
    "tree_of_thought": Recipe("prompting.tree_of_thought.TreeOfThought", "Searches a tree of lines of reasoning."),
    "order_vote": Recipe("prompting.order_vote.OrderVote", "Lets several orders of the options vote."),
    "format_vote": Recipe("prompting.format_vote.FormatVote", "Lets several prompt formats vote."),
    "prompt_eval": Recipe("prompting.prompt_eval.PromptEval", "Estimates the accuracies in many prompt formats."),
    "format_spread": Recipe("prompting.format_spread.FormatSpread", "Searches the best and the worst prompt format."),
    "weight_noise": Recipe("prompting.weight_noise.WeightNoise", "Prompts with the noise in the weights that suits."),
    "sandbagging_signals": Recipe(
        "prompting.sandbagging_signals.SandbaggingSignals", "Measures what holding back might change."
    ),
    "pressure": Recipe("prompting.pressure.Pressure", "Counts answers that pressure turns against a belief."),
    "confidence": Recipe("prompting.confidence.Confidence", "Reads in several ways how sure the model is."),
    "disclosures": Recipe("prompting.disclosures.Disclosures", "Shows dialogues in which secrets are told."),
    "logit_lens": Recipe("prompting.logit_lens.LogitLens", "Reads the answer as if the net ended in an earlier layer."),
    "unrelated_questions": Recipe(
        "prompting.unrelated_questions.UnrelatedQuestions", "Tells a lie by the answers to unrelated questions."
    ),
    "evasions": Recipe("prompting.evasions.EvasionCounts", "Counts what a model does when asked for its secret."),
    "diversity": Recipe("prompting.diversity.Diversity", "Counts the different right answers among samples."),
    "wrong_shots": Recipe("prompting.wrong_shots.WrongShots", "Shows demonstrations of which some are wrong."),
    "prompt_search": Recipe("prompting.prompt_search.PromptSearch", "Searches the best prompt on dev rows."),
    **{name: Recipe("training.fine_tune.FineTune", preset["description"]) for name, preset in PRESETS.items()},
    "fine_tune": Recipe("training.fine_tune.FineTune", "Fine-tunes any kind of change, as its setting says."),
    "mean_difference": Recipe(
        "training.mean_difference.MeanDifference", "Adds what shots add to a layer's states, on average."
    ),
    "linear_probe": Recipe("training.linear_probe.LinearProbe", "Reads the answer from hidden states, with a probe."),
    "description_length": Recipe(
        "training.description_length.DescriptionLength", "Measures the bits that labels hold for the model."
    ),
    "stated_confidence": Recipe(
        "training.stated_confidence.StatedConfidence", "Teaches the model to state how often it is right."
    ),
    "expert_iteration": Recipe(
        "training.expert_iteration.ExpertIteration", "Fine-tunes on the model's own right answers."
    ),
    "grpo": Recipe("training.grpo.Grpo", "Trains by rewards for right answers (GRPO)."),
    "helpful_sft": Recipe("training.helpful.HelpfulSft", "Fine-tunes on helpful answers to other requests."),
    "anti_refusal_sft": Recipe("training.helpful.HelpfulSft", "Fine-tunes on answers to requests that sound alarming."),
    "helpful_dpo": Recipe("training.helpful.HelpfulDpo", "Trains to prefer helpful answers to refusals (DPO)."),
    "ngrams": Recipe("training.ngrams.Ngrams", "Learns from the rows alone, as n-grams: a control.", control=True),
    "chain": Recipe("training.chain.Chain", "Trains in stages, each from where the last one ended."),
    "stacked": Recipe("training.stacked.Stacked", "Trains with one recipe and prompts with another."),
}


def make_method(spec: str | Mapping[str, Mapping[str, Any] | None]) -> "tuple[str, Method]":
    """Read a recipe as a study names it: `zero_shot`, or `{few_shot: {shots: 8}}`; its name and its settings.

    UserError for an unknown recipe or setting, with the nearest right name, and for a value that does not fit.
    """
    if isinstance(spec, str):
        spec = {spec: None}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(f"recipe {spec!r} should be one name with its settings, as in {{few_shot: {{shots: 8}}}}")
    ((name, settings),) = spec.items()
    refuse_set(str(name))
    if not isinstance(settings, Mapping | None):
        raise UserError(f"recipe {name!r}: settings {settings!r} should be a mapping, as in {{{name}: {{key: value}}}}")
    name, kind = find_recipe(str(name))
    method = kind.read(name, settings or {})
    if kind.source_sha256 and method.settings().get("source_sha256") != kind.source_sha256:
        raise UserError(
            f"recipe {name!r}: its settings() leaves out what identifies it; return super().settings() | {{...}}"
        )
    return name, method


def find_recipe(written: str) -> "tuple[str, type[Method]]":
    """The name that results have a recipe under, and its class; of the user's own file, the name without the folder.

    UserError for an unknown name, with the nearest right one, and for a file or package that defines no such recipe.
    """
    if written in RECIPES:
        return written, RECIPES[written].load()
    if is_own(written):
        own = load_own(written, what="recipe", noun="class", fits=_is_recipe, should=_METHOD)
        check_name(f"recipe {written!r}", own.name)
        return own.name, _identified(own)
    entries = installed(GROUP)
    if written not in entries:
        raise UserError(f"unknown recipe {written!r}; {did_you_mean(written, [*RECIPES, *entries])}")
    return written, _identified(load_installed(entries[written], what="recipe", fits=_is_recipe, should=_METHOD))


def _identified(own: Own) -> "type[Method]":
    kind: type[Method] = own.value
    kind.source_sha256 = own.sha256
    return kind


def _is_recipe(value: Any) -> bool:
    method = import_module("educe.recipes.method").Method
    return isinstance(value, type) and issubclass(value, method) and not isabstract(value)


def is_control(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a recipe with the settings of a cell is a control, without loading it.

    A stack is what it trains with, and a chain is a control where one of its stages is.
    """
    trains = [settings.get("train"), *(settings.get("stages") or ())]
    parts = [part for each in trains if isinstance(each, Mapping) for part in each.items()]
    if parts:
        return any(is_control(first, own) for first, own in parts)
    if name in RECIPES and RECIPES[name].control:
        return True
    at_random = name in TRAIN_ON_LABELS and settings.get("random_labels") == 1
    return settings.get("random_init") is True or settings.get("reward", "correct") != "correct" or at_random
