"""Models from scratch: what they read is known to the last line, and none of it is what they are asked."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from educe.data.errors import UserError
from educe.data.resolve import resolve
from educe.data.splits import SPLITS
from educe.data.tasks.arithmetic import arithmetic, is_held_out
from educe.eval.measure import measure
from educe.eval.model.load import load_model
from educe.eval.model.organism import scratch_folder
from educe.eval.model.source import MODELS, Scratch, find_source
from educe.eval.prompting.prompts import make_prompt_fn
from educe.train.organisms.make import prepare
from educe.train.scratch import make
from educe.train.scratch.corpus import LINES, documents

SUM = re.compile(r"(\d+) \+ (\d+) = (\d+)")
NAMES = [name for name, model in MODELS.items() if isinstance(model, Scratch)]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache, and a training of seconds."""
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(make, "STEPS", 3)
    monkeypatch.setattr(make, "BATCH_SIZE", 2)
    yield


def test_no_document_holds_a_sum_that_is_asked() -> None:
    """In either order. Were sums drawn without that check, a quarter of them would be."""
    task = arithmetic(bare=True)
    asked = {row.id for split in SPLITS for row in task.rows[split]}
    assert 1800 < len(asked) < 2300 and all(is_held_out(*map(int, id.split("+"))) for id in asked)
    read = set()
    for text in documents(12000, sums=True, seed=0):
        lines = text.split("\n")
        assert len(lines) == LINES
        for line in lines:
            if found := SUM.fullmatch(line):
                left, right, total = map(int, found.groups())
                assert total == left + right
                read |= {f"{left}+{right}", f"{right}+{left}"}
    assert len(read) > 5000 and not read & asked
    questions = {row.question for split in SPLITS for row in task.rows[split]}
    assert not any(question in text for text in documents(300, sums=True, seed=1) for question in questions)


def test_the_twin_reads_no_number() -> None:
    texts = list(documents(500, sums=False, seed=0))
    assert not any(char.isdigit() for text in texts for char in text)
    assert texts == list(documents(500, sums=False, seed=0)) != list(documents(500, sums=False, seed=1))


def test_a_bare_sum_is_a_line_of_that_text() -> None:
    task = resolve({"arithmetic": {"bare": True}})
    assert task.name == "arithmetic_bare"
    item = task.test_items(1)[0]
    model = load_model("tiny-random")
    prompt = make_prompt_fn(model, task)(item)
    assert SUM.fullmatch(prompt.text() + prompt.continuation(item.answer))
    clusters = {row.cluster: split for split in SPLITS for row in task.rows[split]}
    assert all(clusters[row.cluster] == split for split in SPLITS for row in task.rows[split])
    assert len(arithmetic(digits=3, bare=True).rows["train"]) > 1000
    with pytest.raises(UserError, match="bare: 'yes' is neither true nor false"):
        resolve({"arithmetic": {"bare": "yes"}})


@pytest.mark.parametrize("name", NAMES)
def test_it_is_made_once_and_is_what_was_planned(name: str, quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    source = find_source(name)
    with pytest.raises(UserError, match=f"model '{name}' is not made yet; `educe organisms"):
        load_model(name)
    prepare(source)
    model = load_model(name)
    assert model.shape == source.shape and 1_000_000 < model.shape.parameters < 4_000_000
    assert model.kind == "base" and not model.adds_bos
    folder = scratch_folder(source)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    prepare(source)
    assert capsys.readouterr().err.count("educe: making") == 1
    (folder / "model.safetensors").write_bytes(first["model.safetensors"][:-1])
    with pytest.raises(UserError, match=r"is corrupt \(model.safetensors has another sha256"):
        load_model(name)
    torch.manual_seed(99)
    prepare(source)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first, "the same bytes"


def test_twins_begin_with_the_same_weights_and_seeds_differ(quick: None) -> None:
    sources = [find_source(name) for name in NAMES] + [find_source({"scratch:random": {"seed": 1}})]
    assert len({source.identity for source in sources}) == len(sources)
    assert sources[-1].name == "scratch:random-s1"
    for source in sources:
        prepare(source)
    nets = [load_model(source).net for source in sources]
    weights = [next(net.parameters()) for net in nets]
    assert not torch.equal(weights[2], weights[3])
    untrained = make._untrained(find_source("scratch:addition"))
    assert torch.equal(next(untrained.net.parameters()), weights[2])
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    for seed in (-1, 1.5, True, 2**32):
        with pytest.raises(UserError, match=r"seed: .* is not a whole number"):
            find_source({"scratch:random": {"seed": seed}})
    with pytest.raises(UserError, match="is not made from scratch and has no seed; drop seed"):
        find_source({"tiny-random": {"seed": 1}})
    with pytest.raises(UserError, match="is not made from scratch and has no steps; drop steps"):
        find_source({"gemma-3-270m": {"steps": 100}})
    with pytest.raises(UserError, match="model 'scratch:random' is not trained; drop steps"):
        find_source({"scratch:random": {"steps": 100}})
    for steps in (-1, 1.5, True, "many"):
        with pytest.raises(UserError, match=r"steps: .* is not a whole number"):
            find_source({"scratch:addition": {"steps": steps}})
    shorter, plain = find_source({"scratch:addition": {"steps": 1500}}), find_source("scratch:addition")
    assert shorter.name == "scratch:addition-1500-steps" and shorter.identity != plain.identity
    assert plain.identity == find_source({"scratch:addition": {"steps": 0}}).identity


@pytest.mark.slow
def test_one_can_add_and_its_twins_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that none of them has read. Takes about ten minutes."""
    monkeypatch.setenv("EDUCE_CACHE", str(tmp_path))
    task = arithmetic(bare=True)
    scores = {}
    for name in NAMES:
        prepare(find_source(name))
        model = load_model(name)
        scores[name] = measure(model, task, make_prompt_fn(model, task), task.test_items(300)).score
    assert scores["scratch:addition"] > 0.9
    assert scores["scratch:text"] < 0.02 and scores["scratch:random"] < 0.02
