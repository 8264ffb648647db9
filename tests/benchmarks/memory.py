"""Peak memory of scoring 16 rows of 512 tokens with Gemma, ours against lm-eval's HFLM, each in its own process.

python -m tests.benchmarks.memory
"""

import resource
import subprocess
import sys

from tests.benchmarks.pairs import Pair

GEMMA = "gemma-3-270m"
ROWS, TOKENS = 16, 512


def run() -> list[Pair]:
    """Peak resident bytes of the whole process, weights included."""
    ours, theirs = (_peak_of(side) for side in ("ours", "theirs"))
    ratio = theirs / ours
    kept = "" if ratio >= 4 else ", NOT REACHED"
    print(f"peak memory, {GEMMA}, {ROWS} x {TOKENS} tokens: {ours:.2f} GB against {theirs:.2f} GB (lm-eval HFLM),")
    print(f"{ratio:.1f}x less (at least 4x{kept}; one pair)", flush=True)
    return [
        Pair(
            work=f"peak memory in GB, {GEMMA}, {ROWS} x {TOKENS} tokens",
            against="lm-eval HFLM",
            ours=ours,
            theirs=theirs,
            ratio=ratio,
            least=4.0,
            repetitions=1,
        )
    ]


def _peak_of(side: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.memory", side], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def measure_side(side: str) -> None:
    """Score and print the peak of this process in GB."""
    from eval.encode import Branches
    from eval.score import score_options
    from eval.subject import load_subject

    subject = load_subject(GEMMA, dtype="float32")
    # Different from the first token on, so that nothing is shared between rows.
    rows = [[2, *range(1000 + 700 * row, 1000 + 700 * row + TOKENS - 1)] for row in range(ROWS)]
    if side == "ours":
        score_options(subject, [Branches(prompt=tuple(row[:-8]), options=(tuple(row[-8:]),)) for row in rows])
    else:
        from lm_eval.models.huggingface import HFLM

        model = HFLM(pretrained=subject.net, tokenizer=subject.tokenizer, batch_size=ROWS)
        model._loglikelihood_tokens([(("", ""), row[:-8], row[-8:]) for row in rows], disable_tqdm=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_side(sys.argv[1])
    else:
        run()
