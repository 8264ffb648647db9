"""The canaries of a run directory: what each model answered when the results in it were measured."""

from collections.abc import Iterable, Mapping

from educe.eval.measurement import Measurement
from educe.eval.model.canary import check_canary, with_canary
from educe.eval.model.model import Model
from educe.recipes.runner.cell import Cell

# By identity of the model and dtype of its weights, in which it rounds.
Canaries = Mapping[tuple[str, str], tuple[float, ...]]


def canaries_of(measurements: Iterable[Measurement]) -> Canaries:
    """The canaries of the models of these results."""
    made = [each.provenance for each in measurements]
    return {(each.model_identity, each.precision.weights): each.model_canary for each in made if each.model_canary}


def check_model(cell: Cell, model: Model, earlier: Canaries) -> Model:
    """A cell's model, just loaded, with its canary. ModelChanged where earlier results were measured with another."""
    model = with_canary(model)
    if known := earlier.get((cell.source.identity, model.dtype)):
        check_canary(model, known)
    return model
