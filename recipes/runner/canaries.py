"""The canaries of a run directory: what each model answered when the results in it were made."""

from collections.abc import Iterable, Mapping

from educe.eval.measurement import Measurement
from educe.eval.model.canary import checked
from educe.eval.model.model import Known, Model
from educe.recipes.runner.cell import Cell

# What a model was, by its identity and the dtype of its weights, in which it rounds.
Canaries = Mapping[tuple[str, str], Known]


def canaries_of(measurements: Iterable[Measurement]) -> Canaries:
    """The canaries of the models that these results were measured with, or whose labels they learned from."""
    found: dict[tuple[str, str], Known] = {}
    for each in measurements:
        made, labelled = each.provenance, each.details.demonstrator
        if made.model_canary:
            known = Known(fingerprint=made.model_fingerprint, canary=made.model_canary)
            found[made.model_identity, made.precision.weights] = known
        if labelled is not None and labelled.canary:  # loaded in the dtype of the model that learned
            known = Known(fingerprint=labelled.fingerprint, canary=labelled.canary)
            found[labelled.identity, made.precision.weights] = known
    return found


def check_model(cell: Cell, model: Model, earlier: Canaries) -> Model:
    """A cell's model, just loaded, with its canary. ModelChanged where earlier results were measured with another."""
    return checked(model, cell.source.identity, earlier)
