"""What tests of pages and of what stands in them share."""

from pathlib import Path
from typing import Any

import pytest

from educe.data.writing import make_folder
from educe.eval.report import page


@pytest.fixture
def no_task_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages go without the figures of each task, which have tests of their own and take most of the time."""

    def nothing(_: Any, folder: Path, __: Any) -> list[Any]:
        make_folder(folder)
        return []

    monkeypatch.setattr(page, "draw_figures", nothing)
