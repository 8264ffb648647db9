"""The probe finds what is there and nothing where nothing is."""

import pytest
import torch

from educe.data.errors import UserError
from educe.data.tasks.arithmetic import arithmetic
from educe.data.tasks.word_sentiment import word_sentiment
from educe.eval.measure import measure
from educe.eval.model.encode import Branches
from educe.recipes.training.linear_probe import LinearProbe
from educe.train.probe import accuracy, fit_probe
from tests.nets import tiny


def items(count):
    return [Branches(prompt=(3,), options=((4,), (5,), (6,))) for _ in range(count)]


def states(answers, *, gap):
    """Two layers; in the second, right options lie `gap` away in one direction."""
    generator = torch.Generator().manual_seed(len(answers))
    values = torch.randn(2, 3 * len(answers), 8, generator=generator)
    for place, answer in enumerate(answers):
        values[1, 3 * place + answer, 0] += gap
    return values


def right(answers):
    return [place == answer for answer in answers for place in range(3)]


def test_a_direction_is_found_in_its_layer_and_not_in_the_other():
    learned, tested = [n % 3 for n in range(60)], [(n * 2) % 3 for n in range(90)]
    seen, unseen = states(learned, gap=6.0), states(tested, gap=6.0)
    probes = [fit_probe(seen, right(learned), layer, strength=0.01) for layer in (0, 1)]
    other, found = (accuracy(probe, unseen, items(90), tested) for probe in probes)
    assert found > 0.95
    assert 0.15 < other < 0.55


def test_the_recipe_charges_labels_and_reading_and_scores_through_the_probe():
    model, task = tiny(), word_sentiment()
    elicited = LinearProbe(dev_examples=6)(model, task, examples=10, seed=0)
    assert elicited.spend.labelled_examples == 16
    assert elicited.spend.train_flops > elicited.spend.search_flops > 0
    assert elicited.spend.trainable_parameters == 65
    answers = elicited.solver(model, task, elicited.prompt_fn, task.test_items(8))
    plain = measure(model, task, elicited.prompt_fn, task.test_items(8))
    assert [each.loglikelihoods for each in answers.outcomes] != [each.loglikelihoods for each in plain.outcomes]
    assert answers.flops_per_answer > 0


def test_a_task_without_options_and_a_layer_that_is_not_there_are_refused():
    with pytest.raises(UserError, match="no options to probe"):
        LinearProbe().check(arithmetic(), examples=4)
    with pytest.raises(UserError, match="has no layer 9; layers are 0 to 1"):
        LinearProbe(layer=9)(tiny(), word_sentiment(), examples=4, seed=0)
