"""What tests of pages and of what stands in them share."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.writing import make_folder
from educe.eval.report import page


@pytest.fixture
def no_task_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages go without the figures of each task, which have tests of their own and take most of the time."""
    leave_out_task_figures(monkeypatch)


def leave_out_task_figures(patch: pytest.MonkeyPatch) -> None:
    """The same for as long as the patch lasts."""

    def nothing(_: Any, folder: Path, __: Any) -> list[Any]:
        make_folder(folder)
        return []

    patch.setattr(page, "draw_figures", nothing)
