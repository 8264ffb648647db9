"""`educe compare`: whoever measured the results, the differences are those of a hand computation."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from educe.eval.analysis.conditions import compare, pool
from educe.eval.analysis.statistics.multiple import holm
from educe.eval.analysis.statistics.paired import difference_error, paired_difference
from educe.eval.analysis.statistics.random_effects import meta_analysis
from educe.eval.analysis.statistics.variance import Side
from educe.recipes.runner.interop.compare import Comparisons, compare_arguments
from educe.recipes.runner.results import Results, load_results
from educe.recipes.runner.run_study import run_study
from tests.recipes.logs import TIME, header, line, sample, write_eval_log, write_json_log, write_samples, write_zip
from tests.recipes.small import no_figures, run_cli, small_study

RIGHT, OTHER = [1, 1, 1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1, 0, 0]


def shown(*arguments: Path | str, **options: Any) -> Comparisons:
    return compare_arguments([str(each) for each in arguments], **options)


def inspect_samples(scores: list[Any], **changed: Any) -> list[dict[str, Any]]:
    return [sample(f"q{place}", value, **changed) for place, value in enumerate(scores)]


def lm_eval_lines(scores: list[Any], **changed: Any) -> list[dict[str, Any]]:
    return [line(place, value, **changed) for place, value in enumerate(scores)]


@pytest.mark.parametrize("kind", ["eval", "zstd", "json", "lm_eval"])
def test_differences_are_those_of_paired_difference(kind: str, tmp_path: Path) -> None:
    paths = []
    for name, scores in (("a", OTHER), ("b", RIGHT)):
        letters = inspect_samples(["C" if each else "I" for each in scores])
        if kind == "lm_eval":
            paths.append(write_samples(tmp_path / name, lm_eval_lines([float(each) for each in scores])))
        elif kind == "json":
            paths.append(write_json_log(tmp_path / f"{name}.json", letters, model=name))
        else:
            paths.append(write_eval_log(tmp_path / f"{name}.eval", letters, model=name, zstd=kind == "zstd"))
    (found,) = shown(*paths).compared
    assert found.gain == paired_difference(RIGHT, OTHER)
    assert (found.result.name, found.other.name, found.gain.n) == ("b", "a", 8)
    assert found.gain.difference == pytest.approx(3 / 8) and found.p == found.p_adjusted == found.gain.p


def test_items_are_paired_by_id_and_not_by_place(tmp_path: Path) -> None:
    ours = write_json_log(tmp_path / "a.json", inspect_samples(RIGHT)[::-1][:6])
    theirs = write_eval_log(tmp_path / "b.eval", inspect_samples(OTHER))
    found = shown(theirs, ours)
    assert found.compared[0].gain == paired_difference(RIGHT[2:], OTHER[2:])
    assert "compared on the 6 items that both have, of 6 and 8." in found.text()


def test_texts_are_scores_as_in_inspect(tmp_path: Path) -> None:
    values = ["C", "I", "P", "N", "yes", "No", "0.25", True]
    path = write_json_log(tmp_path / "a.json", inspect_samples(values))
    zero = write_json_log(tmp_path / "b.json", inspect_samples([0] * 8))
    (found,) = shown(zero, path).compared
    assert found.result.side.scores.tolist() == [[1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.25, 1.0]]


def test_epochs_are_averaged_by_item_and_failures_are_missing(tmp_path: Path) -> None:
    epochs = [sample("q0", "C"), sample("q0", "I", epoch=2), sample("q1", "C"), sample("q1", "C", epoch=2)]
    epochs += [sample("q2", "C", error={"message": "timeout"}), sample("q2", "I", epoch=2)]
    epochs += [sample("q3", "I", error={"message": "timeout"}), sample("q3", None, epoch=2)]
    config = {"task": "sums", "model": "one", "config": {"epochs": 2, "epochs_reducer": ["mode"]}}
    path = write_eval_log(tmp_path / "a.eval", epochs, eval=config)
    other = write_json_log(tmp_path / "b.json", inspect_samples([0, 0, 0, 0]))
    found = shown(other, path)
    result = found.compared[0].result
    assert dict(zip(result.ids, result.side.scores[0].tolist(), strict=True)) == {"q0": 0.5, "q1": 1.0, "q2": 0.0}
    assert "3 answers without a score left out" in found.text()
    assert "Inspect reduced epochs by mode; here they are averaged" in found.text()


def test_nan_is_a_missing_score(tmp_path: Path) -> None:
    path = write_json_log(tmp_path / "a.json", inspect_samples([1, float("nan"), 0]))
    assert "NaN" in path.read_text()
    result = shown(path, write_json_log(tmp_path / "b.json", inspect_samples([1, 1, 1]))).compared[0].other
    assert result.ids == ("q0", "q2")


def test_p_values_are_corrected_for_all_comparisons_shown(tmp_path: Path) -> None:
    folders = []
    scores = {"a": [0.0] * 20, "b": [1.0] * 9 + [0.0] * 11, "c": [1.0] * 6 + [0.0] * 14}
    for name, values in scores.items():
        for task in ("sums", "words"):
            write_samples(tmp_path / name, lm_eval_lines(values), task=task)
        folders.append(tmp_path / name)
    found = shown(*folders).compared
    assert [(each.result.name, each.result.task) for each in found] == [
        ("b", "sums"), ("b", "words"), ("c", "sums"), ("c", "words"),
    ]  # fmt: skip
    ps = [paired_difference(scores[name], scores["a"]).p for name in ("b", "b", "c", "c")]
    assert [each.p_adjusted for each in found] == pytest.approx(holm(ps).tolist())
    assert {each.family_size for each in found} == {4}


def test_what_could_have_been_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sides = [rng.integers(0, 2, 400).astype(float).tolist() for _ in range(2)]
    paths = [write_samples(tmp_path / str(place), lm_eval_lines(side)) for place, side in enumerate(sides)]
    (found,) = shown(*paths).compared
    error = np.std(np.subtract(*sides), ddof=1) / 20
    assert found.min_detectable_effect() == pytest.approx((1.966 + 0.842) * error, rel=2e-3)
    more = found.min_detectable_effect(comparisons=10)
    assert more is not None and more > (found.min_detectable_effect() or 1)


def test_several_tasks_are_pooled(tmp_path: Path) -> None:
    sides: dict[str, list[tuple[float, ...]]] = {"a": [], "b": []}
    rng = np.random.default_rng(1)
    for task in range(4):
        for name, share in (("a", 0.4), ("b", 0.6)):
            scores = (rng.random(60) < share).astype(float).tolist()
            sides[name].append(tuple(scores))
            write_samples(tmp_path / name, lm_eval_lines(scores), task=f"t{task}")
    found = shown(tmp_path / "a", tmp_path / "b")
    effects = [np.mean(b) - np.mean(a) for a, b in zip(sides["a"], sides["b"], strict=True)]
    errors = [difference_error(Side.of(b), Side.of(a)) for a, b in zip(sides["a"], sides["b"], strict=True)]
    (pooled,) = found.pooled
    expected = meta_analysis(effects, errors)
    assert expected is not None and pooled.pooled.count == 4
    assert (pooled.pooled.mean, pooled.p) == pytest.approx((expected.mean, expected.p))
    assert "over 4 tasks, b less a: +" in found.text()
    assert json.loads(found.text("json"))["over_tasks"][0]["tasks"] == ["t0", "t1", "t2", "t3"]


def test_results_without_common_items_are_compared_unpaired(tmp_path: Path) -> None:
    ours = write_json_log(tmp_path / "a.json", [sample(f"x{place}", each) for place, each in enumerate(RIGHT)])
    found = shown(write_json_log(tmp_path / "b.json", inspect_samples(OTHER)), ours)
    (each,) = found.compared
    assert not each.paired and each.p is None and each.min_detectable_effect() is None
    assert each.gain.kind == "Newcombe 95%" and each.gain.difference == pytest.approx(3 / 8)
    # Newcombe (1998), method 10; by hand, Wilson's intervals of 6 and 3 of 8 are [0.409, 0.929] and [0.137, 0.694].
    assert each.gain.low == pytest.approx(0.375 - (0.3407**2 + 0.3193**2) ** 0.5, abs=1e-3)
    assert "no item in common (8 and 8), so compared unpaired (Newcombe) and not tested." in found.text()


def test_places_of_two_tools_are_not_taken_for_the_same_items(tmp_path: Path) -> None:
    inspect = write_json_log(tmp_path / "a.json", [sample(place, each) for place, each in enumerate(RIGHT)])
    (each,) = shown(write_samples(tmp_path / "b", lm_eval_lines(OTHER)), inspect).compared
    assert not each.paired


def test_clusters_widen_the_interval(tmp_path: Path) -> None:
    paths = [write_samples(tmp_path / name, lm_eval_lines(each)) for name, each in (("a", OTHER), ("b", RIGHT))]
    (found,) = shown(*paths, cluster="book").compared
    assert found.gain == paired_difference(RIGHT, OTHER, [str(place // 2) for place in range(8)])
    assert run_cli("compare", *paths, "--cluster", "chapter") == 2


def test_another_metric_is_named_and_chosen(tmp_path: Path) -> None:
    both = {"metrics": ["acc", "acc_norm"], "acc_norm": 1.0}
    paths = [write_samples(tmp_path / name, lm_eval_lines(RIGHT, **both)) for name in "ab"]
    assert "scored by acc; it has acc_norm, too" in shown(*paths).text()
    (each,) = shown(*(f"{path}::acc_norm" for path in paths)).compared
    assert each.result.metric == "acc_norm" and each.score == 1.0


def test_filters_are_apart(tmp_path: Path) -> None:
    lines = [
        line(place, each, filter=name)
        for name, scores in (("strict", OTHER), ("flexible", RIGHT))
        for place, each in enumerate(scores)
    ]
    paths = [write_samples(tmp_path / name, lines) for name in "ab"]
    (each,) = shown(f"{paths[0]}::acc,strict", f"{paths[1]}::acc,strict").compared
    assert each.score == np.mean(OTHER)


def test_run_directories_compare_as_conditions_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_figures(monkeypatch)
    out = tmp_path / "run"
    run_study(small_study(tmp_path, recipes=["zero_shot", {"few_shot": {"shots": 2}}], test_items=20), out, workers=1)
    conditions = {each.method: each for each in pool(load_results(out).measurements)}
    looked, look = [], Results.look
    monkeypatch.setattr(Results, "look", lambda self, command: looked.append(command) or look(self, command))
    (found,) = shown(f"{out}::zero_shot", f"{out}::few_shot").compared
    assert found.gain == compare(conditions["few_shot"], conditions["zero_shot"])
    assert found.p is None, "one seed is no test of a recipe"
    assert looked == ["compare", "compare"]
    answers = conditions["zero_shot"].measurements[0].outcomes.ids
    log = write_json_log(tmp_path / "a.json", [sample(name, 1.0) for name in answers], task=found.result.task)
    mixed = shown(f"{out}::zero_shot", log)
    assert mixed.compared[0].paired and mixed.compared[0].p is not None
    assert "paired by id alone, because Inspect and educe keep other content." in mixed.text()
    assert load_results(out).frame()["score"].notna().all()


def test_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write_samples(tmp_path / name, lm_eval_lines(each)) for name, each in (("a", OTHER), ("b", RIGHT))]
    assert run_cli("compare", *paths) == 0
    table = capsys.readouterr().out
    assert "+37.5 [" in table and "Differences in points, paired by item" in table
    assert run_cli("compare", *paths, "--format", "csv") == 0
    given = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(given.out))
    assert float(row["difference"]) == 3 / 8 and row["paired"] == "True" and "Differences in points" in given.err
    assert run_cli("compare", *paths, "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert row["difference"] == 3 / 8 and row["p"] == row["p_adjusted"]


def good(folder: Path) -> Path:
    return write_json_log(folder / "good.json", inspect_samples(RIGHT))


def cut_log(folder: Path) -> Path:
    path = write_eval_log(folder / "bad.eval", inspect_samples(RIGHT))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def short_samples(folder: Path) -> Path:
    path = write_samples(folder / "m", lm_eval_lines(RIGHT))
    path.write_text("".join(each + "\n" for each in path.read_text().splitlines()[:5]))
    return path


def half_a_line(folder: Path) -> Path:
    path = write_samples(folder / "m", lm_eval_lines(RIGHT))
    path.write_text(path.read_text()[:-30])
    return path


def misnamed(folder: Path) -> Path:
    path = write_samples(folder / "m", lm_eval_lines(RIGHT))
    return path.rename(path.with_name("samples_mine.jsonl"))


def not_finished(folder: Path) -> Path:
    return write_zip(folder / "bad.eval", {"samples/q0_epoch_1.json": json.dumps(sample("q0", 1))})


def other_content(folder: Path) -> Path:
    return write_json_log(folder / "bad.json", inspect_samples(RIGHT, input="another question"))


def log(samples: list[Any], **changed: Any) -> Any:
    return lambda folder: write_json_log(folder / "bad.json", samples, **changed)


BAD = {
    "cut": (cut_log, "bad.eval is no zip archive, or was cut short"),
    "not finished": (not_finished, "the run has not finished; finish it with `inspect eval-retry`"),
    "failed": (log(inspect_samples(RIGHT), status="error"), "its status is 'error'; finish the run with"),
    "version": (log(inspect_samples(RIGHT), version=9), "format 9, and 2 is read"),
    "another task": (log(inspect_samples(RIGHT), task="words"), "have no task in common (words; sums)"),
    "no samples": (log([]), "has no samples; run again with --log-samples"),
    "missing samples": (log(inspect_samples(RIGHT), results={"total_samples": 9}), "has 8 of 9 samples"),
    "twice": (log([sample("q0", 1), sample("q0", 1)]), "the id 'q0' comes twice in one epoch"),
    "other epochs": (log([sample("q0", 1), sample("q0", 1, epoch=2, input="x")]), "'q0' has other content in another"),
    "text": (log(inspect_samples(["great"])), "sample 'q0' has the score \"great\" by match, which is no number"),
    "beyond": (log(inspect_samples([7])), "scores must be numbers in [0, 1], got 7.0"),
    "no score": (log(inspect_samples([None])), "no item has a score by match"),
    "no id": (log([sample(None, 1)]), "a sample has the id null; ids are texts or whole numbers"),
    "content": (other_content, "task 'sums' has other content under the same id, such as 'q0' (8 items of 8)"),
    "short": (short_samples, "has 5 of 8 items; copy the whole file again"),
    "half a line": (half_a_line, "line 8: broken JSON"),
    "doc twice": (lambda folder: write_samples(folder / "m", [line(0, 1), line(0, 0)]), "doc_id 0 comes twice"),
    "no metrics": (lambda folder: write_samples(folder / "m", [line(0, 1, metrics=None)]), "no list of metrics"),
    "name": (misnamed, "the name is not samples_TASK_TIME.jsonl"),
    "results": (
        lambda folder: write_samples(folder, [line(0, 1)]).with_name(f"results_{TIME}.json"),
        "holds no scores",
    ),
    "empty folder": (
        lambda folder: (folder / "none").mkdir() or folder / "none",
        "has no results; give a run directory",
    ),
    "nothing": (lambda folder: folder / "nowhere.eval", "nowhere.eval: no such file or folder"),
    "no word": (lambda folder: f"{good(folder)}::mtach", "nothing in it is 'mtach'; did you mean 'match'?"),
    "another form": (lambda folder: write_json_log(folder / "bad.json", [], eval=[]), "eval is no JSON object"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_that_names_the_file(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, says = BAD[case]
    path = make(tmp_path)
    assert run_cli("compare", good(tmp_path), path) == 2
    given = capsys.readouterr()
    (said,) = given.err.splitlines()
    assert says in said and str(path).partition("::")[0] in said and given.out == ""


def test_one_result_compares_with_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli("compare", good(tmp_path)) == 2
    assert "alone compares with nothing; give two results or more" in capsys.readouterr().err


def test_two_results_of_one_name_in_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        write_json_log(tmp_path / f"{name}.json", inspect_samples(RIGHT))
    (tmp_path / "notes.json").write_text(json.dumps({"mine": header([])}))
    assert run_cli("compare", tmp_path, tmp_path / "a.json") == 2
    assert "are both mock/one on sums; give each by itself" in capsys.readouterr().err
