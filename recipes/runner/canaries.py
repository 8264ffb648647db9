"""The canaries of a run directory: what each model answered when the results in it were measured."""

from collections.abc import Iterable, Mapping

from educe.eval.measurement import Measurement, Provenance
from educe.eval.model.canary import check_canary, check_fingerprint, with_canary
from educe.eval.model.model import Model
from educe.recipes.runner.cell import Cell

# What a model was, by its identity and the dtype of its weights, in which it rounds.
Canaries = Mapping[tuple[str, str], Provenance]


def canaries_of(measurements: Iterable[Measurement]) -> Canaries:
    """The canaries of the models of these results."""
    made = [each.provenance for each in measurements]
    return {(each.model_identity, each.precision.weights): each for each in made if each.model_canary}


def check_model(cell: Cell, model: Model, earlier: Canaries) -> Model:
    """A cell's model, just loaded, with its canary. ModelChanged where earlier results were measured with another."""
    model = with_canary(model)
    if known := earlier.get((cell.source.identity, model.dtype)):
        check_fingerprint(model, known.model_fingerprint)
        check_canary(model, known.model_canary)
    return model
