"""educe: how much capability a language model shows per FLOP and per labelled example, by elicitation method.

import educe

study = educe.Study.read("study.yaml")
results = educe.run(study, "runs/mine")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from educe.data.task import Task
    from educe.eval.model.model import Model
    from educe.recipes.runner.results import load_results
    from educe.recipes.runner.run_study import run_study as run
    from educe.recipes.runner.study import Study

__all__ = ["Model", "Study", "Task", "load_results", "run"]

# Loaded when first used, so that `import educe` takes no time and no torch.
_ORIGINS = {
    "Model": ("educe.eval.model.model", "Model"),
    "Study": ("educe.recipes.runner.study", "Study"),
    "Task": ("educe.data.task", "Task"),
    "load_results": ("educe.recipes.runner.results", "load_results"),
    "run": ("educe.recipes.runner.run_study", "run_study"),
}


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module 'educe' has no attribute {name!r}")
    module, attribute = _ORIGINS[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
