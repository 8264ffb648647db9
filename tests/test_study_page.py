"""A page of results: its tables come from the kept points alone, and what is written around them stays."""

from pathlib import Path

import pandas as pd
import pytest

from tests import study_page
from tests.recipes.small import no_figures, run_cli, study_file


def test_a_page_is_made_and_its_tables_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    run, page = tmp_path / "run", tmp_path / "page.md"
    assert run_cli("run", study_file(tmp_path, recipes=["zero_shot", "iid_sft", "ngrams"]), "--out", run) == 0
    study_page.points([run]).to_parquet(tmp_path / "page.parquet", index=False)
    assert study_page.write("page", tmp_path) == page
    first = page.read_text("utf-8")
    assert first.startswith("# page\n") and "### parity, tiny-random\n\n6 items, chance 50%." in first
    assert first.count("| `iid_sft` |") == 2 and "| `zero_shot` | 0 | 0 | 0 | 1 |" in first
    page.write_text(
        f"# Of parity\n\nFound: nothing.\n\n{study_page.START}\nold\n{study_page.END}\n\nThe end.\n", "utf-8"
    )
    study_page.write("page", tmp_path)
    again = page.read_text("utf-8")
    assert again.startswith("# Of parity\n\nFound: nothing.") and again.endswith("The end.\n") and "old" not in again
    frame = pd.read_parquet(tmp_path / "page.parquet")
    trained = frame[frame["recipe"] == "iid_sft"].iloc[0]
    assert trained["control"] == "ngrams" and trained["gain"] == pytest.approx(
        trained["score"] - frame["score"].iloc[-1]
    )


def test_figures_are_copied_under_the_pages_name(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("00-parity-curves", "01-other-one-curves", "00-parity-forest", "overview"):
        (tmp_path / "figures" / f"{name}.png").write_bytes(name.encode())
    made = study_page.copy_figures("page", tmp_path, tmp_path)
    assert [path.name for path in made] == ["page-parity.png", "page-other-one.png"]
    assert made[0].read_bytes() == b"00-parity-curves"
