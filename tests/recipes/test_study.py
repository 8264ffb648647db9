"""Studies: reading and refusing, changes from the command line, and the cells a study stands for."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from educe.data.errors import UserError
from educe.data.task import Task
from educe.eval.analysis.primary import Known
from educe.eval.model.load import load_model
from educe.recipes.runner.study import Study
from educe.train.attach import temporary_changes
from tests.recipes.small import parity_rows, small_study, study_file, study_values, write_rows


def test_a_study_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    study = Study.read(study_file(tmp_path))
    assert (study.name, study.examples, study.test_items) == ("small", (2, 4), 6)
    assert (study.seeds, study.measure_on, study.dtype, study.device, study.track) == (
        (0,), "test", "auto", "auto", "none",
    )  # fmt: skip
    assert Study.read(study_file(tmp_path, test_items=None)).test_items is None


def test_the_text_of_a_study_reads_back_as_the_same_study(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    path = tmp_path / "again.yaml"
    path.write_text(study.text())
    assert Study.read(path) == study


def test_the_shipped_study_is_in_order() -> None:
    study = Study.read(Path(__file__).parents[2] / "recipes" / "studies" / "quickstart.yaml")
    # Two models and two tasks, each with zero-shot, five draws of shots and searches, and three sizes of two recipes.
    assert len(study.cells()) == 4 * (1 + 5 + 5 + 2 * 15)
    search = "prompt_search(formats=2, dev_examples=12)"
    tuned, *others = (Known("iid_sft", "iid_sft", 64), Known("zero_shot", "zero_shot", 0))
    others += [Known("prompt_search", search, 8), Known("ngrams", "ngrams", 64)]
    assert study.primary() == tuple((tuned, other) for other in others)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nme": "x"}, "no key 'nme'; did you mean 'name'?"),
        ({"model": ["tiny-random"]}, "no key 'model'; did you mean 'models'?"),
        ({"subjects": ["tiny-random"]}, "no key 'subjects'; did you mean 'models'?"),
        ({"limit": 5}, "no key 'limit'; did you mean 'test_items'?"),
        ({"name": "a/b"}, "name = 'a/b' does not fit; write up to 100 letters, digits"),
        ({"tasks": "capitals"}, "tasks = 'capitals' is not a list; write [capitals]"),
        ({"seeds": "0..3"}, "seeds = '0..3' is not a list; write [0, 1, 2, 3]"),
        ({"seeds": "0-2"}, "seeds = '0-2' is not a list; write [0, 1, 2]"),
        ({"seeds": ["0..3"]}, "seeds.0 = '0..3' is not a whole number; write seeds: [0, 1, 2, 3]"),
        ({"seeds": "3..0"}, "seeds = '3..0' is not a list; write [...], with commas"),
        ({"seeds": "0..999999999"}, "seeds = '0..999999999' is not a list; write [...], with commas"),
        ({"models": []}, "models is empty; list at least one"),
        ({"models": [5]}, "models.0 = 5 is not text; put it in quotes"),
        ({"seeds": []}, "seeds is empty; list at least one"),
        ({"seeds": [0, 0]}, "seeds lists 0 twice"),
        ({"examples": [4, 4]}, "examples lists 4 twice"),
        ({"recipes": ["zero_shot", "zero_shot"]}, "recipes lists 'zero_shot' twice"),
        ({"models": ["tiny-random", "tiny-random"]}, "models lists 'tiny-random' twice"),
        ({"examples": [0]}, "examples.0 = 0 is too small; give 1 or more"),
        ({"examples": [4, -1]}, "examples.1 = -1 is too small"),
        ({"examples": ["few"]}, "examples.0 = 'few' does not fit"),
        ({"test_items": 0}, "test_items = 0 is too small; give 1 or more"),
        ({"test_items": -1}, "test_items = -1 is too small; give 1 or more"),
        ({"dtype": "float8"}, "dtype = 'float8' does not fit"),
        ({"device": "gpu"}, "device = 'gpu' does not fit; write auto, cpu, mps, cuda"),
        ({"measure_on": "train"}, "measure_on = 'train' does not fit"),
        ({"compare": ["iid_sft"]}, "compare.0 = 'iid_sft' does not fit"),
        ({"compare": [{"recip": "iid_sft"}]}, "a comparison has no key 'recip'; did you mean 'recipe'?"),
        ({"compare": [{"against": "iid_sft"}]}, "a comparison lacks the key 'recipe'"),
        ({"compare": [{"recipe": "iid_sft", "examples": 0}]}, "examples = 0 is too small; give 1 or more"),
        ({"primary": []}, "no key 'primary'; did you mean 'compare'?"),
        ({"track": "tensorbord"}, "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        ({"track": {"wandb": {"prompt": False}}}, "tracker 'wandb' has no key 'prompt'; did you mean 'prompts'?"),
        ({"track": {"wandb": {"prompts": "no"}}}, "tracker 'wandb': prompts = 'no' does not fit"),
        ({"track": {"trackio": {"adapters": True}}}, "tracker 'trackio' has no key 'adapters'"),
        ({"track": {"mlflow": None}}, "unknown tracker 'mlflow'"),
        ({"track": {"wandb": {}, "trackio": {}}}, "unknown tracker {'wandb': {}, 'trackio': {}}"),
    ],
)
def test_a_faulty_study_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as refused:
        small_study(tmp_path, **changes)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"models": ["tiny"]}, "unknown model 'tiny'; did you mean 'tiny-random'?"),
        ({"models": [{"tiny-random": {"knd": "base"}}]}, "no option 'knd'; did you mean 'kind'?"),
        ({"tasks": ["capital"]}, "unknown task 'capital'; did you mean 'capitals'?"),
        ({"tasks": ["file:nowhere.jsonl"]}, "nowhere.jsonl: no such file"),
        ({"tasks": [{"arithmetic": {"digit": 2}}]}, "unknown option 'digit'; did you mean 'digits'?"),
        ({"recipes": ["iid_stf"]}, "unknown recipe 'iid_stf'; did you mean 'iid_sft'?"),
        ({"recipes": [{"zero_shot": {}, "few_shot": {}}]}, "should be one name with its settings"),
        ({"recipes": [{"few_shot": {"shot": 2}}]}, "recipe 'few_shot' has no key 'shot'; did you mean 'shots'?"),
        ({"recipes": [{"few_shot": {"shots": 0}}]}, "recipe 'few_shot': shots = 0 is too small; give 1 or more"),
        ({"recipes": [{"few_shot": {"shots": 55}}]}, "train rows and 55 were asked for; use at most"),
        ({"recipes": [{"iid_sft": {"rank": 0}}]}, "rank = 0 is too small"),
        ({"recipes": [{"iid_sft": {"learning_rate": -1e-3}}]}, "learning_rate = -0.001 does not fit"),
        ({"recipes": [{"iid_sft": {"learning_rate": "fast"}}]}, "learning_rate = 'fast' does not fit"),
        ({"recipes": [{"iid_sft": {"learning_rate": []}}]}, "learning_rate = [] does not fit"),
        ({"recipes": [{"iid_sft": {"learning_rate": [1e-3, 0]}}]}, "learning_rate.1 = 0 does not fit"),
        ({"recipes": [{"iid_sft": {"learning_rate": [1e-3, 1e-2]}}]}, "set dev_examples"),
        ({"recipes": [{"iid_sft": {"dev_examples": 50, "patience": 2}}]}, "dev rows; set dev_examples to at most"),
        ({"recipes": [{"iid_sft": {"precision": "fp8"}}]}, "precision = 'fp8' does not fit"),
        ({"compare": [{"recipe": "iid_stf"}]}, "compare.0: recipe = 'iid_stf' is not among the recipes of the study"),
        (
            {"compare": [{"recipe": "iid_sft"}]},
            "compare.0: examples is missing, and iid_sft(",
        ),
        ({"examples": [2, 400]}, "train rows and 400 were asked for; use at most"),
        ({"examples": []}, "study lacks the key 'examples'"),
        ({"recipes": [{"zero_shot": {"template": "chat"}}]}, "'tiny-random' is a base model: it has no chat template"),
        (
            {"models": ["gemma-3-270m"], "recipes": [{"zero_shot": {"template": "chat"}}]},
            "'gemma-3-270m' is a base model: it has no chat template",
        ),
        ({"tasks": ["arithmetic"], "recipes": [{"zero_shot": {"answer_as": "letter"}}]}, "drop answer_as: letter"),
        (
            {"recipes": ["iid_sft", {"iid_sft": {"accumulate": 2}}]},
            "has the cell tiny-random parity iid_sft n=2 seed=0 twice",
        ),
        ({"recipes": [{"iid_sft": {"accumulate": 0}}]}, "accumulate = 0 is too small; give 1 or more"),
        (
            {"recipes": ["few_shot", {"few_shot": {"shots": 8}}]},
            "has the cell tiny-random parity few_shot n=8 seed=0 twice",
        ),
    ],
)
def test_a_study_whose_cells_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as refused:
        small_study(tmp_path, **changes).cells()
    assert says in str(refused.value)


def test_two_tasks_of_one_name_want_another_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [write_rows(tmp_path / "parity.jsonl", parity_rows()), tmp_path / "other" / "parity.jsonl"]
    write_rows(paths[1], parity_rows(start=100))
    with pytest.raises(UserError, match="two tasks have the name 'parity'"):
        small_study(tmp_path, tasks=[f"file:{path}" for path in paths]).cells()
    renamed = small_study(tmp_path, tasks=[f"file:{paths[0]}", {f"file:{paths[1]}": {"name": "other"}}])
    assert {cell.task.name for cell in renamed.cells()} == {"parity", "other"}


def test_a_task_without_dev_rows_cannot_be_measured_on_them(tmp_path: Path) -> None:
    train = write_rows(tmp_path / "train.jsonl", parity_rows(2, start=100))
    test = write_rows(tmp_path / "parity.jsonl", parity_rows(4))
    tasks = [{f"file:{test}": {"train": str(train)}}]
    study = small_study(tmp_path, tasks=tasks, recipes=["zero_shot"], measure_on="dev")
    with pytest.raises(UserError, match="task 'parity' has no dev rows to score on"):
        study.cells()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty or not a mapping"),
        (b"- a\n- b\n", "is empty or not a mapping"),
        (b"name: x\nmodels: [a\n", "line 3: broken YAML"),
        (b"name: x\nseeds: [0]\nseeds: [1]\n", "line 3: broken YAML (the key 'seeds' comes twice)"),
        ("name: caf\xe9".encode("latin-1"), "byte 9 is not UTF-8"),
        (b"1: x\n", "the key '1' is not text"),
        (b"models: [tiny-random]\n", "lacks the key 'name'"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        Study.read(path)
    assert str(path) in str(refused.value) and says in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.yaml: no such file"):
        Study.read(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a folder"):
        Study.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "key", "becomes"),
    [
        ("seeds=[3,4]", "seeds", (3, 4)),
        ("test_items=9", "test_items", 9),
        ("dtype=bfloat16", "dtype", "bfloat16"),  # a key that the file does not have
        ("examples.1=16", "examples", (2, 16)),
        ("models.0=gemma-3-270m", "models", ("gemma-3-270m",)),
        ("recipes.zero_shot=few_shot", "recipes.0", "few_shot"),
        ("recipes.1.few_shot.shots=5", "recipes.1", {"few_shot": {"shots": 5}}),
        ("recipes.few_shot.shots=5", "recipes.1", {"few_shot": {"shots": 5}}),
        (
            "recipes.iid_sft.batch_size=1",
            "recipes.2",
            {"iid_sft": {"rank": 2, "epochs": 1, "batch_size": 1}},
        ),
        (
            "recipes.zero_shot.template=completion",
            "recipes.0",
            {"zero_shot": {"template": "completion"}},
        ),
    ],
)
def test_set_changes_one_place(tmp_path: Path, change: str, key: str, becomes: Any) -> None:
    path = study_file(tmp_path)
    changed, before = Study.read(path, changes=[change]), Study.read(path)
    name, _, position = key.partition(".")
    value = getattr(changed, name)
    assert (value[int(position)] if position else value) == becomes
    others = set(Study.model_fields) - {name}
    assert all(getattr(changed, each) == getattr(before, each) for each in others)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("seeds", "is not key=value"),
        ("sedes=[1]", "no key 'sedes'; did you mean 'seeds'?"),
        ("sedes.0=1", "there is no key 'sedes'; did you mean 'seeds'?"),
        ("examples.7=1", "there is no entry '7'; use a position from 0 to 1"),
        ("recipes.iid_stf.rank=1", "there is no entry 'iid_stf'"),
        ("name.first=x", "name is 'small', which has no keys"),
        ("seeds=[1", "--set 'seeds=[1': the value, line 1: broken YAML"),
        ("examples.0=-3", "examples.0 = -3 is too small"),
    ],
)
def test_set_refuses(tmp_path: Path, change: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        Study.read(study_file(tmp_path), changes=[change])
    assert says in str(refused.value)


def test_set_changes_neither_of_two_entries_of_one_name(tmp_path: Path) -> None:
    path = study_file(tmp_path, recipes=[{"few_shot": {"shots": 2}}, {"few_shot": {"shots": 4}}])
    with pytest.raises(UserError, match=r"2 entries are 'few_shot'; put its position before it, as in 0\.few_shot"):
        Study.read(path, changes=["recipes.few_shot.shots=3"])
    changed = Study.read(path, changes=["recipes.1.few_shot.shots=3"])
    assert changed.recipes == ({"few_shot": {"shots": 2}}, {"few_shot": {"shots": 3}})


def test_cells_are_models_by_tasks_by_recipes_by_sizes_by_seeds(tmp_path: Path) -> None:
    recipes = ["zero_shot", {"few_shot": {"shots": 2}}, "iid_sft"]
    cells = small_study(tmp_path, models=["tiny-random", "gemma-3-270m"], recipes=recipes, seeds=[0, 1, 2]).cells()
    # Zero-shot once; few-shot once for each seed, whatever the sizes; training for each size and seed.
    assert Counter(cell.method_name for cell in cells) == {"zero_shot": 2, "few_shot": 6, "iid_sft": 12}
    assert {cell.examples for cell in cells if cell.method_name == "few_shot"} == {2}
    assert {cell.examples for cell in cells if cell.method_name == "zero_shot"} == {0}
    names = [cell.source.name for cell in cells]
    assert names == ["tiny-random"] * 10 + ["gemma-3-270m"] * 10, "models outermost: each is loaded once"
    trained = [(cell.examples, cell.seed) for cell in cells[:10] if cell.method_name == "iid_sft"]
    assert trained == [(2, 0), (2, 1), (2, 2), (4, 0), (4, 1), (4, 2)]
    assert len({cell.folder for cell in cells}) == len(cells)


def test_all_cells_of_a_task_have_the_same_items(tmp_path: Path) -> None:
    cells = small_study(tmp_path, seeds=[0, 1]).cells()
    assert {cell.items for cell in cells} == {cells[0].items} and len(cells[0].items) == 6
    train = set(cells[0].task.rows["train"])
    assert not train & set(cells[0].items)


def test_methods_at_one_budget_read_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = [{"few_shot": {"shots": 4}}, *({name: {"epochs": 1}} for name in ("iid_sft", "minimal_lora"))]
    cells = small_study(tmp_path, recipes=recipes, seeds=[7]).cells()
    model = load_model("tiny-random")
    drawn: list[str] = []
    original = Task.draw

    def draw(task: Task, split: Any, num_examples: int, *, seed: int) -> Any:
        rows = original(task, split, num_examples, seed=seed)
        drawn.extend(row.id for row in rows)
        return rows

    monkeypatch.setattr(Task, "draw", draw)
    read = {}
    for cell in cells:
        drawn.clear()
        with temporary_changes(model):
            cell.method(model, cell.task, examples=cell.examples, seed=cell.seed)
        read[cell.method_name, cell.examples] = list(drawn)
    assert read["few_shot", 4] == read["iid_sft", 4] == read["minimal_lora", 4] and len(set(read["iid_sft", 4])) == 4
    assert read["iid_sft", 2] == read["minimal_lora", 2] == read["iid_sft", 4][:2], "subsets are nested"


def _keys(folder: Path, **changes: Any) -> dict[str, str]:
    return {f"{cell.method_name} {cell.examples}": cell.key for cell in small_study(folder, **changes).cells()}


@pytest.mark.parametrize(
    "changes",
    [
        {"models": [{"tiny-random": {"kind": "chat"}}]},
        {"seeds": [1]},
        {"dtype": "bfloat16"},
        {"test_items": 5},
        {"measure_on": "dev"},
        {"recipes": ["zero_shot", {"few_shot": {"shots": 2}}, {"iid_sft": {"rank": 2, "epochs": 1, "batch_size": 4}}]},
        {"recipes": [{each: {"answer_as": "letter"}} for each in ("zero_shot", "few_shot", "iid_sft")]},
    ],
)
def test_what_matters_makes_new_cells(tmp_path: Path, changes: dict[str, Any]) -> None:
    before, after = _keys(tmp_path), _keys(tmp_path, **changes)
    assert before["iid_sft 4"] != after["iid_sft 4"]
    if "recipes" not in changes:
        assert not set(before.values()) & set(after.values())


def test_the_rows_and_the_format_of_a_task_make_new_cells(tmp_path: Path) -> None:
    before = _keys(tmp_path)
    path = tmp_path / "parity.jsonl"
    formatted = _keys(tmp_path, tasks=[{f"file:{path}": {"instruction": "Odd or even?"}}])
    assert not set(before.values()) & set(formatted.values())
    rows = parity_rows()
    rows[3]["question"] += " Say yes or no."
    write_rows(path, rows)
    assert not set(before.values()) & set(_keys(tmp_path).values())


def test_the_weights_make_new_cells(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    for name, content in (("config.json", "{}"), ("model.safetensors", "weights"), ("tokenizer.json", "{}")):
        (folder / name).write_text(content)
    before = _keys(tmp_path, models=[f"path:{folder}"])
    assert _keys(tmp_path, models=[f"path:{folder}"]) == before
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (folder / name).write_text("other")
        after = _keys(tmp_path, models=[f"path:{folder}"])
        assert not set(before.values()) & set(after.values()), name
        before = after


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "renamed"},
        {"device": "cpu"},
        {"track": "wandb"},
        {"track": {"wandb": {"prompts": False, "adapters": True}}},
        {"track": "tensorboard"},
        {"examples": [4, 8]},
        {"recipes": [{"iid_sft": {"rank": 2, "epochs": 1, "accumulate": 4, "checkpoint_activations": True}}]},
    ],
)
def test_what_does_not_matter_keeps_its_cells(tmp_path: Path, changes: dict[str, Any]) -> None:
    before, after = _keys(tmp_path), _keys(tmp_path, **changes)
    assert all(before[name] == after[name] for name in set(before) & set(after)) and set(before) & set(after)


def test_defaults_written_out_are_the_same_cell(tmp_path: Path) -> None:
    short, long = _keys(tmp_path, recipes=["few_shot"]), _keys(tmp_path, recipes=[{"few_shot": {"shots": 8}}])
    assert short == long == _keys(tmp_path, recipes=[{"few_shot": None}])


def test_the_file_of_a_study_is_only_its_keys(tmp_path: Path) -> None:
    assert set(study_values(tmp_path)) < set(Study.model_fields)


@pytest.mark.parametrize("seed", [2**32, -1, True, 1.5])
def test_a_seed_that_no_generator_takes_is_refused(tmp_path: Path, seed: Any) -> None:
    with pytest.raises(UserError, match=r"seeds"):
        Study.make(study_values(tmp_path, seeds=[seed]))
