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
    assert (tmp_path / "page.png").stat().st_size > 5_000
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


def test_no_folder_of_this_machine_is_kept() -> None:
    named = study_page._without_folders("iid_sft(labels_from={'small': {'adapter': '/home/me/organisms/abc'}})")
    assert named == "iid_sft(labels_from={'small': {'adapter': 'abc'}})"
