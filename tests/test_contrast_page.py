"""Pages of contrasts: each study of docs/questions.md has its rows, its figure and its tables, from the kept rows."""

from pathlib import Path

import pandas as pd
import pytest

from educe.eval.analysis.conditions import pool
from tests import contrast_page
from tests.contrast_page import CONTRASTS
from tests.eval.analysis.test_secrets import world
from tests.recipes.small import no_figures, run_cli, study_file

RECIPES = [
    "zero_shot",
    {"wrong_shots": {"shots": 2, "wrong": 0}},
    {"wrong_shots": {"shots": 2, "wrong": 1}},
    "pressure",
    "confidence",
    {"zero_shot": {"template": "native"}},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contrasts")
    with pytest.MonkeyPatch.context() as patch:
        no_figures(patch)
        study = study_file(folder, tasks=["capitals"], recipes=RECIPES, seeds=[0, 1], test_items=12)
        assert run_cli("run", study, "--out", folder / "run") == 0
    return folder / "run"


@pytest.mark.parametrize(
    ("name", "rows"), [("prompt_errors", 1), ("pressure", 4), ("confidence", 3), ("native_format", 1)]
)
def test_a_page_is_made_of_a_run(name: str, rows: int, run: Path, tmp_path: Path) -> None:
    frame = contrast_page.points(name, [run])
    if name == "pressure" and frame.empty:
        pytest.skip("the random model has no two items with a belief")
    assert len(frame) == rows and (frame["low"] <= frame["value"]).all() and (frame["value"] <= frame["high"]).all()
    frame.to_parquet(tmp_path / f"{name}.parquet", index=False)
    page = contrast_page.write(name, tmp_path)
    text = page.read_text("utf-8")
    assert "### capitals, tiny-random" in text and text.count("| `") == rows
    assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    page.write_text(text.replace(f"# {name}\n", "# Found\n\nNothing.\n"), "utf-8")
    contrast_page.write(name, tmp_path)
    assert page.read_text("utf-8").startswith("# Found\n\nNothing.\n"), "what is written around the tables stays"


def test_holders_and_twins_have_a_row_each(tmp_path: Path) -> None:
    frame = pd.DataFrame(list(CONTRASTS["interrogation"].rows(pool(world(3.0, twins=4)))))
    assert list(frame["name"].str.rpartition(", ")[2]) == ["holders", "twins"]
    assert list(frame["models"]) == ["16", "4"] and (frame["low"] <= frame["value"]).all()
    frame.to_parquet(tmp_path / "interrogation.parquet", index=False)
    assert "16 | " in contrast_page.write("interrogation", tmp_path).read_text("utf-8")
