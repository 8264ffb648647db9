"""A sealed run directory of which every free text is hostile: what each command prints and writes of it."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from educe.data.audit.finding import Finding
from educe.eval.details import Details, FormatExtremes, FormatScore, Selection
from educe.eval.measurement import Outcome, Outcomes
from educe.recipes.runner.store import Audited, Store
from tests.eval.report.test_hostile import CHROMIUM, PAYLOADS, POLICY, Tags, opened, requests_in
from tests.recipes.made import measurement_of
from tests.recipes.small import run_cli, small_study

# Without the lone surrogate, which UTF-8 has not.
TEXTS = [each.replace("URL", "http://evil.invalid").replace("\ud800", "") for each in PAYLOADS]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four cells written through the store: three with results, one failed."""
    folder = tmp_path_factory.mktemp("run")
    cells, store = small_study(folder).cells(), Store(folder / "out")
    # The names, too: a forger chooses them.
    cells = tuple(
        replace(each, source=replace(each.source, name=TEXTS[0]), task=replace(each.task, name=TEXTS[1]))
        for each in cells
    )
    text = yaml.safe_dump({"name": TEXTS[2], "models": TEXTS, "tasks": TEXTS}, allow_unicode=True)
    with store.claim():
        store.begin(study_text=text, cells=cells)
        for number, cell in enumerate(cells):
            first, second = TEXTS[number], TEXTS[-1 - number]
            if number >= 3:
                store.fail(cell, f"{first} {second}")
                continue
            made = measurement_of(cell)
            found = FormatScore(format=first, accuracy=0.5, asked=2)
            outcomes = [
                Outcome(id=each, score=float(place % 2), cluster=each, answer=each, text=each)
                for place, each in enumerate(TEXTS)
            ]
            hostile = replace(
                made,
                score=sum(each.score for each in outcomes) / len(outcomes),
                low=0.2,
                high=0.8,
                n=len(outcomes),
                metric=first,
                interval=second,
                outcomes=Outcomes.of(outcomes),
                details=Details(
                    selection=Selection(chosen={first: second}, dev_score=0.5, dev_examples=2, candidates=2),
                    format_extremes=FormatExtremes(best=found, worst=found, spread=0.0, formats_asked=2, pairs_asked=4),
                    first_prompt="\n".join(TEXTS),
                    notes={first: second},
                ),
                provenance=replace(
                    made.provenance, machine=first, device=second, versions={first: second}, first_prompt=second
                ),
            )
            store.write(cell, hostile, save_adapter=None)
        store.write_audits(
            {
                TEXTS[1]: Audited(
                    key="rows",
                    findings=tuple(
                        Finding(kind="near_duplicates", serious=True, sentence=each, numbers={}) for each in TEXTS
                    ),
                )
            }
        )
    return store.root


@pytest.mark.parametrize("command", ["results", "claims", "forecast", "report", "verify"])
def test_what_a_command_prints(command: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(command, run) in (0, 1)
    shown = capsys.readouterr()
    assert shown.out and (shown.out + shown.err).replace("\n", "").isprintable()
    assert "Traceback" not in shown.err
    if command == "results":
        rows = list(csv.DictReader(shown.out.splitlines(), strict=True))
        assert len(rows) == 4 and all(None not in row and None not in row.values() for row in rows)
        assert sum(row["score"] != "" for row in rows) == 3


def check_page(page: Path, read: Callable[[Path], str]) -> None:
    tags = Tags(read(page)).found
    assert [each["content"] for tag, each in tags if "http-equiv" in each] == [POLICY]
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "object", "base", "link", "form", "video"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_the_page(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("report", run) == 0
    assert capsys.readouterr().out == f"report: {run / 'report.html'}\n"
    text = (run / "report.html").read_text("utf-8")
    assert text.count("&lt;script&gt;") > 5 and "1337" not in text and text.replace("\n", "").isprintable()
    check_page(run / "report.html", lambda page: page.read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_in_a_browser(run: Path, tmp_path: Path) -> None:
    assert run_cli("report", run) == 0
    check_page(run / "report.html", lambda page: opened(page, tmp_path / "net.json"))
    assert [each for each in requests_in(tmp_path / "net.json") if "evil" in each] == []
