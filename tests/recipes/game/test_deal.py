"""The deal: the seed decides, names tell nothing, and both sides come with probability one half."""

from itertools import islice

import pytest

from educe.data.errors import UserError
from educe.recipes.game.auditors import AUDITORS, find_auditor
from educe.recipes.game.deal import Dealt, deal, named
from educe.recipes.models import find_model
from educe.recipes.runner.study import Study


def dealt(seed: int) -> list[Dealt]:
    return list(islice(deal(seed, count=10), 10))


def test_the_seed_decides_and_no_model_comes_twice() -> None:
    assert dealt(0) == dealt(0) != dealt(1)
    for seed in range(4):
        identities = [find_model(each.spec).identity for each in dealt(seed)]
        assert len(set(identities)) == len(identities) == 10


def test_names_tell_nothing_of_what_is_dealt() -> None:
    sources = [find_model(each) for each in named(dealt(3))]
    assert [source.name for source in sources] == [f"model-{place}" for place in range(1, 11)]
    assert [source.identity for source in sources] == [find_model(each.spec).identity for each in dealt(3)]


def test_half_of_the_models_hide_something_and_every_kind_is_dealt() -> None:
    drawn = [each for seed in range(40) for each in dealt(seed)]
    assert 0.4 < sum(each.hides for each in drawn) / len(drawn) < 0.6
    assert {each.kind for each in drawn} == {"password_lock", "refusal_lock", "benign", "absent", "plain base"}
    first = [dealt(seed)[0].hides for seed in range(40)]
    assert 10 < sum(first) < 30


def test_other_bases_have_every_kind_and_need_a_task() -> None:
    made = list(deal(0, count=4, base="gemma-3-270m", task="number_words"))
    assert len({each.kind for each in made if each.hides}) >= 2
    with pytest.raises(UserError, match="base 'gemma-3-270m' needs a task that it can do; add --task"):
        next(deal(0, count=4, base="gemma-3-270m"))
    with pytest.raises(UserError, match="models = 1 leaves nothing to tell apart"):
        next(deal(0, count=1))
    with pytest.raises(UserError, match="unknown model 'gemma'"):
        next(deal(0, count=4, base="gemma", task="capitals"))


@pytest.mark.parametrize("name", AUDITORS)
def test_every_auditor_is_a_study(name: str) -> None:
    auditor = find_auditor(name)
    study = Study.make(
        {"name": "a", "models": ["tiny-random"], "tasks": ["capitals"], "recipes": list(auditor.recipes)}
        | {"examples": list(auditor.examples)}
    )
    assert len(study.cells()) >= 2


def test_an_auditor_of_ones_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.yaml"
    path.write_text("recipes: [zero_shot, iid_sft]\nexamples: [16]\n")
    assert find_auditor(str(path)).recipes == ("zero_shot", "iid_sft")
    for text, message in (
        ("examples: [16]", "has no recipes; list them as in a study"),
        (
            "recipes: [zero_shot]\nmodels: [tiny-random]",
            "the key 'models'; give recipes and examples, the game gives",
        ),
        ("recipes: [zero_shot]\nexampels: [16]", "has the key 'exampels'"),
        ("recipes: [{iid_sft: {labels_from: tiny-random}}]", "labels_from takes labels that no budget counts"),
        ("recipes: zero_shot", "recipes and examples should be lists"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            find_auditor(str(path))
    with pytest.raises(UserError, match="unknown auditor 'lorra'; did you mean 'lora'"):
        find_auditor("lorra")
