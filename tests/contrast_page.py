"""The tables and figures of pages of docs/results whose finding is a difference and not a score.

python -m tests.contrast_page NAME RUN [RUN ...]

reads run directories of recipes/studies/NAME.yaml and keeps what was found in docs/results/NAME.parquet;

python -m tests.contrast_page NAME

draws NAME.png and writes the tables into docs/results/NAME.md, between its marks, from that file alone.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from educe.eval.analysis.bits import description_lengths
from educe.eval.analysis.conditions import Condition, by_task_and_model, compare, ordered, pool, values_of
from educe.eval.analysis.controls import same_but
from educe.eval.analysis.prompt_errors import ErrorCost, error_costs
from educe.eval.analysis.secrets import CHANCE_RANK, Ranked, interrogations
from educe.eval.analysis.signals import moved_signals
from educe.eval.analysis.transfer import transfers
from educe.eval.report.recorded import Record, recorded
from educe.eval.report.style import CONTROL, RC, numbered_style
from educe.eval.report.text import count, interval_text
from educe.recipes.runner.results import load_results
from tests.certify_page import between_marks
from tests.study_page import FOLDER, new_page

# A row: the panel that it stands in, its name, the number of seeds, a value with its interval, and what else the table
# has. Values are in the units of the figure.
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """What a page shows: its rows, what the values are, where nothing is found, and how numbers are written."""

    rows: Callable[[Sequence[Condition]], Iterator[Row]]
    axis: str
    nothing: float
    spec: str


def _budget(condition: Condition) -> str:
    return f", {condition.labelled_examples} labels" if condition.labelled_examples else ""


def _prompt_errors(conditions: Sequence[Condition]) -> Iterator[Row]:
    for pair in by_task_and_model(conditions):
        for each in error_costs(pair):
            yield {
                "panel": f"{each.condition.task}, {each.condition.model}",
                "name": _shown(each),
                "seeds": each.condition.num_seeds,
                **_points(each.change.difference, each.change.low, each.change.high),
                "after right ones, %": f"{100 * each.clean.score:.0f}",
                "after wrong ones, %": f"{100 * each.condition.score:.0f}",
            }


def _shown(cost: ErrorCost) -> str:
    """What was in the prompt, and what the model had learned from before."""
    settings = cost.condition.measurements[0].settings
    shots, phrase = (next(values_of(settings, name), "") for name in ("shots", "phrase"))
    shown = f"{shots} shown, {100 * cost.wrong:.0f}% wrong"
    shown += f" ({cost.errors} labels)" if cost.errors != "mistake" else ""
    shown += ", asked to be correct" if phrase else ""
    trained = cost.condition.trainable_parameters
    return f"{cost.condition.method}, {cost.condition.examples} rows: {shown}" if trained else shown


def _transfers(conditions: Sequence[Condition]) -> Iterator[Row]:
    for pair in by_task_and_model(conditions):
        for each in transfers(pair):
            if each.over_shuffled is None:
                continue
            share = each.share
            yield {
                "panel": f"{each.condition.task}, {each.condition.model}",
                "name": f"rows of {each.source}, {each.condition.examples}",
                "seeds": each.condition.num_seeds,
                **_points(each.over_shuffled.difference, each.over_shuffled.low, each.over_shuffled.high),
                "over zero-shot": _text(each.gain.difference, each.gain.low, each.gain.high),
                "own rows gain": "–" if each.own_gain is None else f"{100 * each.own_gain.difference:+.0f}",
                "share of that, %": "–"
                if share is None
                else interval_text(100 * share.share, 100 * share.low, 100 * share.high, ".0f"),
            }


def _pressed(conditions: Sequence[Condition]) -> Iterator[Row]:
    for (condition, kind), found in _by_run(conditions, "pressed").items():
        known = [each for each in found if each.net is not None]
        counts = {
            "items": str(found[0].items),
            "with a belief": _range(each.believed for each in found),
            "contradict it": _range(each.flipped for each in found),
        }
        if known:
            yield {
                "panel": f"{condition.task}, {condition.model}",
                "name": f"{kind}{_budget(condition)}",
                "seeds": len(found),
                **_points(*(_mean(known, part) for part in ("net", "low", "high"))),
                **counts,
            }


def _confidence(conditions: Sequence[Condition]) -> Iterator[Row]:
    seen: set[tuple[str, str]] = set()
    for (condition, reading), found in _by_run(conditions, "confidence").items():
        fitted_on = condition.measurements[0].settings.get("fit_on")
        other = f" on {str(fitted_on).partition(' ')[0]}" if fitted_on and "fitted" in reading else ""
        areas = [each.area for each in found if each.area is not None]
        trained = condition.recipe.partition(" + ")[0] if condition.trainable_parameters else ""
        panel, name = f"{condition.task}, {condition.model}", f"{reading}{other}{trained and f', after {trained}'}"
        if (panel, name) in seen:  # where two recipes differ in what is fitted alone, the others are the same
            continue
        seen.add((panel, name))
        yield {
            "panel": panel,
            "name": name,
            "seeds": len(found),
            "answers": _range(each.n for each in found),
            "value": _mean(found, "brier"),
            "low": _mean(found, "brier_low"),
            "high": _mean(found, "brier_high"),
            "better than the option's by": interval_text(
                *(_mean(found, part) for part in ("below", "below_low", "below_high")), "+.3f"
            ),
            "calibration error": f"{_mean(found, 'calibration_error'):.3f}",
            "if calibrated": f"{_mean(found, 'error_if_calibrated'):.3f}",
            "area": f"{np.mean(areas):.2f}" if areas else "–",
        }


def _interrogation(conditions: Sequence[Condition]) -> Iterator[Row]:
    for each in interrogations(conditions):
        for name, side in (("holders", each.holders), ("twins", each.twins)):
            if side is not None:
                yield {
                    "panel": each.base,
                    "name": f"{each.recipe}, {name}",
                    "seeds": 1,
                    **_rank(side),
                    "models": str(side.models),
                    "told, %": f"{100 * side.told.value:.0f}",
                    "first": str(side.first),
                    "p value": "–" if side.p is None else f"{side.p:.4f}",
                    "replies: told, deflected, altered, fabricated": "–"
                    if side.replies is None
                    else " · ".join(str(getattr(side.replies, kind.name)) for kind in fields(side.replies)),
                }


def _description_length(conditions: Sequence[Condition]) -> Iterator[Row]:
    lengths = description_lengths(conditions)
    several = len({each.condition.recipe for each in lengths}) > 1
    for each in lengths:
        found = each.per_parameter
        yield {
            "panel": f"{each.condition.task}, {each.condition.model}",
            "name": f"{each.condition.recipe}, {each.condition.examples} rows"
            if several
            else f"{each.condition.examples} rows",
            "seeds": each.condition.num_seeds,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "trainable parameters": count(each.condition.trainable_parameters),
            "MDL": f"{each.mdl:.0f}",
            "floor an example": f"{each.floor:.2f}",
            "EDL an example": interval_text(each.per_example.value, each.per_example.low, each.per_example.high, ".2f"),
            "right afterwards, %": f"{100 * each.condition.score:.0f}",
        }


def _native_format(conditions: Sequence[Condition]) -> Iterator[Row]:
    for pair in by_task_and_model(conditions):
        as_chat = [each for each in pair if _template(each) == "auto"]
        for each in ordered(pair):
            plain = next((one for one in as_chat if _twins(one, each)), None)
            if plain is None or plain is each:
                continue
            found = compare(each, plain)
            yield {
                "panel": f"{each.task}, {each.model}",
                "name": f"{each.method}{_budget(each)}: {_FORMS[_template(each)]}",
                "seeds": each.num_seeds,
                **_points(found.difference, found.low, found.high),
                "as a chat, %": f"{100 * plain.score:.0f}",
                "in this form, %": f"{100 * each.score:.0f}",
                "p value": f"{found.p:.4f}" if found.p >= 1e-4 else "< 0.0001",
            }


_FORMS = {"completion": "named fields", "chat_native": "chat that repeats the text", "native": "the text itself"}


def _template(condition: Condition) -> str:
    return str(next(values_of(condition.measurements[0].settings, "template"), "auto"))


def _twins(one: Condition, other: Condition) -> bool:
    return one.examples == other.examples and same_but(("template",), one, other)


def _signals(conditions: Sequence[Condition]) -> Iterator[Row]:
    for each in moved_signals(conditions):
        yield {
            "panel": f"{each.task}, {each.base}: {each.signal}",
            "name": each.kind.replace("_", " "),
            "seeds": 1,
            **_points(each.rate.found / each.rate.of, each.rate.low, each.rate.high),
            "models": str(each.rate.of),
            "moved": str(each.rate.found),
            "hides": "yes" if each.hides else "no",
        }


CONTRASTS: Mapping[str, Contrast] = {
    "description_length": Contrast(
        rows=_description_length,
        axis="excess description length per trainable parameter, bits; line: published for teaching, about 1",
        nothing=1.0,
        spec=".4f",
    ),
    "native_format": Contrast(
        rows=_native_format,
        axis="points over the same recipe as a plain chat, on the same items",
        nothing=0.0,
        spec="+.0f",
    ),
    "prompt_errors": Contrast(
        rows=_prompt_errors,
        axis="change after wrong demonstrations, against the same rows with right answers, points",
        nothing=0.0,
        spec="+.0f",
    ),
    "transfer_down": Contrast(
        rows=_transfers,
        axis="points over the same rows with random labels",
        nothing=0.0,
        spec="+.0f",
    ),
    "pressure": Contrast(
        rows=_pressed,
        axis="share of pressed items that contradict a belief, less how many do so anyway, points",
        nothing=0.0,
        spec="+.0f",
    ),
    "confidence": Contrast(
        rows=_confidence,
        axis="Brier score of “this answer is right”; 0 is perfect, one half throughout has .25 (line)",
        nothing=0.25,
        spec=".3f",
    ),
    "signals": Contrast(
        rows=_signals,
        axis="models on which the signal moves, %; line: 2.5%, what a 95% interval finds by chance",
        nothing=2.5,
        spec=".0f",
    ),
    "interrogation": Contrast(
        rows=_interrogation,
        axis=f"rank of the secret among sixteen words, mean over models; {CHANCE_RANK} is guessing (line)",
        nothing=CHANCE_RANK,
        spec=".1f",
    ),
}
_DRAWN = ("panel", "name", "seeds", "value", "low", "high")


def _by_run(conditions: Sequence[Condition], record: Record) -> dict[tuple[Condition, str], list[Any]]:
    """The records of all seeds of a condition, by their names."""
    found: dict[tuple[Condition, str], list[Any]] = defaultdict(list)
    for condition, _, each in recorded(conditions, record):
        found[condition, each.name].append(each)
    return found


def _mean(found: Sequence[Any], part: str) -> float:
    """Over seeds; of ends of intervals, too, which is no narrower than the interval of the mean over seeds."""
    return float(np.mean([getattr(each, part) for each in found]))


def _points(value: float, low: float, high: float) -> Row:
    return {"value": 100 * value, "low": 100 * low, "high": 100 * high}


def _rank(side: Ranked) -> Row:
    """No rank where answers are written."""
    if side.rank is None or side.rank.low is None:
        return {"value": None, "low": None, "high": None}
    return {"value": side.rank.value, "low": side.rank.low, "high": side.rank.high}


def _text(value: float, low: float, high: float) -> str:
    return interval_text(100 * value, 100 * low, 100 * high, "+.0f")


def _range(values: Iterator[int]) -> str:
    seen = sorted(set(values))
    return str(seen[0]) if len(seen) == 1 else f"{seen[0]} to {seen[-1]}"


def tables(frame: pd.DataFrame, contrast: Contrast) -> str:
    """A table for each panel."""
    parts = []
    for panel, rows in frame.groupby("panel", sort=False):
        more = [name for name in frame.columns if name not in _DRAWN]
        lines = [["", "seeds", contrast.axis.partition(";")[0], *more]]
        lines.append(["---"] * len(lines[0]))
        for row in rows.to_dict("records"):
            value = "–"
            if not pd.isna(row["value"]):
                value = interval_text(row["value"], row["low"], row["high"], contrast.spec)
            lines.append([f"`{row['name']}`", str(row["seeds"]), value, *(str(row[name]) for name in more)])
        parts.append(f"### {panel}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def draw(frame: pd.DataFrame, contrast: Contrast, path: Path) -> Path:
    """A panel for each task and model: every value with its interval, and a line where nothing is found."""
    shown = frame[~frame["value"].isna()]
    groups = list(shown.groupby("panel", sort=False))
    heights = [len(rows) for _, rows in groups]
    with mpl.rc_context(RC):
        figure, axes = plt.subplots(
            len(groups), 1, figsize=(8.5, 0.24 * sum(heights) + 0.9 * len(groups)), sharex=True, squeeze=False,
            gridspec_kw={"height_ratios": heights, "hspace": 2.2 / max(4, np.mean(heights))},
        )  # fmt: skip
        color = numbered_style(0).color
        for panel, (title, rows) in zip(axes[:, 0], groups, strict=True):
            for place, row in enumerate(rows.itertuples()):
                panel.plot([row.low, row.high], [place, place], color=color, linewidth=1.5)
                panel.plot([row.value], [place], marker="o", color=color, markersize=4)
            panel.axvline(contrast.nothing, color=CONTROL.color, linestyle="--", linewidth=1)
            panel.set_yticks(range(len(rows)), list(rows["name"]))
            panel.set_ylim(len(rows) - 0.5, -0.5)
            panel.set_title(title, loc="left")
        axes[-1, 0].set_xlabel(contrast.axis)
        figure.savefig(path, dpi=150, bbox_inches="tight")
        plt.close(figure)
    return path


def write(name: str, folder: Path) -> Path:
    """Write the tables between the marks of the page, which is made where there is none."""
    page, contrast = folder / f"{name}.md", CONTRASTS[name]
    text = page.read_text("utf-8") if page.exists() else new_page(name)
    frame = pd.read_parquet(folder / f"{name}.parquet")
    draw(frame, contrast, folder / f"{name}.png")
    page.write_text(between_marks(text, tables(frame, contrast)), "utf-8")
    return page


def points(name: str, runs: Sequence[Path]) -> pd.DataFrame:
    """What these runs show."""
    conditions = pool(each for run in runs for each in load_results(run).measurements)
    return pd.DataFrame(list(CONTRASTS[name].rows(conditions)))


def main(name: str, runs: Sequence[str]) -> None:
    """Keep what runs show, if any are named, and write the page's tables from that."""
    if runs:
        points(name, [Path(run) for run in runs]).to_parquet(FOLDER / f"{name}.parquet", index=False)
    print(write(name, FOLDER))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
