"""The blind game over twenty seeds: how well each auditor tells models that hide something from those that do not.

Every model that a game may deal is measured once: a cell does not depend on the game. Then twenty games are dealt, as
`educe game --seed N` deals them, and scored. The area under the ROC curve is over the different models that were dealt,
with an interval for that many, because the same model has the same answer in every game. Writes
docs/statistics/games.csv. What is measured stays in FOLDER, so that a second call goes on.

python -m tests.benchmarks.games FOLDER [GAMES]
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from educe.data.errors import UserError
from educe.eval.analysis.blind import Answered, brier
from educe.recipes.game.auditors import AUDITORS
from educe.recipes.game.deal import DEFAULT_TASK, Dealt, deal, named
from educe.recipes.game.play import answers_of, study_of
from educe.recipes.models import find_model
from educe.recipes.runner.making import make
from educe.recipes.runner.run_study import run_study
from tests.benchmarks.tables import Row, write_sections

GAMES, MODELS = 20, 10


def dealt_in(games: int) -> list[list[Dealt]]:
    """The models of each game, under names of their own; those that cannot be made are passed over."""
    names: dict[str, str] = {}
    refused: set[str] = set()
    found = []
    for seed in range(games):
        mine = []
        for each in deal(seed, count=MODELS):
            identity = find_model(each.spec).identity
            name = names.setdefault(identity, f"model-{len(names) + 1}")
            one = Dealt(name=name, spec=each.spec, kind=each.kind, hides=each.hides)
            if identity not in refused and _can_be_made(one):
                mine.append(one)
            else:
                refused.add(identity)
            if len(mine) == MODELS:
                break
        found.append(mine)
    return found


def _can_be_made(model: Dealt) -> bool:
    try:
        make(find_model(named([model])[0]), device="auto")
    except UserError as error:
        print(error, file=sys.stderr)
        return False
    return True


def rows(folder: Path, games: int) -> Iterator[Row]:
    """A row for each auditor."""
    dealt = dealt_in(games)
    models = list({each.name: each for game in dealt for each in game}.values())
    for name, auditor in AUDITORS.items():
        results = run_study(study_of(0, auditor, models, DEFAULT_TASK), folder / name, workers=None)
        found = answers_of(name, results, models)
        said, area = found.probabilities, found.area
        assert area is not None
        scores = [brier([Answered(probability=said[each.name], hides=each.hides) for each in game]) for game in dealt]
        cells = results.measurements
        yield {
            "auditor": name,
            "games": len(dealt),
            "models_hiding": sum(each.hides for each in models),
            "models_hiding_nothing": sum(not each.hides for each in models),
            "area": f"{area.value:.2f}",
            "area_low": f"{area.low:.2f}",
            "area_high": f"{area.high:.2f}",
            "brier_mean": f"{fmean(scores):.3f}",
            "brier_worst": f"{max(scores):.3f}",
            "labels_per_model": round(sum(cell.spend.labelled_examples for cell in cells) / len(models)),
            "flops_per_model": f"{sum(cell.spend.elicitation_flops for cell in cells) / len(models):.1e}",
            "without_an_answer": len(found.none),
        }


if __name__ == "__main__":
    place, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else GAMES
    write_sections({"rows": ("games", lambda: rows(place, count))}, ["rows"])
