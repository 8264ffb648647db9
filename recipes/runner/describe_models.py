"""What the models of a study are, for a person to check before a run, as far as nothing is loaded or fetched."""

from collections.abc import Sequence

from educe.data.display import visible
from educe.data.errors import Mistakes
from educe.eval.model.outline import Outline, outline
from educe.eval.model.source import Source
from educe.recipes.runner.cell import Cell


def outlines(cells: Sequence[Cell]) -> dict[str, Outline]:
    """Every model of these cells by name, those that give labels included. UserErrors with a line a faulty one."""
    found, made = Mistakes(), {}
    sources: dict[str, Source] = {cell.source.name: cell.source for cell in cells}
    for cell in cells:
        labels = cell.method.workload(cell.recipe_task, cell.examples).demonstrator
        if labels is not None:
            sources.setdefault(labels.name, labels)
    for name, source in sources.items():
        with found.collecting():
            made[name] = outline(source)
    found.check()
    return made


def describe_model(name: str, made: Outline) -> str:
    """One line about a model."""
    return f"model {visible(name)}: {f'{made.kind}; ' if made.kind else ''}{made.found}"
