"""Peak memory of scoring 16 rows of 512 tokens with Gemma, ours against lm-eval's HFLM, each in its own process.

Each with its batch: 16 rows for lm-eval, a budget of tokens for ours. Checked: the same likelihoods within 1e-3 nats.

python -m tests.benchmarks.memory
"""

import json
import subprocess
import sys
from typing import Any

from tests.benchmarks.pairs import GEMMA, Pair, reported
from tests.benchmarks.resident import peak_gb

ROWS, TOKENS = 16, 512


def run() -> list[Pair]:
    """Peak resident bytes of the whole process, weights included."""
    mine, other = (_measured(side) for side in ("ours", "theirs"))
    assert all(abs(one - two) < 1e-3 for one, two in zip(mine["values"], other["values"], strict=True))
    work = f"peak memory, {GEMMA}, {ROWS} x {TOKENS} tokens"
    return [reported(work, "lm-eval HFLM, batch 16", [(mine["peak"], other["peak"])], least=4.0, unit="GB")]


def _measured(side: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.memory", side], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_side(side: str) -> None:
    """Score and print the log-likelihoods and the peak of this process in GB."""
    from lm_eval.models.huggingface import HFLM

    from educe.eval.model.encode import Branches
    from educe.eval.model.load import load_model
    from educe.eval.model.score import score_options

    model = load_model(GEMMA, dtype="float32")
    # Different from the first token on, so that nothing is shared between rows.
    rows = [[2, *range(1000 + 700 * row, 1000 + 700 * row + TOKENS - 1)] for row in range(ROWS)]
    if side == "ours":
        items = [Branches(prompt=tuple(row[:-8]), options=(tuple(row[-8:]),)) for row in rows]
        values = [value for (value,) in score_options(model, items).loglikelihoods]
    else:
        peer = HFLM(pretrained=model.net, tokenizer=model.tokenizer, batch_size=ROWS)
        requests = [(("", ""), row[:-8], row[-8:]) for row in rows]
        values = [value for value, _ in peer._loglikelihood_tokens(requests, disable_tqdm=True)]
    print(json.dumps({"values": values, "peak": peak_gb()}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_side(sys.argv[1])
    else:
        run()
