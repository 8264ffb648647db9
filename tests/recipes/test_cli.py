"""The command line: a user's mistake is one line that names the value, and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from educe.eval.measurement import Outcome, Outcomes
from educe.eval.model.load import load_model
from educe.eval.model.source import MODELS
from educe.recipes.catalog import RECIPES
from educe.recipes.cli import launch, main
from educe.recipes.runner.results import Results
from educe.recipes.runner.store import Store
from tests.conftest import REPOSITORY
from tests.eval.synthetic import measurement
from tests.recipes.made import SEEN_ONCE, measurement_of
from tests.recipes.small import parity_rows, reads_as, run_cli, small_study, study_file, write_rows

COMMANDS = (
    *("", "run", "screen", "plan", "validate", "organisms", "game", "report", "results", "compare", "claims"),
    *("forecast", "verify", "ls"),
)
GOOD = {"id": "q1", "question": "Is 1 odd?", "choices": ["yes", "no"], "answer": "yes"}


def the_line(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """What a mistake puts on standard error: one line, nothing on standard output, exit code 2."""
    assert run_cli(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "Traceback" not in shown.err
    (line,) = shown.err.splitlines()
    assert line.startswith("educe: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "the following arguments are required: COMMAND; see educe --help"),
        (("rnu",), "invalid choice: 'rnu'"),
        (("run",), "the following arguments are required: STUDY.yaml; see educe run --help"),
        (("run", "s.yaml", "--outt", "x"), "unrecognized arguments: --outt x"),
        (("ls", "model"), "invalid choice: 'model' (choose from"),
        (("results", ".", "--format", "xml"), "invalid choice: 'xml'"),
        (("run", "nowhere.yaml"), "nowhere.yaml: no such file (from "),
        (("plan", "nowhere.yaml"), "nowhere.yaml: no such file"),
        (("plan", "nowhere.yaml", "--reach", "0.9"), "nowhere.yaml is no run directory, which --reach needs"),
        (("plan", ".", "--set", "name=x"), ". is a run directory, whose study is not changed; leave --set out"),
        (("report", "no/run"), "no/run has no run (no cells.json); give the folder that `educe run --out` wrote"),
        (("results", "no/run"), "no/run has no run"),
    ],
)
def test_a_wrong_command(
    arguments: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in the_line(capsys, *arguments)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"models": ["smollm2-135m"]}, "unknown model 'smollm2-135m'; did you mean 'smollm2-135m-instruct'?"),
        ({"tasks": ["capitols"]}, "unknown task 'capitols'; did you mean 'capitals'?"),
        ({"recipes": ["few-shot"]}, "unknown recipe 'few-shot'; did you mean 'few_shot'?"),
        ({"recipes": [{"iid_sft": {"rnk": 8}}]}, "recipe 'iid_sft' has no key 'rnk'; did you mean 'rank'?"),
        ({"test_item": 5}, "has no key 'test_item'; did you mean 'test_items'?"),
        ({"examples": [-4]}, "examples.0 = -4 is too small"),
        ({"examples": [0]}, "examples.0 = 0 is too small; give 1 or more"),
        ({"test_items": 0}, "test_items = 0 is too small; give 1 or more"),
        ({"examples": [1000]}, "train rows and 1000 were asked for"),
        ({"recipes": [{"zero_shot": {"template": "chat"}}]}, "'tiny-random' is a base model"),
        ({"device": "cuda:999"}, "device 'cuda:999' is not there"),
    ],
)
def test_a_wrong_study(changes: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = study_file(tmp_path, **changes)
    assert says in the_line(capsys, "run", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists(), "nothing is written before all is in order"


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file holds no rows"),
        (lines(GOOD) + b'{"id": "q2", \n', "questions.jsonl, line 2: broken JSON at column"),
        (lines({"id": "q1", "choices": ["yes", "no"], "answer": "yes"}), "no column 'question'"),
        (lines({**GOOD, "answer": "perhaps"}), "answer 'perhaps' is not among the choices ['yes', 'no']"),
        (lines({**GOOD, "choices": ["yes"]}), "has one choice only ('yes')"),
        (lines(GOOD, {**GOOD, "question": "Is 3 odd?"}), "'q1' is also the id of"),
        ('{"question": "Caf\xe9?"}\n'.encode("latin-1"), "byte 17 is not UTF-8"),
    ],
)
def test_a_wrong_file(content: bytes, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_bytes(content)
    path = study_file(tmp_path, tasks=[f"file:{tmp_path}/questions.jsonl"], recipes=["zero_shot"])
    for command in ("validate", "run", "plan"):
        assert says in the_line(capsys, command, path)


def test_a_missing_file_names_where_it_was_sought(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    line = the_line(capsys, "validate", study_file(tmp_path, tasks=["file:questions.jsonl"]))
    assert f"questions.jsonl: no such file (from {Path.cwd()})" in line


def test_an_overlap_of_train_and_test_is_shown_as_a_pair(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    test = write_rows(tmp_path / "parity.jsonl", parity_rows(10))
    train = write_rows(tmp_path / "train.jsonl", [{**row, "id": f"t-{row['id']}"} for row in parity_rows(20, start=9)])
    line = the_line(capsys, "run", study_file(tmp_path, tasks=[{f"file:{test}": {"train": str(train)}}]))
    assert "id 't-q9' and test id 'q9', 'Is 9 odd?'" in line


@pytest.mark.parametrize(
    ("command", "far"),
    [
        ("report", {"examples": 64}),
        ("forecast", {"examples": 64}),  # claims refuse these conditions and make others
        *((command, {"seed": 1}) for command in ("report", "claims", "forecast")),
    ],
)
def test_results_on_other_items_are_named(
    command: str,
    far: dict[str, int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = Outcomes.of(Outcome(id=f"other-{n}", score=float(n < 6), answer="a") for n in range(10))
    near = [measurement(method="zero_shot", examples=0), measurement(), measurement(examples=16)]
    made = [*near, measurement(outcomes=others, **far)]
    reads_as(monkeypatch, made)
    monkeypatch.setattr(Store, "study_text", lambda _: "name: small")
    monkeypatch.setattr(Store, "primary", lambda _: ())
    monkeypatch.setattr(Results, "look", lambda *_: SEEN_ONCE)
    line = the_line(capsys, command, tmp_path)
    cell = {"examples": 4, "seed": 0} | far
    assert "iid_sft on small, capitals, {examples} examples, seed {seed}".format(**cell) in line
    assert "shares no test item with the measurements it is compared with" in line


def test_validate_says_that_all_is_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = study_file(tmp_path)
    assert run_cli("validate", path) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 4 cells, all in order\ntask parity: multiple choice")
    assert run_cli("validate", path, "--set", "examples=[1,2,3]", "--set", "recipes=[iid_sft]") == 0
    assert "3 cells" in capsys.readouterr().out


def test_plan_shows_cells_flops_and_minutes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"")
    models = ["smollm2-135m-instruct", {f"gguf:{tmp_path}/other.gguf": {"kind": "base"}}]
    assert run_cli("plan", study_file(tmp_path, models=models)) == 0
    cost, power = capsys.readouterr().out.split("\n\n")
    units, header, *rows, total, unknown = cost.splitlines()
    assert units.startswith("useful FLOPs: ")
    assert header.split()[:5] == ["model", "task", "recipe", "cells", "items"]
    plain, shots, tuned = (row.split() for row in rows[:3])
    assert plain[:5] == ["smollm2-135m-instruct", "parity", "zero_shot", "1", "6"]
    assert float(plain[-3]) == 0 and float(tuned[-3]) > float(plain[-1]) > 0 and float(shots[-2]) > float(plain[-2])
    assert float(plain[-1]) == pytest.approx(6 * float(plain[-2]), rel=0.1)
    assert total.startswith("8 cells, ") and " useful FLOPs, about " in total and " minutes here at " in total
    assert unknown.startswith("unknown: ") and all(row.split()[-1] == "unknown" for row in rows[3:])
    assert power.startswith("statistical power of this study") and "parity: 6 items, 1 seed\n" in power


def test_plan_of_models_of_unknown_size_gives_no_total(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It said 0.0e+00 useful FLOPs and 0.0 minutes."""
    (tmp_path / "other.gguf").write_bytes(b"")
    models = [{f"gguf:{tmp_path}/other.gguf": {"kind": "base"}}]
    assert run_cli("plan", study_file(tmp_path, models=models, recipes=["zero_shot"])) == 0
    cost, _ = capsys.readouterr().out.split("\n\n")
    assert cost.splitlines()[-2:-1] == ["1 cell, useful FLOPs and minutes unknown"] and "0.0" not in cost
    assert cost.splitlines()[-1].startswith("unknown: the size of a model ")


def test_plan_knows_the_size_of_the_tiny_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run_cli("plan", study_file(tmp_path)) == 0
    assert "unknown" not in capsys.readouterr().out
    assert load_model("tiny-random").shape == MODELS["tiny-random"].shape


def test_plan_counts_a_shared_training_once_and_every_sample(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stacked = {"stacked": {"train": "helpful_sft", "prompt": {"few_shot": {"shots": 2}}}}
    grpo = {"grpo": {"steps": 2, "samples": 4, "written": True}}
    path = study_file(
        tmp_path, models=["smollm2-135m-instruct"], recipes=["zero_shot", "helpful_sft", stacked, grpo], examples=[4]
    )
    assert run_cli("plan", path) == 0
    table = capsys.readouterr().out.split(" all\n")[1]  # importing TRL may print a line of its own before
    plain, helpful, again, rewarded = (row.split() for row in table.splitlines()[:4])
    assert float(helpful[-3]) > 0 and float(again[-3]) == 0
    # 16 samples of up to 16 tokens each, beside the six test items, whose answers are written as well.
    assert float(rewarded[-1]) > 2 * float(plain[-1]) and float(rewarded[-2]) > float(plain[-2])


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("tasks", ["word_sentiment", "capitals", "arithmetic", "mmlu", "gsm8k"]),
        ("models", ["smollm2-135m-instruct", "gemma-3-270m", "tiny-random"]),
        ("recipes", list(RECIPES)),
    ],
)
def test_ls_names_each_with_a_line_about_it(what: str, names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("ls", what) == 0
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()}
    assert set(names) <= set(listed) and all(listed.values())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("--help") == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)
    for command in COMMANDS[1:]:
        assert run_cli(command, "--help") == 0
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("educe.recipes.runner.study.Study.read", interrupted)
    assert run_cli("validate", "any.yaml") == 130
    assert capsys.readouterr().err == "educe: interrupted; finished cells are kept, run again to go on\n"


@pytest.mark.parametrize(
    ("recipe", "arguments", "says"),
    [
        ("iid_sft", "--task capitals", "the following arguments are required: --model; see educe.recipes --help"),
        ("iid_sft", "--model tiny --task capitals --examples 4", "unknown model 'tiny'"),
        ("iid_sft", "--model tiny-random --task capitals --examples 0", "examples.0 = 0 is too small; give 1 or more"),
        ("iid_sft", "--model tiny-random --task capitals --examples 4000", "4000 were asked for"),
        ("iid_sft", "--model tiny-random --task capitals --examples four", "invalid int value: 'four'"),
        ("few_shot", "--model tiny-random --task capitals --set shot=4", "did you mean 'shots'?"),
        ("few_shot", "--model tiny-random --task capitals --set shots", "is not key=value"),
        (
            "few_shot",
            "--model tiny-random --task capitals --set shots=[4",
            "--set 'shots=[4': the value, line 1: broken YAML",
        ),
        ("iid_sft", "--model tiny-random --task capitals", "say how many: --examples 64"),
        ("iid_stf", "--model tiny-random --task capitals", "unknown recipe 'iid_stf'; did you mean 'iid_sft'?"),
        ("zero_shot", "--model tiny-random --task capitals --examples 4", "drop --examples 4"),
        ("few_shot", "--model tiny-random --task capitals --set shots=64 --test-items 2", "longer than the context"),
    ],
)
def test_a_wrong_launch(
    recipe: str, arguments: str, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stopped:
        launch([recipe, *arguments.split(), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert stopped.value.code == 2 and says in line and shown.out == ""


def test_in_a_real_process_a_mistake_is_one_line_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "educe.recipes.cli", "plan", str(tmp_path / "nowhere.yaml")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"educe: {tmp_path}/nowhere.yaml: no such file (from {REPOSITORY}); check the path\n"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with one measurement."""
    folder = tmp_path_factory.mktemp("reported")
    cells, store = small_study(folder, recipes=["zero_shot"]).cells(), Store(folder / "out")
    with store.claim():
        store.begin(study_text="name: small", cells=cells)
        store.write(cells[0], measurement_of(cells[0]), save_adapter=None)
    return store.root


@pytest.mark.parametrize(
    ("command", "banned"),
    [
        ("--help", "torch numpy pydantic scipy"),
        ("ls tasks", "torch transformers scipy"),
        ("ls models", "torch transformers scipy"),
        ("ls recipes", "torch transformers scipy"),
        ("results DIR", "torch transformers peft"),
        ("report DIR", "torch transformers peft"),
        ("plan DIR", "torch transformers peft"),
        ("claims DIR", "torch transformers peft"),
        ("forecast DIR", "torch transformers peft"),
        ("verify DIR", "torch transformers peft"),
    ],
)
def test_commands_that_need_no_model_load_no_torch(command: str, banned: str, reported: Path) -> None:
    code = (
        "import sys\nfrom educe.recipes.cli import main\n"
        f"try:\n    main({command.replace('DIR', str(reported)).split()!r})\n"
        "except SystemExit as stopped:\n    assert not stopped.code\n"
        f"sys.exit(' '.join(set({banned.split()!r}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=reported, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["tasks", "models", "recipes"])
def test_ls_prints_whole_sentences_that_fit_a_terminal(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("ls", what) == 0
    for line in capsys.readouterr().out.splitlines():
        _, sentence = line.split(maxsplit=1)
        assert len(line) <= 80 and sentence[0].isupper() and sentence.endswith((".", "?")), line


@pytest.mark.parametrize("command", [*COMMANDS, "RECIPE"])
def test_help_is_whole_sentences_that_fit_a_terminal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        launch(["--help"]) if command == "RECIPE" else main([*command.split(), "--help"])
    listed = capsys.readouterr().out.partition("positional arguments:")[2].splitlines()
    helped = [line for line in listed if line.startswith("  ") and "COMMAND" not in line and "-h, --help" not in line]
    for line in helped:
        sentence = line.strip().split("  ")[-1].strip()
        assert len(line) <= 80 and sentence[0].isupper() and sentence.endswith("."), line


def test_validate_checks_models_without_loading_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Failed before: "all in order" for a model without weights, and a model that was not fetched was a chat model."""
    model, folder, commit = load_model("tiny-random"), tmp_path / "mine", "f" * 40
    model.net.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    path = study_file(tmp_path, models=[f"hub:org/name@{commit}", f"path:{folder}", "tiny-random"])
    assert run_cli("validate", path) == 0
    shown = capsys.readouterr().out
    assert "\nmodel name: not fetched yet, so nothing of it was checked\n" in shown
    assert (
        "\nmodel mine: chat; 20 tensors that fit their settings\n" in shown and "\nmodel tiny-random: base; " in shown
    )
    assert "zero-shot, as text to complete:" in shown
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    assert run_cli("validate", path) == 2
    assert "model 'mine' has no place for 9 of its tensors" in capsys.readouterr().err
