"""How far a task can be learned from its rows: what n-grams that know nothing beforehand get, in one line."""

from educe.data.task import Task
from educe.eval.analysis.formatting import format_interval, whole_percent
from educe.eval.analysis.statistics.intervals import score_interval
from educe.train.ngram_scorer import fit_ngrams

MAX_TRAIN, MAX_DEV = 256, 300


def learnable(task: Task) -> str:
    """The line for `educe validate`. Fitted on train rows and scored on dev rows; no test row is read."""
    train = task.draw("train", min(MAX_TRAIN, len(task.rows["train"])), seed=0)
    dev = task.draw("dev", min(MAX_DEV, len(task.rows["dev"])), seed=0)
    start = "  from its rows alone:"
    if not train or not dev:
        return f"{start} not known, because there are no {'dev' if train else 'train'} rows"
    scorer = fit_ngrams(task, train)
    scores = [scorer.outcome(task, item)[0].score for item in dev]
    interval = score_interval(scores, [item.cluster or item.id for item in dev])
    share = f"{whole_percent(sum(scores) / len(scores))} {format_interval(interval.low, interval.high)}"
    chance = task.chance(dev)
    guessed = "chance not known" if chance is None else f"chance {whole_percent(chance)}"
    return f"{start} ngrams on {len(train):,} train rows get {share} of {len(dev):,} dev rows right, {guessed}"
